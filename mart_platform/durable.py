"""What is on disk: that it stays when the power goes, and while somebody works in it.

Neither DuckDB nor delta-rs makes sure that what they have written outlives a loss of power, so we do.
"""

import fcntl
import os
from pathlib import Path


def sync(path: Path) -> None:
    """Return when a file, or the entries of a folder, have reached the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def occupy(folder: Path) -> int:
    """Mark a folder as one that somebody works in, until the descriptor is closed or the process ends."""
    opened = os.open(folder, os.O_RDONLY)
    fcntl.flock(opened, fcntl.LOCK_SH)
    return opened


def is_occupied(path: Path) -> bool:
    """Return whether somebody works in a folder, also where that cannot be told."""
    try:
        opened = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(opened)
    return False
