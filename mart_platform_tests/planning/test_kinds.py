"""The SELECT of the kinds upsert and scd2, against the same rules written down in Python."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.planning.kinds import wrapped
from mart_platform.spec.tables import Contract

COLUMNS = {"id": "INTEGER", "at": "INTEGER", "name": "VARCHAR", "seen": "INTEGER", "gone": "BOOLEAN"}
UPSERT = Contract(table="m.t", description="", kind="upsert", key=("id",), order_by="at", deleted="gone")
SCD2 = Contract(table="m.t", description="", kind="scd2", key=("id",), order_by="at", deleted="gone")


@dataclass(frozen=True)
class Change:
    id: int | None
    at: int | None
    name: str | None
    seen: int | None
    gone: bool | None


changes = st.builds(
    Change,
    id=st.sampled_from([1, 2, None]),
    at=st.sampled_from([None, 1, 2, 3, 4]),
    name=st.sampled_from([None, "a", "b"]),
    seen=st.sampled_from([None, 1, 2]),
    gone=st.sampled_from([None, False, True]),
)


def rank(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def total_order(change: Change) -> tuple[Any, ...]:
    name = (change.name is not None, change.name or "")
    return (rank(change.at), rank(change.gone), name, rank(change.seen))


def of_each_key(changes: Iterable[Change]) -> Iterable[list[Change]]:
    by_key: dict[int | None, list[Change]] = {}
    for change in changes:
        by_key.setdefault(change.id, []).append(change)
    return (sorted(found, key=total_order) for found in by_key.values())


def is_visible(change: Change) -> bool:
    return change.gone is not True or change.id is None


def last_of_each_key(changes: Iterable[Change]) -> list[tuple[Any, ...]]:
    last = (found[-1] for found in of_each_key(changes))
    return [(c.id, c.at, c.name, c.seen) for c in last if is_visible(c)]


def what_was_valid_when(changes: Iterable[Change], tracked: tuple[str, ...]) -> list[tuple[Any, ...]]:
    def told(change: Change) -> tuple[Any, ...]:
        return (change.gone is True, *(getattr(change, name) for name in tracked))

    rows = []
    for found in of_each_key(changes):
        states = [list(same)[-1] for _, same in itertools.groupby(found, key=lambda change: change.at)]
        turns = [states[0], *(now for was, now in itertools.pairwise(states) if told(was) != told(now))]
        ends = [turn.at for turn in turns[1:]] + [None]
        rows += [
            (t.id, t.at, end, t.name, t.seen) for t, end in zip(turns, ends, strict=True) if is_visible(t)
        ]
    return rows


ENGINE = duckdb.connect(config={"threads": 1})


def answer(contract: Contract, changes: list[Change]) -> list[tuple[Any, ...]]:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection = ENGINE.cursor()
    connection.execute(f"CREATE OR REPLACE TEMP TABLE arrived ({columns})")
    if changes:
        rows = [(c.id, c.at, c.name, c.seen, c.gone) for c in changes]
        connection.executemany("INSERT INTO arrived VALUES (?, ?, ?, ?, ?)", rows)
    return connection.execute(wrapped("SELECT * FROM arrived -- all", contract, COLUMNS)).fetchall()


def in_order(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    return sorted(map(repr, rows))


@settings(deadline=None)
@given(st.lists(changes, max_size=12))
def test_an_upsert_holds_the_last_change_of_each_key(changes: list[Change]) -> None:
    assert in_order(answer(UPSERT, changes)) == in_order(last_of_each_key(changes))


@settings(deadline=None)
@given(st.lists(changes, max_size=12))
def test_a_history_holds_what_was_valid_when(changes: list[Change]) -> None:
    assert in_order(answer(SCD2, changes)) == in_order(what_was_valid_when(changes, ("name", "seen")))


@settings(deadline=None)
@given(st.lists(changes, max_size=12))
def test_a_history_begins_a_row_only_where_a_tracked_column_changes(changes: list[Change]) -> None:
    contract = SCD2.model_copy(update={"tracked": ("name",)})
    assert in_order(answer(contract, changes)) == in_order(what_was_valid_when(changes, ("name",)))


@settings(deadline=None)
@given(st.lists(changes, max_size=12).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_arrival_changes_nothing(orders: tuple[list[Change], list[Change]]) -> None:
    for contract in (UPSERT, SCD2):
        first, second = (answer(contract, rows) for rows in orders)
        assert in_order(first) == in_order(second)


@settings(deadline=None)
@given(st.lists(changes, max_size=8))
def test_a_change_that_arrives_twice_changes_nothing(changes: list[Change]) -> None:
    for contract in (UPSERT, SCD2):
        assert in_order(answer(contract, changes)) == in_order(answer(contract, changes + changes))


def test_a_deletion_closes_what_was_valid_and_a_new_change_begins_again() -> None:
    changes = [Change(1, 1, "a", 0, False), Change(1, 5, "a", 0, True), Change(1, 8, "a", 0, False)]
    assert in_order(answer(SCD2, changes)) == in_order([(1, 1, 5, "a", 0), (1, 8, None, "a", 0)])


def test_a_change_without_key_stays_in_sight_also_when_it_deletes() -> None:
    assert answer(UPSERT, [Change(None, 1, "a", 0, True)]) == [(None, 1, "a", 0)]


def test_the_text_reads_as_a_person_would_write_it() -> None:
    contract = SCD2.model_copy(update={"key": ("id",), "tracked": ("name",)})
    assert (
        wrapped("SELECT * FROM shop.changes", contract, COLUMNS)
        == """\
WITH change AS (
SELECT * FROM shop.changes
),

state AS (
    SELECT *
    FROM change
    QUALIFY row_number() OVER (
        PARTITION BY "id", "at"
        ORDER BY "at" DESC NULLS LAST, "gone" DESC NULLS LAST, "name" DESC NULLS LAST, "seen" DESC NULLS LAST
    ) = 1
),

turn AS (
    SELECT *
    FROM state
    QUALIFY row("gone" IS TRUE, "name") IS DISTINCT FROM lag(row("gone" IS TRUE, "name")) OVER (
        PARTITION BY "id" ORDER BY "at" NULLS FIRST
    )
),

validity AS (
    SELECT *, lead("at") OVER (PARTITION BY "id" ORDER BY "at" NULLS FIRST) AS valid_to
    FROM turn
)

SELECT "id", "at" AS valid_from, valid_to, "name", "seen"
FROM validity
WHERE "gone" IS NOT TRUE OR "id" IS NULL"""
    )


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_a_model_of_another_kind_is_run_as_it_stands(kind: str) -> None:
    partition = {"partition": {"column": "at"}} if kind == "incremental" else {}
    contract = Contract.model_validate({"table": "m.t", "description": "", "kind": kind, **partition})
    assert wrapped("SELECT 1", contract, {"at": "DATE"}) == "SELECT 1"
