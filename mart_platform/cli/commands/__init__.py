"""The commands of ``mart``, one module each, named as the command."""
