"""The path of a governed query, which all doors share."""
