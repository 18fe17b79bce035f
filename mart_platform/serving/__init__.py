"""The doors over HTTP: the API, the catalogue and the pages. Thin: what counts lies in ``runs.door``."""
