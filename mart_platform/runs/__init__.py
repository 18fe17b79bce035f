"""The use cases: Dagster and the command line both call these, so they cannot differ."""
