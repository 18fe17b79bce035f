"""From declarations to a frozen plan; pure: the folder alone decides, no data is read."""
