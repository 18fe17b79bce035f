"""Sweeping: half-made work that killed processes left behind, and logs that nobody reads any more."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mart_platform.durable import is_occupied
from mart_platform.spec.layout import DataFolder

FORSAKEN = timedelta(days=1)
"""How long nothing has happened in half-made work before it counts as left by a killed process."""


def sweepable(data: DataFolder, now: datetime, logs_kept: timedelta) -> list[Path]:
    """Return the files and folders that nobody needs any more.

    A log or a file of telemetry is as old as the last line that was written to it. A server that nobody asks
    writes nothing for days, and works in its folder all the same.
    """
    old = now - logs_kept
    return [
        *(path for path in _entries(data.temporary) if _is_forsaken(path, now)),
        *(path for path in _entries(data.logs) if path.is_file() and _last_change(path) < old),
        *(path for path in data.telemetry.glob("*.jsonl") if _last_change(path) < old),
    ]


def sweep(paths: list[Path]) -> None:
    """Remove files and folders; what is gone already, or belongs to somebody else, is left."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def bytes_below(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _entries(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def _is_forsaken(path: Path, now: datetime) -> bool:
    return _last_change(path) < now - FORSAKEN and not is_occupied(path)


def _last_change(path: Path) -> datetime:
    """Return when anything in a file or folder was written last."""
    return datetime.fromtimestamp(max(_moments(path)), UTC)


def _moments(path: Path) -> Iterator[float]:
    yield 0.0
    for entry in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):  # somebody works in it, and has removed this since
            yield entry.lstat().st_mtime
