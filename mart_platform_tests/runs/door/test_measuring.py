"""The figures of the door follow from the audit log and from nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.runs.door.measuring import DoorFigures, Percentiles, QueryFigures, figures, nearest_rank
from mart_platform.spec.entries import AccessEntry, ConnectEntry, Entry, QueryEntry
from mart_platform_tests.fakes.audit import MemoryAudit

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=1)


def asked(outcome: str = "answered", **said: Any) -> QueryEntry:
    known = {"versions": {"sales": 3}, "lane": "dashboard", "steps": {"gate": 1.0, "execute": 9.0}}
    entry = {"id": "q", "at": NOW, "principal": "ada", "door": "http", "text": "SELECT 1", "outcome": outcome}
    return QueryEntry.model_validate({**entry, **known, **said})


def connected(**said: Any) -> ConnectEntry:
    return ConnectEntry.model_validate({"id": "c", "at": NOW, "how": "secret", "succeeded": True, **said})


def measured(*entries: Entry) -> DoorFigures:
    audit = MemoryAudit()
    for entry in entries:
        audit.append(entry)
    return figures(SINCE, audit.entries(since=SINCE))


def only(found: DoorFigures) -> QueryFigures:
    [queries] = found.queries
    return queries


def test_success_is_what_was_answered_of_what_was_ours_to_answer() -> None:
    mistakes = [asked("refused", code=code) for code in ("syntax", "over_budget", "unknown_table")]
    ours = [asked("failed", code="error"), asked("refused", code="busy")]
    found = only(measured(asked(), asked("cached"), *mistakes, *ours, asked("cancelled", code="cancelled")))
    assert found.queries == 8
    assert found.succeeded == 2 / 4
    assert found.cached == 1 / 2
    assert found.refused == dict.fromkeys(
        ["busy", "cancelled", "error", "over_budget", "syntax", "unknown_table"], 1
    )


def test_a_code_that_nobody_knows_counts_against_us() -> None:
    assert only(measured(asked("failed", code="made_up"))).succeeded == 0


def test_there_is_no_rate_where_nothing_was_ours_to_answer() -> None:
    found = only(measured(asked("refused", code="syntax")))
    assert (found.succeeded, found.cached, found.milliseconds, found.estimates_off) == (
        None,
        None,
        None,
        None,
    )


def test_time_is_the_sum_of_the_steps_of_answers() -> None:
    answers = [asked(steps={"gate": 0.5, "execute": float(ms)}) for ms in range(1, 101)]
    slow = asked("failed", code="too_long", steps={"execute": 60_000.0})
    assert only(measured(*answers, slow)).milliseconds == Percentiles(50.5, 95.5, 99.5)


def test_the_price_is_that_of_all_and_estimates_are_judged_by_answers_that_were_computed() -> None:
    entries = [
        asked(price=2.0, estimate=1.0),
        asked(price=4.0, estimate=5.0),
        asked("cached", price=0.0, estimate=9.0),
        asked("failed", code="too_long", price=6.0, estimate=1.0),
    ]
    found = only(measured(*entries))
    assert (found.price, found.mean_price) == (12.0, 3.0)
    assert found.estimates_off == pytest.approx((0.5 + 0.25) / 2)


def test_marts_and_lanes_are_told_apart_and_what_was_refused_before_that_comes_last() -> None:
    found = measured(
        asked("refused", code="syntax", versions={}, lane=None),
        asked(lane="ad-hoc"),
        asked(),
        asked(versions={"sales": 3, "finance": 1}),
    )
    assert [(each.mart, each.lane, each.queries) for each in found.queries] == [
        ("finance", "dashboard", 1),
        ("sales", "ad-hoc", 1),
        ("sales", "dashboard", 2),
        (None, None, 1),
    ]


def test_scanners_are_told_apart_from_those_whom_we_know() -> None:
    known = [connected(principal="ada", milliseconds=float(ms)) for ms in (4, 2, 3)]
    failed = connected(principal="ada", succeeded=False, milliseconds=900.0)
    noise = [connected(succeeded=False, noise=True, milliseconds=70.0) for _ in range(5)]
    found = measured(*known, failed, *noise).connects
    assert (found.tries, found.failed, found.noise) == (4, 1, 5)
    assert found.milliseconds == Percentiles(3.0, 4.0, 4.0)


def test_what_was_before_and_what_is_no_query_is_not_counted() -> None:
    before = asked().model_copy(update={"at": SINCE - timedelta(seconds=1)})
    granted = AccessEntry(id="a", at=NOW, by="eve", what="grant")
    assert not measured(before, granted)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_the_smallest_value_that_enough_are_no_greater_than(
    values: list[float], percent: int
) -> None:
    found = nearest_rank(sorted(values), percent)
    enough = len(values) * percent / 100
    assert found in values
    assert sum(value <= found for value in values) >= enough
    assert sum(value < found for value in values) < enough
