"""Whatever is delivered in whatever order, a table of each kind holds what a full rebuild would give it."""

import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from mart_platform.planning.plan import Plan
from mart_platform.runs.reporting import ChecksFailed
from mart_platform_tests.runs.kinds import HEADERS, Delivered, History, Kinds, Round, Rows

SEEDS = range(int(os.environ.get("MART_TEST_HISTORIES", "2")))
"""More of them are worth their time after a change of what follows change: MART_TEST_HISTORIES=300."""

WITHOUT_TIME = "1,ada,,10.00,1,false,2026-04-01 10:15:00"
REFUSING = {
    "canonical.event_day": "day",
    "canonical.berlin_day": "local_day",
    "canonical.event_hour": "hour",
    "canonical.paid_day": "day",
}
"""The tables in which a row without a time has no interval, and the column that says which."""


def difference(found: Rows, expected: Rows) -> dict[str, tuple[list[object], list[object]]]:
    """Return by table the rows that are there and should not be, and those that are missing."""
    return {
        name: (sorted(found[name] - rows, key=str), sorted(rows - found[name], key=str))
        for name, rows in expected.items()
        if found[name] != rows
    }


def shuffled(delivered: Iterable[Delivered], random: Random) -> list[Delivered]:
    """Return deliveries in another order, but for those of the same file."""
    files: dict[tuple[str, str], deque[Delivered]] = {}
    for each in delivered:
        files.setdefault((each.table, each.name), deque()).append(each)
    order = [name for name, of_file in files.items() for _ in of_file]
    random.shuffle(order)
    return [files[name].popleft() for name in order]


def in_rounds(delivered: list[Delivered], random: Random) -> list[tuple[Delivered, ...]]:
    """Return deliveries as they come together: all tables in the first round, no file twice in any."""
    firsts = [next(each for each in delivered if each.table == table) for table in HEADERS]
    rounds = [firsts]
    for each in delivered:
        if any(each is first for first in firsts):
            continue
        if random.random() < 0.4 or each.name in {other.name for other in rounds[-1]}:
            rounds.append([])
        rounds[-1].append(each)
    return [tuple(some) for some in rounds]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Kinds(tmp_path_factory.mktemp("planned")).plan


@pytest.fixture
def kinds(tmp_path: Path) -> Kinds:
    return Kinds(tmp_path / "kinds")


@pytest.mark.parametrize(
    ("table", "bound", "looked_up", "unbound"),
    [
        ("canonical.event_day", "app.events", "", ""),
        ("canonical.berlin_day", "app.events", "", ""),
        ("canonical.paid_same_day", "app.events app.payments", "", ""),
        ("canonical.country_day", "canonical.event_day", "app.customers", ""),
        ("canonical.payer", "canonical.payment", "canonical.event_history", ""),
        ("canonical.dear_event", "app.events", "", "app.payments"),
        ("canonical.running", "", "", "canonical.event_day"),
        ("canonical.scored", "", "", "canonical.event_day"),
        ("usage.event", "canonical.event", "", ""),
        ("usage.monthly", "usage.event", "", ""),
    ],
)
def test_there_is_a_table_for_each_way_in_which_a_change_reaches_one(
    table: str, bound: str, looked_up: str, unbound: str, plan: Plan
) -> None:
    planned = plan.tables[table]
    assert " ".join(sorted(planned.bindings)) == bound
    assert (" ".join(planned.lookups), " ".join(planned.unbound)) == (looked_up, unbound)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_table_equals_its_full_rebuild_after_each_build(
    seed: int, kinds: Kinds, tmp_path: Path
) -> None:
    past = list[Round]()
    for happened in History(seed).rounds():
        past.append(happened)
        kinds.go_through(happened)
        kinds.build()
        wrong = difference(kinds.rows(), kinds.expected())
        assert not wrong, (seed, past, wrong)
        assert not kinds.todo(), (seed, past)
    fresh = kinds.rebuilt(tmp_path / "fresh")
    wrong = difference(kinds.rows(), fresh.rows())
    assert not wrong, (seed, past, wrong)
    assert kinds.contents() == fresh.contents(), (seed, past)
    assert kinds.failures() == fresh.failures(), (seed, past)


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_another_order_of_arrival_gives_the_same_rows(seed: int, kinds: Kinds, tmp_path: Path) -> None:
    delivered = [each for happened in History(seed).rounds() for each in happened.delivered]
    first, *others = in_rounds(shuffled(delivered, Random(seed)), Random(seed))
    kinds.go_through(Round((), first))
    kinds.build()
    for some in others:
        kinds.go_through(Round((), some))
        kinds.build()
    in_order = Kinds(tmp_path / "in order")
    for each in delivered:
        in_order.go_through(Round((), (each,)))
        in_order.note_what_lands()
    assert not difference(kinds.rows(), in_order.expected()), seed


def test_a_row_without_an_interval_is_refused_and_leaves_everything_as_it_was(kinds: Kinds) -> None:
    [first, *_] = History(0).rounds()
    kinds.go_through(first)
    kinds.build()
    before, live = kinds.rows(), kinds.live
    kinds.rows_delivered("events", "1001.csv", WITHOUT_TIME)
    run = kinds.begin()
    kinds.step(run, "app.events")
    for name, column in REFUSING.items():
        with pytest.raises(ChecksFailed, match=f"{column}_not_null"):
            kinds.step(run, name)
    assert isinstance(kinds.build_failing(), ChecksFailed)
    assert difference(kinds.rows(), before) == {}
    assert kinds.live == live
