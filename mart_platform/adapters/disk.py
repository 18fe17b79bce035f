"""What the disk refuses, as sentences: libraries say it in errors of many classes, and in the same words."""

import errno
import os
from pathlib import Path

from mart_platform.spec.problems import UserError

_FULL = (
    *(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT)),
    "max_temp_directory_size",  # DuckDB spills into nine tenths of what was free when it began
)
_FORBIDDEN = tuple(os.strerror(code) for code in (errno.EACCES, errno.EPERM, errno.EROFS))


def full(error: BaseException, folder: Path) -> UserError | None:
    """Return the sentence for an error that came from a full disk, None for any other."""
    if not any(words in str(error) for words in _FULL):
        return None
    return UserError(
        f"the disk is full: nothing more can be written below {folder}. What stood there before is whole. "
        "Free some space, or move the data folder to a larger disk, and run it again."
    )


def refused(error: BaseException, folder: Path) -> UserError | None:
    """Return the sentence for an error of a full or read-only disk or of a missing right, else None."""
    reason = next((words for words in _FORBIDDEN if words in str(error)), None)
    if reason is None:
        return full(error, folder)
    return UserError(
        f"{folder} cannot be written: {reason}. Give yourself the right to write there, and run it again."
    )
