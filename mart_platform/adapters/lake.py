"""The Lake port over Delta Lake: plain Parquet files, listed by a transaction log in the same folder."""

import fcntl
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote
from uuid import uuid4

from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from mart_platform.adapters import disk
from mart_platform.durable import sync
from mart_platform.ports import Commit, CommitConflict
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile
from mart_platform.spec.types import outer_parts

log = logging.getLogger(__name__)

_LOG = "_delta_log"
_HINT = "_last_checkpoint"
_ENTRY = re.compile(r"\d{20}\.json")
_CHECKPOINT = re.compile(r"\d{20}\.checkpoint\.parquet")
_OURS = "mart"  # the key of our metadata in an entry, beside Delta's own

# The log is kept for ever: a checkpoint would else delete the entries of versions that are still published.
# A checkpoint every 10 commits keeps opening a table at some milliseconds. It leaves out the files that are
# gone, which would be more with every commit: they serve Delta's own vacuum, which is not to be run here.
_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": "10",
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
}


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
        newest = _newest(log_folder)
        return None if newest is None else _read(_entry(log_folder, newest)) or _mended(log_folder)

    def commits(self, path: str, after: int) -> list[Commit]:
        """Return commits as the port says, from the entries of the log: the table is not opened.

        Raises UserError, naming the entry, when one is damaged that is not the last.
        """
        head, log_folder = self.head(path), self._folder(path) / _LOG
        if head is None or head.number <= after:
            return []
        before = (_entry(log_folder, number) for number in range(after + 1, head.number))
        return [*(_read(entry) or _damaged(entry) for entry in before), head]

    def commit(
        self,
        path: str,
        columns: Mapping[str, str],
        files: Sequence[DataFile],
        *,
        base: int | None,
        append: bool,
        metadata: Mapping[str, str],
        changes_data: bool = True,
    ) -> int:
        """Commit as the port says; what stays in the table is neither read nor synced again.

        Raises ValueError for columns that are not those of the table, UserError when the disk is full or may
        not be written.
        """
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
        with _refusals_as_sentences(folder):
            _sync_files(self._data.lake, folder, new)
            adds, removes = _adds(folder, new, changes_data), _removes(gone, changes_data)
            return _commit(folder, table, schema, [*adds, *removes], dict(metadata))

    def files(self, path: str, number: int) -> tuple[str, ...]:
        folder = self._folder(path)
        names = sorted(_sizes(_opened(folder, number)))  # file_uris() would quote the folder's name
        return tuple(self._data.relative(folder / name) for name in names)

    def present(self, path: str) -> dict[str, int]:
        """Return data files as the port says. Raises UserError when the folder cannot be read."""
        found = _data_files(self._folder(path))
        return {self._data.relative(file): size for file, size in found}

    def delete(self, files: Iterable[str]) -> None:
        """Delete data files as the port says.

        Raises ValueError for a path that is not one of a data file of the lake, UserError when it may not be
        deleted.
        """
        for file in files:
            place = self._data.absolute(file)
            if not place.is_relative_to(self._data.lake) or {_LOG, ".."} & set(place.parts):
                raise ValueError(f"{file} is not a data file of the lake")
            with _refusals_as_sentences(place.parent):
                place.unlink(missing_ok=True)

    def _folder(self, path: str) -> Path:
        return self._data.lake / path

    def _in_table(self, path: str, file: DataFile) -> str:
        return self._data.absolute(file.path).relative_to(self._folder(path)).as_posix()


def _data_files(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files below a table's folder with their bytes, those of the log left out."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            with suppress(FileNotFoundError):  # deleted meanwhile
                yield Path(entry), entry.stat(follow_symlinks=False).st_size
        elif entry.name != _LOG:
            yield from _data_files(Path(entry))


# Reading the log


def _entry(log_folder: Path, number: int) -> Path:
    return log_folder / f"{number:020}.json"


def _newest(log_folder: Path) -> int | None:
    """Return the number of the last entry: the first after a checkpoint that has none behind it."""
    number = _checkpointed(log_folder)
    if number is None or not _entry(log_folder, number).exists():
        return max(_numbers(log_folder, _ENTRY), default=None)
    while _entry(log_folder, number + 1).exists():
        number += 1
    return number


def _checkpointed(log_folder: Path) -> int | None:
    """Return which entry the last checkpoint stands for; None when there is none, or the hint is torn."""
    try:
        return int(json.loads((log_folder / _HINT).read_bytes())["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _numbers(log_folder: Path, kind: re.Pattern[str]) -> list[int]:
    """Return the numbers of a log's entries or checkpoints, smallest first."""
    try:
        with os.scandir(log_folder) as found:
            return sorted(int(file.name[:20]) for file in found if kind.fullmatch(file.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(log_folder, error) from error


def _read(entry: Path) -> Commit | None:
    """Return the commit of an entry, or None when it is torn: it has holes, ends early or lacks actions.

    Only the lines that can tell are parsed, for an entry has one for each file that it adds.
    """
    try:
        text = entry.read_bytes()
    except OSError as error:
        raise _unreadable(entry, error) from error
    lines = text.splitlines()
    try:
        if b"\0" in text or not isinstance(json.loads(lines[-1]), dict):
            return None
        told = (json.loads(line) for line in lines if b'"commitInfo"' in line)
        info: Any = next((action["commitInfo"] for action in told if "commitInfo" in action), {})
    except (ValueError, LookupError, TypeError):
        return None
    ours = info.get(_OURS, {})
    if len(lines) <= ours.get("actions", 0):
        return None
    return Commit(number=int(entry.stem), metadata=ours.get("metadata", {}))


def _unreadable(place: Path, error: OSError) -> UserError:
    return UserError(f"{place} cannot be read: {error.strerror}.")


def _damaged(entry: Path) -> NoReturn:
    raise UserError(
        f"{entry} is damaged, and so is the entry after it or what was built on it. Put the folder of this "
        "table back from a backup, or remove it to have the table built anew."
    )


def _mended(log_folder: Path) -> Commit | None:
    """Move a torn last entry aside, and return the commit before it; one process at a time."""
    with _locked(log_folder):
        *before, last = (_entry(log_folder, number) for number in _numbers(log_folder, _ENTRY))
        if (newest := _read(last)) is not None:
            return newest  # somebody mended it while we waited, and went on
        if before and _read(before[-1]) is None:
            _damaged(before[-1])
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
        _forget_checkpoint(entry.parent, int(entry.stem))  # else the next entry of this number would have it
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
        if _entry(folder / _LOG, number).exists() and (table := _opened_by_entries(folder, number)):
            return table
        raise UserError(
            f"Version {number} of {folder} cannot be read: {_first_line(error)}. See whether its log, "
            f"{folder / _LOG}, is whole."
        ) from error


def _opened_by_entries(folder: Path, number: int) -> DeltaTable | None:
    """Open a table whose last checkpoint a loss of power left torn, after deleting it.

    A checkpoint is a shortcut: all that it says stands in the entries too, and the next one is not far.
    """
    with _refusals_as_sentences(folder), _locked(folder / _LOG):
        checkpoints = [found for found in _numbers(folder / _LOG, _CHECKPOINT) if found <= number]
        _forget_checkpoint(folder / _LOG, max(checkpoints, default=number))
    log.warning("%s: its last checkpoint was torn, and is left out", folder)
    try:
        return DeltaTable(folder, version=number)
    except DeltaError:
        return None


def _forget_checkpoint(log_folder: Path, number: int) -> None:
    for name in (_HINT, f"{number:020}.checkpoint.parquet"):
        (log_folder / name).unlink(missing_ok=True)


def _sizes(table: DeltaTable) -> dict[str, int]:
    """Return the files of a version, relative to the table, and their bytes."""
    added = table.get_add_actions()
    names, sizes = (added.column(name).to_pylist() for name in ("path", "size_bytes"))
    return {unquote(str(name)): int(size) for name, size in zip(names, sizes, strict=True)}


# Writing


@contextmanager
def _refusals_as_sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        if sentence := disk.refused(error, folder):
            raise sentence from error
        raise


def _commit(
    folder: Path,
    table: DeltaTable | None,
    schema: Schema,
    actions: Sequence[AddAction | RemoveAction],
    metadata: Mapping[str, str],
) -> int:
    """Write the next entry by compare-and-swap, and return its number when it is on the disk."""
    number, commit_id = 0 if table is None else table.version() + 1, uuid4().hex
    ours = {"id": commit_id, "actions": len(actions), "metadata": metadata}
    properties = CommitProperties(custom_metadata={_OURS: ours}, max_commit_retries=0)
    try:
        if table is None:
            _create(folder, schema, actions, properties)
        else:
            _change(table, schema, actions, properties)
    except (DeltaError, OSError) as error:
        _settle(_entry(folder / _LOG, number), commit_id, error)
    _sync_log(folder / _LOG, number)
    return number


def _create(
    folder: Path,
    schema: Schema,
    actions: Sequence[AddAction | RemoveAction],
    properties: CommitProperties,
) -> None:
    create_table_with_add_actions(
        str(folder),
        schema,
        [action for action in actions if isinstance(action, AddAction)],
        mode="error",
        configuration=_CONFIGURATION,
        commit_properties=properties,
    )


def _change(
    table: DeltaTable,
    schema: Schema,
    actions: Sequence[AddAction | RemoveAction],
    properties: CommitProperties,
) -> None:
    # To "append" actions is to make exactly this change, removals too.
    table.create_write_transaction(list(actions), mode="append", schema=schema, commit_properties=properties)


def _settle(entry: Path, commit_id: str, error: DeltaError | OSError) -> None:
    """Find out what a failed call left as the entry: our commit, somebody else's, or none.

    What follows a commit, the checkpoint, may fail when the commit itself is done.
    """
    if not entry.exists():
        raise error
    if commit_id not in entry.read_text(encoding="utf-8"):
        raise CommitConflict(f"somebody else committed {entry} in the meantime") from error
    log.warning("%s is committed, but what follows a commit failed: %s", entry, _first_line(error))


def _adds(folder: Path, files: Mapping[str, DataFile], changes_data: bool) -> list[AddAction]:
    return [
        AddAction(
            path=name,
            size=file.bytes,
            partition_values={},
            modification_time=(folder / name).stat().st_mtime_ns // 1_000_000,
            data_change=changes_data,
            stats=file.stats or json.dumps({"numRecords": file.rows}),
        )
        for name, file in files.items()
    ]


def _removes(files: Mapping[str, int], changes_data: bool) -> list[RemoveAction]:
    now = time.time_ns() // 1_000_000
    return [
        RemoveAction(name, changes_data, now, size=size, partition_values={}) for name, size in files.items()
    ]


# To the disk: neither the engine nor delta-rs syncs


def _sync_files(lake: Path, folder: Path, names: Iterable[str]) -> None:
    """Make files durable, and the folders from theirs up to the lake's, so that a path leads to them."""
    files = [folder / name for name in names]
    folders = {parent for file in files for parent in file.parents if parent.is_relative_to(lake)}
    for path in (*files, *sorted(folders, reverse=True)):
        sync(path)


def _sync_log(log_folder: Path, number: int) -> None:
    """Make the entry ``number`` durable, and the checkpoint that may have been made after it."""
    names = (f"{number:020}.json", f"{number:020}.checkpoint.parquet", _HINT)
    for path in (*(log_folder / name for name in names), log_folder):
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
