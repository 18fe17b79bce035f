"""A version's files and intervals, kept as the difference to a list that many versions share.

A version of a year by days lists 365 files and as many intervals, 120 KB as JSON, and the next one differs
from it in a line or two. As a list and a difference, each packed, a year of such versions is below 1 MB.
"""

import json
import zlib
from collections.abc import Sequence

from pydantic import TypeAdapter

from mart_platform.spec.records import DataFile, Interval, Version

Lines = Sequence[str]
"""The JSON of each file, an object, and of each interval with its key, an array."""

_KEYED = TypeAdapter(tuple[str, Interval])
_LINE = "\n"  # JSON has none within a text


def record_of(version: Version) -> str:
    """Return all of a version but its files and intervals, as JSON."""
    return version.model_dump_json(exclude={"files", "intervals"})


def lines_of(version: Version) -> Lines:
    """Return the files and the intervals of a version."""
    files = [file.model_dump_json(exclude_defaults=True) for file in version.files]
    keyed = version.intervals.items()
    return files + [_KEYED.dump_json(each, exclude_defaults=True).decode() for each in keyed]


class Reader:
    """Makes versions of records and lines, and what they have in common only once."""

    def __init__(self) -> None:
        self._files: dict[str, DataFile] = {}
        self._intervals: dict[str, tuple[str, Interval]] = {}

    def version_of(self, record: str, lines: Lines) -> Version:
        """Return the version that a record and its lines are of."""
        files = tuple(self._file(line) for line in lines if line.startswith("{"))
        intervals = dict(self._interval(line) for line in lines if not line.startswith("{"))
        return Version.model_validate({**json.loads(record), "files": files, "intervals": intervals})

    def _file(self, line: str) -> DataFile:
        if line not in self._files:
            self._files[line] = DataFile.model_validate_json(line)
        return self._files[line]

    def _interval(self, line: str) -> tuple[str, Interval]:
        if line not in self._intervals:
            self._intervals[line] = _KEYED.validate_json(line)
        return self._intervals[line]


def packed(lines: Lines) -> bytes:
    """Return lines as a base for the versions to come."""
    return zlib.compress(_LINE.join(lines).encode())


def unpacked(base: bytes) -> Lines:
    """Return the lines of a base."""
    text = zlib.decompress(base).decode()
    return text.split(_LINE) if text else []


def difference(lines: Lines, base: Lines) -> bytes:
    """Return what makes ``lines`` of the lines of a base: ranges of these, and lines that it lacks."""
    places = {line: place for place, line in enumerate(base)}
    parts: list[str | list[int]] = []
    for line in lines:
        place, last = places.get(line), parts[-1] if parts else None
        if place is None:
            parts.append(line)
        elif isinstance(last, list) and last[1] == place:
            last[1] += 1
        else:
            parts.append([place, place + 1])
    return zlib.compress(json.dumps(parts).encode())


def applied(change: bytes, base: Lines) -> Lines:
    """Return the lines that a difference makes of those of its base."""
    lines: list[str] = []
    for part in json.loads(zlib.decompress(change)):
        lines += [part] if isinstance(part, str) else base[slice(*part)]
    return lines


def outgrown(base: bytes, change: bytes) -> bool:
    """Say whether a difference has become so large that a base of its own costs less in the long run."""
    return len(change) * 10 > len(base)
