"""The gate: the text of a query and a policy in, a checked and rewritten query out. Pure."""
