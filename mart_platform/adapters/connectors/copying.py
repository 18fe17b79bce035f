"""A delivered file is copied whole, or not at all."""

import errno
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import IO

from mart_platform.durable import sync
from mart_platform.spec.problems import UserError

_PIECE = 1 << 20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def copied(source: Path, position: str, into: Path) -> tuple[Path, str]:
    """Copy a file into a folder under a name made of its content, synced; return the copy and its SHA-256.

    ``position`` is how messages name it. Raises UserError when it cannot be read or is written to meanwhile,
    and when there is no place for the copy.
    """
    try:
        return _copied(source, into)
    except OSError as error:
        of_the_source = error.filename in (None, str(source)) and error.errno not in _NO_ROOM
        found = "cannot be read" if of_the_source else f"cannot be kept in {into}"
        raise UserError(f"{position}: {found}: {error.strerror or error}.") from error


def _copied(source: Path, into: Path) -> tuple[Path, str]:
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=into, prefix=".fetching-", delete=False) as copy:
        temporary = Path(copy.name)
        try:
            sha256 = _copied_whole(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
            kept = into / (sha256[:16] + _endings(source.name))
            temporary.replace(kept)
            sync(into)
        finally:
            temporary.unlink(missing_ok=True)
    return kept, sha256


def _copied_whole(source: Path, copy: IO[bytes]) -> str:
    """Copy all bytes and return their SHA-256; a file that changed meanwhile is no whole."""
    digest = hashlib.sha256()
    with source.open("rb") as original:
        before = os.fstat(original.fileno())
        while piece := original.read(_PIECE):
            digest.update(piece)
            copy.write(piece)
    after = source.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UserError(
            f"{source} changed while it was copied. Run again when nobody writes to it any more; "
            "its writer should write under another name and rename the file when it is whole."
        )
    return digest.hexdigest()


def _endings(name: str) -> str:
    """Return the endings that tell a format.

    >>> _endings("orders-2017.01.csv.gz")
    '.csv.gz'
    """
    match = re.search(r"(\.[A-Za-z][A-Za-z0-9]*){1,2}$", name)
    return match[0].lower() if match else ""
