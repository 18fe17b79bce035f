"""Comparing: what differs between two versions of a table, of which only the intervals that differ are read.

Rows are the same row when they have the same key. A table without a key, or whose key is not unique in both
versions, has rows that came and rows that went; as often as a row is there more, so often it came.
"""

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import uuid4

from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import EngineSession, Platform, Relation
from mart_platform.spec.records import ALL, DataFile, Version, same_rows
from mart_platform.spec.types import duckdb_type

BEFORE, AFTER = "compared.before", "compared.after"
ROWS_AT_ONCE = 2_000_000
"""So many rows of both versions are compared in one piece; between two pieces the budget is looked at."""

# No column is called so.
_THERE, _SIGN, _TIMES, _WHAT = map(quoted, ("is there", "which side", "times more", "what happened"))
_EXAMPLES = 3
_LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Side:
    """A version, and that version as the engine sees it."""

    version: Version
    relation: Relation


@dataclass(frozen=True)
class Shape:
    """How rows are told to be the same: by ``key``, which may be empty, over the columns that both have.

    ``columns`` maps these to the types of the later version; values of the earlier one are cast to them where
    they are ``retyped``. Values of ``hidden`` columns are compared, but ``mask`` is shown in their place.
    """

    key: tuple[str, ...]
    columns: Mapping[str, str]
    retyped: frozenset[str]
    hidden: frozenset[str]
    mask: str

    @property
    def values(self) -> list[str]:
        """The columns that are not of the key."""
        return [column for column in self.columns if column not in self.key]


@dataclass(frozen=True)
class Example:
    """A row that came, went or changed; all values as text.

    ``row`` has its key, or without a key the whole of it; ``values`` the columns that changed, before and
    after.
    """

    what: Literal["added", "removed", "changed"]
    row: dict[str, str | None]
    values: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnDifference:
    """A column that came (``before`` is None), went (``after`` is None), was retyped, or has other values."""

    column: str
    before: str | None
    after: str | None
    changed: int = 0


@dataclass(frozen=True)
class TableDifference:
    """What differs between two versions of a table; rows are counted by ``key``, or without one as wholes.

    ``compared`` counts the intervals that were read, ``equal`` those that were not, because their contents
    are the same; ``left`` are those that the budget did not allow for, so that the counts are too small. A
    table that is there in one version ``only`` is not compared.
    """

    table: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: tuple[ColumnDifference, ...] = ()
    examples: tuple[Example, ...] = ()
    key: tuple[str, ...] = ()
    compared: int = 0
    equal: int = 0
    left: tuple[str, ...] = ()
    only: Literal["before", "after"] | None = None

    @property
    def differs(self) -> bool:
        return bool(self.rows or self.columns or self.only)

    @property
    def rows(self) -> int:
        return self.added + self.removed + self.changed


class Budget:
    """How many differences are looked for, and for how many seconds; None stands for no bound."""

    def __init__(
        self,
        differences: int | None = None,
        seconds: float | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._differences, self._seconds, self._ticks = differences, seconds, ticks
        self._began, self._found = ticks(), 0

    def found(self, differences: int) -> None:
        self._found += differences

    @property
    def spent(self) -> str | None:
        """What was used up, in words; None while there is some left."""
        if self._differences is not None and self._found >= self._differences:
            return f"{self._differences:,} differences were found"
        if self._seconds is not None and self._ticks() - self._began >= self._seconds:
            return f"{self._seconds:g} s were over"
        return None


def compare_table(
    platform: Platform,
    before: Side,
    after: Side,
    *,
    key: Sequence[str],
    hidden: Collection[str],
    mask: str,
    budget: Budget,
    rows_at_once: int = ROWS_AT_ONCE,
) -> TableDifference:
    """Return what differs between two versions of a table, as far as the budget allows.

    Rows are matched by ``key`` where both versions have its columns. Nothing is read where the contents are
    the same; of a table in intervals only those are read whose contents differ. Values of ``hidden`` columns
    are shown as ``mask``.
    """
    pieces, equal = _pieces(platform, before, after, rows_at_once)
    shape = _shape_of(before.version, after.version, key, frozenset(hidden), mask)
    counts, examples, compared = _Counts(), list[Example](), 0
    if not shape.columns:
        pieces, counts = [], _Counts(added=after.version.rows, removed=before.version.rows)
    if pieces and not budget.spent:
        with platform.engine.session([]) as session:
            try:
                comparison = _Comparison(platform, session, shape, budget)
                counts, examples, compared = comparison.of(pieces)
            except _KeyNotUniqueError:
                shape = replace(shape, key=())
                comparison = _Comparison(platform, session, shape, budget)
                counts, examples, compared = comparison.of(pieces)
    return TableDifference(
        table=after.version.table,
        added=counts.added,
        removed=counts.removed,
        changed=counts.changed,
        columns=tuple(_columns(before.version, after.version, counts.columns)),
        examples=tuple(examples),
        key=shape.key,
        compared=sum(len(piece.intervals) for piece in pieces[:compared]),
        equal=equal,
        left=tuple(interval for piece in pieces[compared:] for interval in piece.intervals),
    )


@dataclass(frozen=True)
class _Piece:
    """What is compared at once: the rows of some intervals, as relations called BEFORE and AFTER."""

    intervals: tuple[str, ...]
    before: Relation
    after: Relation


@dataclass
class _Counts:
    """Rows that came, went and changed, and how often each column did."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.added + self.removed + self.changed

    def add(self, other: "_Counts") -> None:
        self.added += other.added
        self.removed += other.removed
        self.changed += other.changed
        for column, count in other.columns.items():
            self.columns[column] = self.columns.get(column, 0) + count


class _KeyNotUniqueError(Exception):
    """The key leads to more than one row, so that nobody can say which of them became which."""


class _Comparison:
    """Compares the pieces of a table one after the other.

    A row that moved to another interval is gone from one piece and new in another. Where there are several
    pieces, the rows without a partner are kept therefore, and compared with each other at the end.
    """

    def __init__(self, platform: Platform, session: EngineSession, shape: Shape, budget: Budget) -> None:
        self._platform, self._session, self._shape, self._budget = platform, session, shape, budget
        self._folder = platform.data.temporary / f"comparing-{uuid4().hex}"
        self._gone: list[DataFile] = []
        self._new: list[DataFile] = []
        self._examples: list[Example] = []

    def of(self, pieces: Sequence[_Piece]) -> tuple[_Counts, list[Example], int]:
        """Return the differences, some examples, and how many pieces were compared.

        Raises _KeyNotUniqueError.
        """
        counts, compared = _Counts(), 0
        try:
            for piece in pieces:
                if self._budget.spent:
                    break
                counts.add(self._compared(piece, keep=len(pieces) > 1))
                compared += 1
            if self._gone and self._new:
                self._match_moved(counts)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return counts, self._examples, compared

    def _compared(self, piece: _Piece, *, keep: bool) -> _Counts:
        """Count the differences of a piece; ``keep`` the rows that have no partner in it."""
        counts = self._counted(piece.before, piece.after, self._shape)
        self._budget.found(counts.rows)
        if keep and counts.removed:
            self._gone += self._written(_without_partner(self._shape, BEFORE, AFTER))
        if keep and counts.added:
            self._new += self._written(_without_partner(self._shape, AFTER, BEFORE))
        return counts

    def _match_moved(self, counts: _Counts) -> None:
        """Count the rows that are gone from one piece and new in another as what they are."""
        counts.added = counts.removed = 0
        self._examples = [example for example in self._examples if example.what == "changed"]
        gone, new = self._kept(BEFORE, self._gone), self._kept(AFTER, self._new)
        counts.add(self._counted(gone, new, replace(self._shape, retyped=frozenset())))

    def _counted(self, before: Relation, after: Relation, shape: Shape) -> _Counts:
        self._session.define(before)
        self._session.define(after)
        counts = self._count_by_key(shape) if shape.key else self._count_wholes(shape)
        if counts.rows and len(self._examples) < _EXAMPLES:
            sql = _examples_by_key(shape) if shape.key else _examples_of_wholes(shape)
            self._examples += [_example(shape, list(row.values())) for row in self._session.rows(sql)]
        return counts

    def _count_by_key(self, shape: Shape) -> _Counts:
        [row] = self._session.rows(_count_by_key(shape))
        before, after, only_before, only_after, both, changed, *columns = row.values()
        if (only_before + both, only_after + both) != (before, after):
            raise _KeyNotUniqueError
        named = {column: count for column, count in zip(shape.values, columns, strict=True) if count}
        return _Counts(only_after, only_before, changed, named)

    def _count_wholes(self, shape: Shape) -> _Counts:
        [row] = self._session.rows(
            f"SELECT coalesce(sum(greatest({_TIMES}, 0)), 0)::BIGINT AS added,"
            f" coalesce(sum(greatest(-{_TIMES}, 0)), 0)::BIGINT AS removed FROM ({_differing_wholes(shape)})"
        )
        return _Counts(row["added"], row["removed"])

    def _written(self, sql: str) -> tuple[DataFile, ...]:
        return self._session.write(sql, self._shape.columns, self._folder)

    def _kept(self, name: str, files: Sequence[DataFile]) -> Relation:
        paths = tuple(self._platform.data.absolute(file.path) for file in files)
        return Relation(name, self._shape.columns, paths)


def _pieces(platform: Platform, before: Side, after: Side, rows_at_once: int) -> tuple[list[_Piece], int]:
    """Return what has to be compared, in the order of the intervals, and how many of these are equal."""
    old, new = before.version, after.version
    same_columns = list(old.columns.items()) == list(new.columns.items())
    if same_columns and old.content == new.content:
        return [], len(new.intervals)
    if not (_is_cut(old) and _is_cut(new)):
        whole = _Piece((ALL,), replace(before.relation, name=BEFORE), replace(after.relation, name=AFTER))
        return [whole], 0

    def part(name: str, version: Version, intervals: Collection[str]) -> Relation:
        files = version.files_of(intervals)
        return Relation(name, version.columns, tuple(platform.data.absolute(file.path) for file in files))

    intervals = sorted(old.intervals.keys() | new.intervals.keys())
    before_and_after = {key: (old.intervals.get(key), new.intervals.get(key)) for key in intervals}
    differing = [key for key in intervals if not (same_columns and same_rows(*before_and_after[key]))]
    groups = _groups(differing, lambda key: _rows(old, key) + _rows(new, key), rows_at_once)
    pieces = [_Piece(group, part(BEFORE, old, group), part(AFTER, new, group)) for group in groups]
    return pieces, len(intervals) - len(differing)


def _is_cut(version: Version) -> bool:
    """Return whether each file of a version holds the rows of exactly one of its intervals."""
    if version.view or ALL in version.intervals:
        return False
    return all(len(file.intervals) == 1 for file in version.files)


def _rows(version: Version, key: str) -> int:
    interval = version.intervals.get(key)
    return interval.rows if interval else 0


def _groups(keys: Sequence[str], rows: Callable[[str], int], rows_at_once: int) -> Iterator[tuple[str, ...]]:
    """Yield the keys in groups of not more than so many rows, where a single one has not more."""
    group: list[str] = []
    size = 0
    for key in keys:
        if group and size + rows(key) > rows_at_once:
            yield tuple(group)
            group, size = [], 0
        group.append(key)
        size += rows(key)
    if group:
        yield tuple(group)


def _shape_of(
    before: Version, after: Version, key: Sequence[str], hidden: frozenset[str], mask: str
) -> Shape:
    shared = {name: kind for name, kind in after.columns.items() if name in before.columns}
    retyped = frozenset(name for name, kind in shared.items() if before.columns[name] != kind)
    return Shape(tuple(key) if shared.keys() >= set(key) else (), shared, retyped, hidden, mask)


def _columns(before: Version, after: Version, changed: Mapping[str, int]) -> Iterator[ColumnDifference]:
    for name in {**before.columns, **after.columns}:
        old, new, count = before.columns.get(name), after.columns.get(name), changed.get(name, 0)
        if old != new or count:
            yield ColumnDifference(name, old, new, count)


def _count_by_key(shape: Shape) -> str:
    """Return a query of one row: rows of each side, without partner, of both, changed, and by column."""
    changed = [_changed(column) for column in shape.values]
    any_changed = " OR ".join(changed) or "false"
    counted = "".join(
        f", count(*) FILTER (WHERE {_BOTH} AND {differs}) AS column_{n}" for n, differs in enumerate(changed)
    )
    return (
        f"SELECT (SELECT count(*) FROM {quoted(BEFORE)}) AS before,"
        f" (SELECT count(*) FROM {quoted(AFTER)}) AS after,"
        f" count(*) FILTER (WHERE {_ONLY_BEFORE}) AS only_before,"
        f" count(*) FILTER (WHERE {_ONLY_AFTER}) AS only_after,"
        f" count(*) FILTER (WHERE {_BOTH}) AS both,"
        f" count(*) FILTER (WHERE {_BOTH} AND ({any_changed})) AS changed{counted}"
        f" FROM {_matched(shape)}"
    )


def _examples_by_key(shape: Shape) -> str:
    """Return a query of some rows of each kind: the kind, the key, then each value before and after.

    A value is followed by whether it changed.
    """
    changed = [_changed(column) for column in shape.values]
    keys = [f"coalesce(old.{quoted(column)}, new.{quoted(column)})" for column in shape.key]
    shown = [
        f"{_text(shape, c, key)} AS key_{n}" for n, (c, key) in enumerate(zip(shape.key, keys, strict=True))
    ]
    for n, (column, differs) in enumerate(zip(shape.values, changed, strict=True)):
        old, new = f"old.{quoted(column)}", f"new.{quoted(column)}"
        shown += [f"{_text(shape, column, old)} AS old_{n}", f"{_text(shape, column, new)} AS new_{n}"]
        shown += [f"{_BOTH} AND {differs} AS changed_{n}"]
    return (
        f"SELECT CASE WHEN {_ONLY_BEFORE} THEN 'removed' WHEN {_ONLY_AFTER} THEN 'added' ELSE 'changed' END"
        f" AS {_WHAT}, {', '.join(shown)} FROM {_matched(shape)}"
        f" WHERE {' OR '.join([_ONLY_BEFORE, _ONLY_AFTER, *changed])}"
        f" QUALIFY row_number() OVER (PARTITION BY {_WHAT} ORDER BY {', '.join(keys)}) <= {_EXAMPLES}"
        f" ORDER BY {_WHAT}, {', '.join(keys)}"
    )


def _examples_of_wholes(shape: Shape) -> str:
    """Return a query of some rows of each kind: the kind, then all values."""
    names = ", ".join(map(quoted, shape.columns))
    shown = "".join(
        f", {_text(shape, column, quoted(column))} AS value_{n}" for n, column in enumerate(shape.columns)
    )
    return (
        f"SELECT if({_TIMES} > 0, 'added', 'removed') AS {_WHAT}{shown} FROM ({_differing_wholes(shape)})"
        f" QUALIFY row_number() OVER (PARTITION BY {_WHAT} ORDER BY {names}) <= {_EXAMPLES}"
        f" ORDER BY {_WHAT}, {names}"
    )


def _example(shape: Shape, row: list[Any]) -> Example:
    what, *values = row
    if not shape.key:
        return Example(what, dict(zip(shape.columns, values, strict=True)))
    keys, pairs = values[: len(shape.key)], values[len(shape.key) :]
    changes = zip(shape.values, pairs[0::3], pairs[1::3], pairs[2::3], strict=True)
    changed = {column: (old, new) for column, old, new, is_changed in changes if is_changed}
    return Example(what, dict(zip(shape.key, keys, strict=True)), changed)


def _differing_wholes(shape: Shape) -> str:
    """Return a query of the rows that one side has more often: so many times, below 0 where it is BEFORE."""
    names = ", ".join(map(quoted, shape.columns))
    return (
        f"SELECT {names}, sum({_SIGN}) AS {_TIMES} FROM ("
        f"SELECT *, 1 AS {_SIGN} FROM {_side(shape, AFTER)}"
        f" UNION ALL SELECT *, -1 AS {_SIGN} FROM {_side(shape, BEFORE)}"
        f") GROUP BY {names} HAVING sum({_SIGN}) <> 0"
    )


def _without_partner(shape: Shape, among: str, others: str) -> str:
    """Return a query of the rows of one side that the other lacks, in the types of the later version."""
    names = ", ".join(map(quoted, shape.columns))
    if not shape.key:
        return (
            f"SELECT {names} FROM {_side(shape, among)} EXCEPT ALL SELECT {names} FROM {_side(shape, others)}"
        )
    return (
        f"SELECT {', '.join(f'old.{quoted(column)}' for column in shape.columns)}"
        f" FROM {_side(shape, among)} AS old ANTI JOIN {_side(shape, others)} AS new ON {_same_key(shape)}"
    )


_BOTH = f"(old.{_THERE} AND new.{_THERE})"
_ONLY_BEFORE = f"(new.{_THERE} IS NULL)"
_ONLY_AFTER = f"(old.{_THERE} IS NULL)"


def _matched(shape: Shape) -> str:
    return f"{_side(shape, BEFORE)} AS old FULL JOIN {_side(shape, AFTER)} AS new ON {_same_key(shape)}"


def _same_key(shape: Shape) -> str:
    return " AND ".join(f"old.{name} IS NOT DISTINCT FROM new.{name}" for name in map(quoted, shape.key))


def _changed(column: str) -> str:
    return f"(old.{quoted(column)} IS DISTINCT FROM new.{quoted(column)})"


def _side(shape: Shape, relation: str) -> str:
    """Return the shared columns of one side, in the types of the later version."""
    selected = [
        f"TRY_CAST({quoted(column)} AS {duckdb_type(kind)}) AS {quoted(column)}"
        if column in shape.retyped and relation == BEFORE
        else quoted(column)
        for column, kind in shape.columns.items()
    ]
    return f"(SELECT true AS {_THERE}, {', '.join(selected)} FROM {quoted(relation)})"


def _text(shape: Shape, column: str, value: str) -> str:
    return literal(shape.mask) if column in shape.hidden else f"left(({value})::VARCHAR, {_LONGEST_SHOWN})"
