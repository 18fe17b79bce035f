"""The door to delivered files: finds out the format and opens the file with its reader."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any

from mart_platform.adapters.connectors.options import FormatOptions, read_options
from mart_platform.adapters.formats.jsonlines import open_json_lines
from mart_platform.adapters.formats.parquet import open_parquet
from mart_platform.adapters.formats.separated import open_separated
from mart_platform.adapters.formats.unpacking import unpacked_name
from mart_platform.ports import Delivered, Unreadable

Opener = Callable[[Path, str, FormatOptions], AbstractContextManager[Delivered]]

READERS: dict[str, Opener] = {"csv": open_separated, "jsonl": open_json_lines, "parquet": open_parquet}

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


class DeliveredFormats:
    """Opens CSV and JSON lines, plain, gzip or zip, and Parquet."""

    def open(
        self, file: Path, position: str, options: Mapping[str, Any]
    ) -> AbstractContextManager[Delivered]:
        """Open a kept file. Raises Unreadable, here or while its rows are taken."""
        wanted = read_options(FormatOptions, options, of=position)
        if file.stat().st_size == 0:
            raise Unreadable(
                f"{position}: the file is empty. Have it delivered again; a delivery without rows still has "
                "its header."
            )
        return READERS[wanted.format or _format_of(file, position, wanted)](file, position, wanted)


def _format_of(file: Path, position: str, options: FormatOptions) -> str:
    name = unpacked_name(file, position, options)
    ending = PurePosixPath(name).suffix.lower()
    if ending not in _ENDINGS:
        raise Unreadable(
            f"{position}: the ending '{ending}' tells no format. Say it with the option 'format' of the "
            f"source: {', '.join(READERS)}."
        )
    return _ENDINGS[ending]
