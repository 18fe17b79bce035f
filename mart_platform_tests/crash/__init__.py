"""Kills each job with -9 between any two of its side effects, and looks at what is there afterwards."""
