"""What is on disk when the power goes: neither DuckDB nor delta-rs makes sure of it, so we do."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Return when a file, or the entries of a folder, have reached the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
