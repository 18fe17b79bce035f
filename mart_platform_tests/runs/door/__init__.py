"""Tests of the path of a governed query."""
