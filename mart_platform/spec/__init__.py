"""The words of the platform: frozen declarations, and the validation that needs no other file."""
