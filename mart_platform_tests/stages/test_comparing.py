"""What differs between two versions of a table, and what need not be read to know it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mart_platform.planning.quoting import literal
from mart_platform.ports import Relation
from mart_platform.spec.records import ALL, Interval, Version, content_of, digest_of
from mart_platform.stages.comparing import Budget, Side, TableDifference, compare_table
from mart_platform_tests.stages.small_platform import SmallPlatform

COLUMNS = {"id": "bigint", "day": "date", "amount": "bigint", "email": "string"}
Row = tuple[int, int, int | None, str]
"""Id, day of January, amount, e-mail."""


@pytest.fixture
def platform(tmp_path: Path) -> SmallPlatform:
    return SmallPlatform(tmp_path)


def version_of(
    platform: SmallPlatform, rows: Sequence[Row], columns: Mapping[str, str] = COLUMNS, *, cut: bool = True
) -> Side:
    """Write rows as a version, with an interval for each day or with one for all."""
    values = ", ".join(
        f"({key}, DATE '2017-01-{day:02}', {'NULL' if amount is None else amount}, '{email}')"
        for key, day, amount, email in rows
    )
    sql = f"FROM (VALUES {values or '(0, NULL, 0, NULL)'}) AS given(id, day, amount, email)"
    selected = f"SELECT {', '.join(columns)} {sql}{'' if rows else ' WHERE false'}"
    with platform.engine.session([]) as session:
        files = session.write(selected, columns, platform.data.lake / "sales.fact", "day" if cut else None)
        key = "day::VARCHAR" if cut else literal(ALL)
        asked = f"SELECT {key} AS key, count(*) AS n, sum(hash(hash(given)))::VARCHAR AS content"
        asked += f" FROM ({selected}) AS given GROUP BY ALL"
        found = session.rows(asked) if rows else []
    intervals = {row["key"]: Interval(content=row["content"], rows=row["n"]) for row in found}
    if not cut:
        intervals = intervals or {ALL: Interval(content="none", rows=0)}
    version = Version(
        table="sales.fact",
        fingerprint="f1",
        id=digest_of(file.path for file in files),
        number=0,
        columns=dict(columns),
        files=files,
        intervals=intervals,
        content=content_of(intervals),
        created_at=platform.clock.wall(),
    )
    paths = tuple(platform.data.absolute(file.path) for file in files)
    return Side(version, Relation("sales.fact", columns, paths))


def compare(
    platform: SmallPlatform,
    before: Side,
    after: Side,
    *,
    key: Sequence[str] = ("id",),
    budget: Budget | None = None,
    rows_at_once: int = 1_000,
) -> TableDifference:
    return compare_table(
        platform,
        before,
        after,
        key=key,
        hidden=["email"],
        mask="•••",
        budget=budget or Budget(),
        rows_at_once=rows_at_once,
    )


def counts(found: TableDifference) -> tuple[int, int, int]:
    return found.added, found.removed, found.changed


def test_rows_come_go_and_change_by_their_key(platform: SmallPlatform) -> None:
    before = version_of(platform, [(1, 1, 10, "a"), (2, 1, 20, "b"), (3, 2, 30, "c")])
    after = version_of(platform, [(1, 1, 11, "a"), (3, 2, 30, "c"), (4, 2, 40, "d"), (5, 3, 50, "e")])
    found = compare(platform, before, after)
    assert counts(found) == (2, 1, 1)
    assert [(column.column, column.changed) for column in found.columns] == [("amount", 1)]
    assert [(e.what, e.row, e.values) for e in found.examples if e.what != "added"] == [
        ("changed", {"id": "1"}, {"amount": ("10", "11")}),
        ("removed", {"id": "2"}, {}),
    ]


def test_a_value_that_appears_is_a_change(platform: SmallPlatform) -> None:
    before, after = version_of(platform, [(1, 1, None, "a")]), version_of(platform, [(1, 1, 0, "a")])
    found = compare(platform, before, after)
    assert counts(found) == (0, 0, 1)
    assert found.examples[0].values == {"amount": (None, "0")}


def test_sensitive_values_are_compared_and_not_shown(platform: SmallPlatform) -> None:
    before, after = version_of(platform, [(1, 1, 1, "a@x.org")]), version_of(platform, [(1, 1, 1, "b@x.org")])
    for key in (["id"], []):
        found = compare(platform, before, after, key=key)
        assert found.differs
        assert "x.org" not in str(found)
        assert "•••" in str(found.examples)


def test_intervals_with_equal_contents_are_not_read(platform: SmallPlatform) -> None:
    rows: list[Row] = [(day, day, day, "a") for day in range(1, 6)]
    before = version_of(platform, rows)
    after = version_of(platform, [*rows[:4], (5, 5, 6, "a")])
    for side in (before, after):
        for file in side.version.files:
            if file.intervals != ("2017-01-05",):
                platform.data.absolute(file.path).write_bytes(b"poison")
    found = compare(platform, before, after)
    assert (counts(found), found.compared, found.equal) == ((0, 0, 1), 1, 4)


def test_equal_contents_in_other_files_are_not_read_at_all(platform: SmallPlatform) -> None:
    sides = [version_of(platform, [(1, 1, 1, "a")], cut=False) for _ in range(2)]
    for side in sides:
        for file in side.version.files:
            platform.data.absolute(file.path).unlink()
    found = compare(platform, *sides)
    assert not found.differs
    assert found.compared == 0


def test_columns_that_came_went_and_were_retyped_are_told(platform: SmallPlatform) -> None:
    older = {"id": "bigint", "amount": "bigint", "email": "string"}
    newer = {"id": "bigint", "day": "date", "amount": "decimal(18,2)"}
    rows: list[Row] = [(1, 1, 10, "a"), (2, 1, 20, "b")]
    before, after = version_of(platform, rows, older, cut=False), version_of(platform, rows, newer, cut=False)
    found = compare(platform, before, after)
    assert counts(found) == (0, 0, 0)
    assert [(column.column, column.before, column.after) for column in found.columns] == [
        ("amount", "bigint", "decimal(18,2)"),
        ("email", "string", None),
        ("day", None, "date"),
    ]


def test_intervals_are_read_again_where_the_columns_are_others(platform: SmallPlatform) -> None:
    """The content of an interval is that of all columns: those of other columns say nothing."""
    rows: list[Row] = [(1, 1, 10, "a")]
    before, after = version_of(platform, rows), version_of(platform, rows, dict(reversed(COLUMNS.items())))
    found = compare(platform, before, after)
    assert (found.differs, found.equal, found.compared) == (False, 0, 1)


def test_without_a_key_rows_come_and_go_as_often_as_they_are_there(platform: SmallPlatform) -> None:
    before = version_of(platform, [(1, 1, 10, "a")] * 3 + [(2, 1, 20, "b")])
    after = version_of(platform, [(1, 1, 10, "a")] + [(2, 1, 20, "b")] * 3)
    found = compare(platform, before, after, key=[])
    assert (counts(found), found.key) == ((2, 2, 0), ())


def test_a_key_that_is_not_unique_matches_no_rows(platform: SmallPlatform) -> None:
    before = version_of(platform, [(1, 1, 10, "a"), (1, 1, 11, "a")])
    after = version_of(platform, [(1, 1, 12, "a")])
    found = compare(platform, before, after)
    assert (counts(found), found.key) == ((1, 2, 0), ())


def test_a_key_of_a_column_that_one_version_lacks_matches_no_rows(platform: SmallPlatform) -> None:
    before = version_of(platform, [(1, 1, 10, "a")], {"day": "date", "amount": "bigint"})
    after = version_of(platform, [(1, 1, 10, "a")])
    found = compare(platform, before, after)
    assert (counts(found), found.key) == ((0, 0, 0), ())


def test_tables_that_share_no_column_share_no_row(platform: SmallPlatform) -> None:
    before = version_of(platform, [(1, 1, 10, "a")], {"amount": "bigint"}, cut=False)
    after = version_of(platform, [(1, 1, 10, "a"), (2, 2, 10, "a")], {"day": "date"}, cut=False)
    assert counts(compare(platform, before, after)) == (2, 1, 0)


def test_a_row_that_moves_to_another_interval_has_changed(platform: SmallPlatform) -> None:
    before = version_of(platform, [(1, 1, 10, "a"), (2, 1, 20, "b")])
    after = version_of(platform, [(1, 2, 10, "a"), (2, 1, 21, "b")])
    found = compare(platform, before, after, rows_at_once=1)
    assert counts(found) == (0, 0, 2)
    assert {column.column: column.changed for column in found.columns} == {"day": 1, "amount": 1}
    assert {example.what for example in found.examples} == {"changed"}


def test_it_stops_when_so_many_differences_were_found_and_says_what_is_left(platform: SmallPlatform) -> None:
    before = version_of(platform, [(day, day, 0, "a") for day in range(1, 6)])
    after = version_of(platform, [(day, day, 1, "a") for day in range(1, 6)])
    budget = Budget(differences=2)
    found = compare(platform, before, after, budget=budget, rows_at_once=1)
    assert (found.changed, found.left) == (2, ("2017-01-03", "2017-01-04", "2017-01-05"))
    assert budget.spent == "2 differences were found"
    rest = compare(platform, before, after, budget=budget)
    assert (counts(rest), len(rest.left)) == ((0, 0, 0), 5)


def test_it_stops_when_the_time_is_over(platform: SmallPlatform) -> None:
    before = version_of(platform, [(day, day, 0, "a") for day in range(1, 6)])
    after = version_of(platform, [(day, day, 1, "a") for day in range(1, 6)])
    moments = iter(range(100))
    budget = Budget(seconds=3, ticks=lambda: float(next(moments)))
    found = compare(platform, before, after, budget=budget, rows_at_once=1)
    assert (found.changed, len(found.left)) == (1, 4)


def test_nothing_is_left_behind(platform: SmallPlatform) -> None:
    before, after = version_of(platform, [(1, 1, 10, "a")]), version_of(platform, [(1, 2, 10, "a")])
    compare(platform, before, after, rows_at_once=1)
    assert list(platform.data.temporary.iterdir()) == []


ROWS = st.lists(
    st.tuples(
        st.integers(1, 6), st.integers(1, 4), st.none() | st.integers(0, 2), st.sampled_from(["a", "b"])
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ROWS, after=ROWS, rows_at_once=st.sampled_from([1, 5, 1_000]), cut=st.booleans())
def test_however_it_is_cut_the_counts_are_those_of_the_rows(
    platform: SmallPlatform, before: list[Row], after: list[Row], rows_at_once: int, cut: bool
) -> None:
    sides = version_of(platform, before, cut=cut), version_of(platform, after, cut=cut)
    wholes = compare(platform, *sides, key=[], rows_at_once=rows_at_once)
    came, went = Counter(after) - Counter(before), Counter(before) - Counter(after)
    assert counts(wholes) == (came.total(), went.total(), 0)
    old, new = {row[0]: row for row in before}, {row[0]: row for row in after}
    sides = version_of(platform, [*old.values()], cut=cut), version_of(platform, [*new.values()], cut=cut)
    by_key = compare(platform, *sides, rows_at_once=rows_at_once)
    both = old.keys() & new.keys()
    changed = [key for key in both if old[key] != new[key]]
    assert counts(by_key) == (len(new.keys() - both), len(old.keys() - both), len(changed))
    for place, column in enumerate(COLUMNS):
        told = {found.column: found.changed for found in by_key.columns}
        assert told.get(column, 0) == sum(old[key][place] != new[key][place] for key in both)
