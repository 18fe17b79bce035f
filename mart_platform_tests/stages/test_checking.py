"""Checks on tables of the lake: what is counted, shown, hidden, and which content a table has."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.ports import EngineSession
from mart_platform.spec import checks
from mart_platform.spec.checks import Check
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Verdict
from mart_platform.spec.words import Severity
from mart_platform.stages.checking import HIDDEN, Checked, check
from mart_platform_tests.stages.small_platform import SmallPlatform, build, planned_table, relation

LINES = """
    SELECT * FROM (VALUES
        (1, 'a@x.org', 10.50, DATE '2017-12-30'),
        (2, 'b@x.org', -1.00, DATE '2017-12-31'),
        (2, NULL, 3.00, NULL)
    ) t(id, email, amount, day)
"""
COLUMNS = {"id": "bigint", "email": "string", "amount": "decimal(18,2)", "day": "date"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> SmallPlatform:
    return SmallPlatform(tmp_path_factory.mktemp("platform"))


class Counting:
    """A session that keeps the queries which it was asked."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self.asked: list[str] = []

    def rows(self, sql: str, variables: Any = None) -> list[dict[str, Any]]:
        self.asked.append(sql)
        return self._session.rows(sql, variables)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def checked(
    platform: SmallPlatform,
    *promises: Check,
    sql: str = LINES,
    labels: Iterable[str] = (),
    also_labelled: Iterable[str] = (),
) -> tuple[Checked, list[str]]:
    table = planned_table("shop.line", COLUMNS, labels=labels, checks=promises)
    version = build(platform, table, sql)
    with platform.engine.session([relation(platform, table, version)]) as session:
        counting = Counting(session)
        found = check(
            counting,
            table,
            business_now=datetime(2018, 1, 1, 12, tzinfo=UTC),
            wall_now=platform.clock.wall(),
            run="r1",
            also_labelled=also_labelled,
        )
    return found, counting.asked


def only(found: tuple[Checked, list[str]]) -> Verdict:
    [verdict] = found[0].verdicts
    return verdict


def positive(**more: Any) -> Check:
    return checks.InRange(name="amount_in_range", says="It is.", column="amount", above=0, **more)


def no_row(sql: str) -> Check:
    return checks.NoRow(name="none", says="There is none.", sql=sql)


def test_all_row_checks_and_the_content_are_one_scan(platform: SmallPlatform) -> None:
    found, asked = checked(
        platform,
        checks.NotNull(name="id_not_null", says="It is.", column="id"),
        checks.OneOf(name="id_in_set", says="It is.", column="id", values=(1, 2)),
        checks.NotNull(name="day_not_null", says="It is.", column="day", severity=Severity.WARN),
    )
    assert [(v.check, v.passed, v.failed, v.tested, v.blocks) for v in found.verdicts] == [
        ("id_not_null", True, 0, 3, False),
        ("id_in_set", True, 0, 3, False),
        ("day_not_null", False, 1, 3, False),
    ]
    assert sum(interval.rows for interval in found.intervals.values()) == 3
    assert len(asked) == 2  # the scan, and the sample of the one that failed


def test_a_failed_check_shows_rows_as_json_can_hold_them(platform: SmallPlatform) -> None:
    verdict = only(checked(platform, positive()))
    assert verdict.blocks
    assert verdict.sample == ({"id": 2, "email": "b@x.org", "amount": "-1.00", "day": "2017-12-31"},)
    assert json.loads(verdict.model_dump_json())["sample"] == list(verdict.sample)


def test_a_sample_has_five_rows_at_most(platform: SmallPlatform) -> None:
    many = "SELECT range AS id, repeat('x', 1000) AS email, -1 AS amount, NULL::DATE AS day FROM range(1000)"
    verdict = only(checked(platform, positive(), sql=many))
    assert verdict.failed == 1000
    assert [row["id"] for row in verdict.sample] == [0, 1, 2, 3, 4]
    assert len(verdict.sample[0]["email"]) < 250


def test_labelled_values_are_not_shown(platform: SmallPlatform) -> None:
    verdict = only(checked(platform, positive(), labels=["email"]))
    assert verdict.sample[0]["email"] == HIDDEN
    assert verdict.sample[0]["id"] == 2


def test_an_own_query_cannot_show_a_labelled_value_by_another_name(platform: SmallPlatform) -> None:
    sql = "SELECT id, email AS whose FROM shop.line WHERE amount < 0"
    assert only(checked(platform, no_row(sql))).sample == ({"id": 2, "whose": "b@x.org"},)
    assert only(checked(platform, no_row(sql), labels=["email"])).sample == ({"id": 2, "whose": HIDDEN},)
    elsewhere = checked(platform, no_row("SELECT 7 AS card"), also_labelled=["card"])
    assert only(elsewhere).sample == ({"card": HIDDEN},)


def test_checks_on_the_whole_table_say_what_was_found(platform: SmallPlatform) -> None:
    found, _ = checked(
        platform,
        checks.Unique(name="id_unique", says="It is.", columns=("id",)),
        checks.RowCount(name="enough", says="There are.", at_least=10),
        checks.Fresh(name="fresh", says="It is.", column="day", within=timedelta(days=2)),
        checks.Fresh(name="fresher", says="It is.", column="day", within=timedelta(hours=1)),
    )
    assert [(v.check, v.failed, v.found) for v in found.verdicts] == [
        ("id_unique", 1, ""),
        ("enough", 1, "3 rows"),
        ("fresh", 0, "newest is 2017-12-31"),
        ("fresher", 1, "newest is 2017-12-31"),
    ]
    assert found.verdicts[0].sample == ({"id": 2, "copies": 2},)


def test_an_empty_table_passes_its_row_checks(platform: SmallPlatform) -> None:
    found, _ = checked(platform, positive(), sql=f"FROM ({LINES}) WHERE id > 9")
    assert (found.intervals["all"].rows, found.verdicts[0].passed, found.verdicts[0].tested) == (0, True, 0)


@pytest.mark.parametrize(
    "broken",
    [
        no_row("SELECT nothing FROM shop.line"),
        checks.InRange(name="none", says="It is.", column="email", at_least=5),
    ],
)
def test_a_check_that_cannot_be_run_is_named(platform: SmallPlatform, broken: Check) -> None:
    with pytest.raises(
        UserError, match=r"tables/shop\.line\.yaml: check 'none' of shop\.line cannot be run: "
    ):
        checked(platform, positive(), broken)


def test_the_content_names_the_engine(platform: SmallPlatform) -> None:
    assert checked(platform)[0].content.startswith("duckdb-1.5.5:")


ROWS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None])), max_size=6)


@settings(max_examples=15, deadline=None)
@given(ROWS, ROWS, st.randoms())
def test_two_tables_have_one_content_just_when_they_hold_the_same_rows(
    platform: SmallPlatform,
    left: list[tuple[int, str | None]],
    right: list[tuple[int, str | None]],
    random: Any,
) -> None:
    shuffled = random.sample(left, len(left))
    contents = [checked(platform, sql=_rows(rows))[0].content for rows in (left, shuffled, right)]
    assert contents[0] == contents[1]
    same = sorted(map(repr, left)) == sorted(map(repr, right))
    assert (contents[0] == contents[2]) == same


def test_a_swap_of_two_values_between_rows_is_another_content(platform: SmallPlatform) -> None:
    first = checked(platform, sql=_rows([(1, "a"), (2, "b")]))[0]
    swapped = checked(platform, sql=_rows([(1, "b"), (2, "a")]))[0]
    assert first.content != swapped.content


def _rows(rows: list[tuple[int, str | None]]) -> str:
    values = ", ".join(f"({n}, {'NULL' if s is None else repr(s)})" for n, s in [*rows, (-1, None)])
    return f"SELECT id, email, 1 AS amount, NULL AS day FROM (VALUES {values}) t(id, email) WHERE id >= 0"
