"""The Lake port over Delta Lake: plain Parquet files, listed by a transaction log in the same folder."""

import fcntl
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from mart_platform.durable import sync
from mart_platform.ports import Commit, CommitConflict
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile
from mart_platform.spec.types import outer_parts

log = logging.getLogger(__name__)

_LOG = "_delta_log"
_ENTRY = re.compile(r"\d{20}\.json")
_OURS = "mart"  # the key of our metadata in an entry, beside Delta's own

# The log is kept for ever: a checkpoint would else delete the entries of versions that are still published.
# A checkpoint every 10 commits keeps opening a table at some milliseconds.
_CONFIGURATION = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "10"}


class DeltaLake:
    """Delta tables below the lake folder of a data folder.

    Raises UserError for a data folder with a % in its path: delta-rs 1.6 takes it for a quoting, writes to
    the folder that was meant and reads from another one.
    """

    def __init__(self, data: DataFolder) -> None:
        if "%" in str(data.root.resolve()):
            raise UserError(
                f"The data folder {data.root} has a % in its path, which the lake cannot take; name another."
            )
        self._data = data

    def head(self, path: str) -> Commit | None:
        """Return the newest commit, from the log's last entry alone: the table is not opened.

        An entry that a loss of power left torn is moved aside, for it would block the table; nobody has
        built on it, because an entry is synced before anything refers to it. Raises UserError, naming
        the entry, when it cannot be read or when more than the last one is damaged.
        """
        log_folder = self._folder(path) / _LOG
        entries = _entries(log_folder)
        return (_read(log_folder / entries[-1]) or _mended(log_folder)) if entries else None

    def commit(
        self,
        path: str,
        columns: Mapping[str, str],
        files: Sequence[DataFile],
        *,
        base: int | None,
        append: bool,
        metadata: Mapping[str, str],
    ) -> int:
        """Commit as the port says. Raises ValueError for columns that are not those of the table."""
        folder, schema = self._folder(path), _schema(columns)
        head = self.head(path)
        found = None if head is None else head.number
        if found != base:
            raise CommitConflict(f"{path} is at {_named(found)}, no longer at {_named(base)}")
        table = None if base is None else _opened(folder, base)
        if table is not None and table.schema() != schema:
            raise ValueError(f"{path} holds {table.schema().to_json()}, not {schema.to_json()}")

        present = {} if table is None else _sizes(table)
        wanted = {self._in_table(path, file): file for file in files}
        new = {name: file for name, file in wanted.items() if name not in present}
        gone = {} if append else {name: size for name, size in present.items() if name not in wanted}
        _sync_files(self._data.lake, folder, new)

        number, commit_id = 0 if base is None else base + 1, uuid4().hex
        properties = CommitProperties(
            custom_metadata={_OURS: {"id": commit_id, "metadata": dict(metadata)}}, max_commit_retries=0
        )
        try:
            if table is None:
                _create(folder, schema, _adds(folder, new), properties)
            else:
                _change(table, schema, [*_adds(folder, new), *_removes(gone)], properties)
        except DeltaError as error:
            _settle(folder / _LOG / f"{number:020}.json", commit_id, error)
        _sync_log(folder / _LOG, number)
        return number

    def files(self, path: str, number: int) -> tuple[str, ...]:
        folder = self._folder(path)
        names = sorted(_sizes(_opened(folder, number)))  # file_uris() would quote the folder's name
        return tuple(self._data.relative(folder / name) for name in names)

    def _folder(self, path: str) -> Path:
        return self._data.lake / path

    def _in_table(self, path: str, file: DataFile) -> str:
        return self._data.absolute(file.path).relative_to(self._folder(path)).as_posix()


# Reading the log


def _entries(log_folder: Path) -> list[str]:
    """Return the names of a log's entries, oldest first."""
    try:
        with os.scandir(log_folder) as found:
            return sorted(entry.name for entry in found if _ENTRY.fullmatch(entry.name))
    except FileNotFoundError:
        return []


def _read(entry: Path) -> Commit | None:
    """Return the commit of an entry, or None when it is torn."""
    try:
        actions = [json.loads(line) for line in entry.read_bytes().splitlines()]
        info: Any = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    except (ValueError, TypeError):
        return None
    except OSError as error:
        raise UserError(f"{entry} cannot be read: {error.strerror}.") from error
    if not actions:
        return None
    return Commit(number=int(entry.stem), metadata=info.get(_OURS, {}).get("metadata", {}))


def _mended(log_folder: Path) -> Commit | None:
    """Move a torn last entry aside, and return the commit before it; one process at a time."""
    with _locked(log_folder):
        *before, last = (log_folder / name for name in _entries(log_folder))
        if (newest := _read(last)) is not None:
            return newest  # somebody mended it while we waited, and went on
        if before and _read(before[-1]) is None:
            raise UserError(
                f"{before[-1]} is damaged, and so is the entry after it. Put the folder of this table back "
                "from a backup, or remove it to have the table built anew."
            )
        _move_aside(last)
        return _read(before[-1]) if before else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _move_aside(entry: Path) -> None:
    aside = entry.with_name(f"{entry.name}.torn-{time.time_ns()}")
    try:
        entry.rename(aside)
    except OSError as error:
        raise UserError(
            f"{entry} is torn, as a loss of power leaves it, and cannot be moved aside: {error.strerror}. "
            "Give yourself the right to write in its folder, and try again."
        ) from error
    sync(entry.parent)
    log.warning("%s was torn, as a loss of power leaves it; moved to %s", entry, aside.name)


def _opened(folder: Path, number: int) -> DeltaTable:
    try:
        return DeltaTable(folder, version=number)
    except DeltaError as error:
        raise UserError(
            f"Version {number} of {folder} cannot be read: {_first_line(error)}. See whether its log, "
            f"{folder / _LOG}, is whole."
        ) from error


def _sizes(table: DeltaTable) -> dict[str, int]:
    """Return the files of a version, relative to the table, and their bytes."""
    added = table.get_add_actions()
    names, sizes = (added.column(name).to_pylist() for name in ("path", "size_bytes"))
    return {unquote(str(name)): int(size) for name, size in zip(names, sizes, strict=True)}


# Writing


def _create(folder: Path, schema: Schema, adds: list[AddAction], properties: CommitProperties) -> None:
    create_table_with_add_actions(
        str(folder),
        schema,
        adds,
        mode="error",
        configuration=_CONFIGURATION,
        commit_properties=properties,
    )


def _change(
    table: DeltaTable,
    schema: Schema,
    actions: list[AddAction | RemoveAction],
    properties: CommitProperties,
) -> None:
    # To "append" actions is to make exactly this change, removals too.
    table.create_write_transaction(actions, mode="append", schema=schema, commit_properties=properties)


def _settle(entry: Path, commit_id: str, error: DeltaError) -> None:
    """Find out what a failed call left as the entry: our commit, somebody else's, or none.

    What follows a commit, the checkpoint, may fail when the commit itself is done.
    """
    if not entry.exists():
        raise error
    if commit_id not in entry.read_text(encoding="utf-8"):
        raise CommitConflict(f"somebody else committed {entry} in the meantime") from error
    log.warning("%s is committed, but what follows a commit failed: %s", entry, _first_line(error))


def _adds(folder: Path, files: Mapping[str, DataFile]) -> list[AddAction]:
    return [
        AddAction(
            path=name,
            size=file.bytes,
            partition_values={},
            modification_time=(folder / name).stat().st_mtime_ns // 1_000_000,
            data_change=True,
            stats=file.stats or json.dumps({"numRecords": file.rows}),
        )
        for name, file in files.items()
    ]


def _removes(files: Mapping[str, int]) -> list[RemoveAction]:
    now = time.time_ns() // 1_000_000
    return [RemoveAction(name, True, now, size=size, partition_values={}) for name, size in files.items()]


# To the disk: neither the engine nor delta-rs syncs


def _sync_files(lake: Path, folder: Path, names: Iterable[str]) -> None:
    """Make files durable, and the folders from theirs up to the lake's, so that a path leads to them."""
    files = [folder / name for name in names]
    folders = {parent for file in files for parent in file.parents if parent.is_relative_to(lake)}
    for path in (*files, *sorted(folders, reverse=True)):
        sync(path)


def _sync_log(log_folder: Path, number: int) -> None:
    """Make the entry ``number`` durable, and the checkpoint that may have been made after it."""
    for path in (*log_folder.glob(f"{number:020}.*"), log_folder / "_last_checkpoint", log_folder):
        if path.exists():
            sync(path)
    sync(log_folder.parent)


# Types

_DELTA = {
    "boolean": "boolean",
    "integer": "integer",
    "bigint": "long",
    "double": "double",
    "string": "string",
    "date": "date",
    "timestamp": "timestamp_ntz",
    "timestamptz": "timestamp",
    "binary": "binary",
}


def _schema(columns: Mapping[str, str]) -> Schema:
    return Schema.from_json(json.dumps(_struct(columns.items())))


def _struct(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {
        "type": "struct",
        "fields": [
            {"name": name, "type": _delta_type(declared), "nullable": True, "metadata": {}}
            for name, declared in fields
        ],
    }


def _delta_type(declared: str) -> str | dict[str, Any]:
    """Return Delta's form of a declared type. Raises ValueError for one that is none."""
    word, _, inner = declared.strip().removesuffix(")").partition("(")
    if word in _DELTA:
        return _DELTA[word]
    if word == "decimal":
        return f"decimal({inner.replace(' ', '')})"
    if word == "list":
        return {"type": "array", "elementType": _delta_type(inner), "containsNull": True}
    if word == "struct":
        fields = [field.strip().split(" ", 1) for field in outer_parts(inner)]
        return _struct((name, kind) for name, kind in fields)
    raise ValueError(f"'{declared}' is not a type that a table of the lake can hold")


def _named(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")
