"""Random rows, on which a model is built whole and by interval: what was shown must hold there too."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from mart_platform.planning.describing import EmptyTables
from mart_platform.planning.incremental.random_rows import Words, random_rows, values
from mart_platform.planning.plan import Binding, Lookup
from mart_platform.planning.queries import Schemas
from mart_platform.planning.quoting import digest_sql, identifier, literal, quoted
from mart_platform.spec.tables import Grain

Run = Callable[[str], list[Any]]
Content = Mapping[str, tuple[int, int]]
"""The number of rows and their hash in each interval, by its key."""

_ENOUGH = 3
"""A lookup is not taken for confirmed by a trial of fewer intervals."""
_MOST_CROWDED = 4
"""The join of more inputs than this would grow without bounds where they have few values."""
_CHANGED = "rowid % 30 = 1"
_ROOM = identifier("random rows")


class CannotTry(Exception):
    """The model raises an error on every kind of random rows that were tried."""


@dataclass(frozen=True)
class Trial:
    """A model to be tried.

    ``interval`` is SQL over its output ``columns`` (names with DuckDB types), ``interval_type`` the type of
    it, ``grain`` that of its dates; ``keys`` are those that the inputs declare, and ``landed`` tells which of
    them a source delivers.
    """

    sql: str
    tree: exp.Query
    columns: Mapping[str, str]
    interval: str
    interval_type: str
    grain: Grain
    schemas: Schemas
    keys: Mapping[str, tuple[str, ...]]
    landed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Failed:
    """The inputs by which the model gave other rows interval by interval than as a whole.

    ``unsteady`` says that it gives other rows already where its inputs are read in another order.
    """

    bindings: frozenset[str]
    lookups: frozenset[str]
    unsteady: bool = False


def failures(
    trial: Trial, bindings: Mapping[str, Binding], lookups: Mapping[str, Lookup], empty: EmptyTables
) -> Failed:
    """Return which bindings and lookups of a model do not hold on random rows. Raises CannotTry."""
    complaint = ""
    for words in Words:
        try:
            return _tried(trial, bindings, lookups, words, empty)
        except duckdb.Error as error:
            complaint = str(error).partition("\n")[0]
    raise CannotTry(complaint)


def _tried(
    trial: Trial,
    bindings: Mapping[str, Binding],
    lookups: Mapping[str, Lookup],
    words: Words,
    empty: EmptyTables,
) -> Failed:
    """Return what fails on rows that hardly meet twice or, where too few meet at all, on crowded ones."""
    with empty.trial() as run:
        room = _Room(trial, bindings, words, run, crowded=False)
        if len(room.whole) >= _ENOUGH or len(trial.schemas) > _MOST_CROWDED:
            return room.failures(lookups)
    with empty.trial() as run:
        return _Room(trial, bindings, words, run, crowded=True).failures(lookups)


class _Room:
    """A database with random rows in the place of a model's inputs."""

    def __init__(
        self, trial: Trial, bindings: Mapping[str, Binding], words: Words, run: Run, *, crowded: bool
    ) -> None:
        self.trial, self.bindings, self.run, self.crowded = trial, bindings, run, crowded
        self._shown: dict[str, str] = {}
        run(f"CREATE SCHEMA {_ROOM}")
        for statement in values(
            trial.tree, trial.grain, words, 4 if crowded else self._unbound_rows(), crowded=crowded
        ):
            run(statement)
        for schema in {name.split(".")[0] for name in trial.schemas}:
            run(f"CREATE SCHEMA {identifier(schema)}")
        for seed, name in enumerate(trial.schemas):
            self._store(name, name, seed)
        self._keep(())
        self._show({})
        self.whole = self._content()

    def failures(self, lookups: Mapping[str, Lookup]) -> Failed:
        wrong = self._wrong_bindings()
        held = {name: lookup for name, lookup in lookups.items() if lookup.fact not in wrong}
        stale = (lookups.keys() - held.keys()) | self._wrong_lookups(held)
        return Failed(frozenset(wrong), frozenset(stale), bool(wrong) and self._is_unsteady())

    def _wrong_bindings(self) -> Set[str]:
        if self._holds(self.bindings):
            return frozenset()
        alone = {name for name, binding in self.bindings.items() if not self._holds({name: binding})}
        rest = {name: binding for name, binding in self.bindings.items() if name not in alone}
        return alone if self._holds(rest) else self.bindings.keys()

    def _wrong_lookups(self, lookups: Mapping[str, Lookup]) -> Set[str]:
        if not lookups:
            return frozenset()
        for seed, name in enumerate(lookups):
            self._store(f"{name} later", name, 1000 + seed)
        if len(self.whole) < _ENOUGH:
            return lookups.keys()
        if self._finds_all_that_change(lookups):
            return frozenset()
        return {name for name, lookup in lookups.items() if not self._finds_all_that_change({name: lookup})}

    def _holds(self, bindings: Mapping[str, Binding]) -> bool:
        """Return whether intervals built from what the bindings let through are those of the whole."""
        self._show({name: _restricted(name, binding) for name, binding in bindings.items()})
        for keys in _some_of(sorted(self.whole)):
            self._keep(keys)
            part = self._content()
            if any(part.get(key) != self.whole[key] for key in keys):
                return False
        return True

    def _finds_all_that_change(self, lookups: Mapping[str, Lookup]) -> bool:
        """Return whether all intervals change that hold a key of a changed row of a lookup, and no others."""
        self._show({name: _changed(name) for name in lookups})
        after = self._content()
        differ = {key for key in after.keys() | self.whole.keys() if after.get(key) != self.whole.get(key)}
        return differ <= {key for name, lookup in lookups.items() for key in self._touched(name, lookup)}

    def _touched(self, name: str, lookup: Lookup) -> list[str]:
        """Return the intervals of the rows that hold a key of a changed row of a lookup."""
        joined = " AND ".join(
            f"fact.{identifier(ours)} = changed.{identifier(own)}" for ours, own in lookup.on
        )
        before, later = _stored(name), _stored(f"{name} later")
        rows = self.run(
            f"SELECT DISTINCT ({self.bindings[lookup.fact].expression})::VARCHAR "
            f"FROM {_stored(lookup.fact)} AS fact SEMI JOIN (SELECT * FROM {before} WHERE {_CHANGED} "
            f"UNION ALL SELECT * FROM {later} WHERE {_CHANGED}) AS changed ON {joined}"
        )
        return [key for (key,) in rows]

    def _is_unsteady(self) -> bool:
        """Return whether the model gives other rows where its inputs are read backwards."""
        self._show({name: f"FROM {_stored(name)} ORDER BY rowid DESC" for name in self.trial.schemas})
        return self._content() != self.whole

    def _store(self, stored: str, name: str, seed: int) -> None:
        made = random_rows(self.trial.schemas[name], self._key_of(name), self._rows_of(name), seed)
        self.run(f"CREATE TABLE {_stored(stored)} AS {made}")

    def _key_of(self, name: str) -> tuple[str, ...]:
        """Return what no two rows share; a bound input may be landed more than once, with corrections."""
        is_changes = name in self.bindings and name in self.trial.landed
        return () if is_changes else self.trial.keys.get(name, ())

    def _rows_of(self, name: str) -> int:
        """Return how many rows an input has: fewer of many, so that their join does not grow too large."""
        if name in self.bindings:
            return min(160, max(40, 320 // len(self.bindings)))
        return 8 if self.crowded and not self.trial.keys.get(name) else self._unbound_rows()

    def _unbound_rows(self) -> int:
        unbound = len(self.trial.schemas) - len(self.bindings)
        return min(40, max(8, 120 // (unbound or 1)))

    def _show(self, inputs: Mapping[str, str]) -> None:
        """Show the model some inputs as a query gives them, and all rows of the others."""
        for name in self.trial.schemas:
            query = inputs.get(name, f"FROM {_stored(name)}")
            if self._shown.get(name) != query:
                self.run(f"CREATE OR REPLACE VIEW {quoted(name)} AS {query}")
                self._shown[name] = query

    def _keep(self, keys: Iterable[str]) -> None:
        listed = ", ".join(literal(key) for key in keys)
        self.run(f"SET VARIABLE kept = [{listed}]::{self.trial.interval_type}[]")

    def _content(self) -> Content:
        # Sums of floating-point numbers differ in their last digits, whatever the intervals are.
        inexact = [identifier(n) for n, kind in self.trial.columns.items() if kind in ("DOUBLE", "FLOAT")]
        rounded = ", ".join(f"format('{{:.6g}}', {name}) AS {name}" for name in inexact)
        replaced = f" REPLACE ({rounded})" if inexact else ""
        content = self.run(
            f"SELECT ({self.trial.interval})::VARCHAR AS key, count(*), {digest_sql(self.trial.columns)} "
            f"FROM (SELECT *{replaced} FROM (\n{self.trial.sql}\n)) AS made GROUP BY ALL"
        )
        return {key: (rows, hashed) for key, rows, hashed in content if key is not None}


def _stored(name: str) -> str:
    """Return the table that holds the rows of an input, which the model sees as a view."""
    return f"{_ROOM}.{identifier(name)}"


def _restricted(name: str, binding: Binding) -> str:
    return f"FROM {_stored(name)} WHERE list_contains(getvariable('kept'), {binding.expression})"


def _changed(name: str) -> str:
    before, later = _stored(name), _stored(f"{name} later")
    return f"FROM {before} WHERE NOT {_CHANGED} UNION ALL FROM {later} WHERE {_CHANGED}"


def _some_of(keys: Sequence[str]) -> list[Sequence[str]]:
    """Return some sets of intervals: one from the middle, and every second."""
    return [keys[len(keys) // 2 :][:1], keys[::2]] if keys else []
