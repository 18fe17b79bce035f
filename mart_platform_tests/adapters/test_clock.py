from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.adapters.clock import BusinessClock
from mart_platform.adapters.ledger import open_ledger
from mart_platform.ports import Clock, Ledger
from mart_platform_tests.fakes import MemoryLedger, SettableClock

PAST = datetime(2018, 1, 1, 8, tzinfo=UTC)
TODAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Machine:
    """A machine's clock, which a test can put."""

    def __init__(self, moment: datetime = TODAY) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def goes(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
    else:
        with closing(open_ledger(tmp_path / "ledger.sqlite")) as opened:
            yield opened


@pytest.mark.parametrize("clock", [BusinessClock(MemoryLedger()), SettableClock()])
def test_every_clock_shows_aware_moments_in_utc(clock: Clock) -> None:
    for moment in (clock.now(), clock.wall()):
        assert moment.utcoffset() == timedelta(0)


def test_without_a_start_business_time_is_real(ledger: Ledger, machine: Machine) -> None:
    clock = BusinessClock(ledger, system=machine)
    assert clock.now() == clock.wall() == TODAY
    assert ledger.setting("business_clock") is None


def test_business_time_starts_with_its_first_use_and_ticks_on(ledger: Ledger, machine: Machine) -> None:
    clock = BusinessClock(ledger, PAST, system=machine)
    machine.goes(hours=5)
    assert clock.now() == PAST
    machine.goes(minutes=10)
    assert clock.now() == PAST + timedelta(minutes=10)
    assert clock.wall() == TODAY + timedelta(hours=5, minutes=10)


def test_all_processes_see_the_same_business_time(ledger: Ledger, machine: Machine) -> None:
    first = BusinessClock(ledger, PAST, system=machine)
    assert first.now() == PAST
    machine.goes(days=1)
    second = BusinessClock(ledger, PAST, system=machine)
    assert second.now() == first.now() == PAST + timedelta(days=1)
    second.set(PAST - timedelta(days=9))
    assert first.now() == second.now() == PAST - timedelta(days=9)


def test_it_can_be_set_back_to_real_time_and_stays_there(ledger: Ledger, machine: Machine) -> None:
    BusinessClock(ledger, PAST, system=machine).now()
    BusinessClock(ledger, PAST, system=machine).set(None)
    assert BusinessClock(ledger, PAST, system=machine).now() == TODAY


def test_a_moment_of_another_zone_is_kept_as_the_same_moment(machine: Machine) -> None:
    clock = BusinessClock(MemoryLedger(), system=machine)
    clock.set(datetime.fromisoformat("2018-01-01T03:00:00-05:00"))
    assert clock.now() == PAST
    assert clock.now().tzinfo == UTC


def test_a_machine_whose_clock_is_put_before_the_start_shows_the_start(machine: Machine) -> None:
    ledger = MemoryLedger()
    BusinessClock(ledger, PAST, system=machine).now()
    machine.goes(days=-1)
    assert BusinessClock(ledger, PAST, system=machine).now() == PAST


@given(st.lists(st.integers(-1_000, 1_000)), st.sampled_from([None, PAST]))
def test_business_time_never_runs_backwards_whatever_the_machine_does(
    steps: list[int], start: datetime | None
) -> None:
    machine = Machine()
    clock = BusinessClock(MemoryLedger(), start, system=machine)
    shown = [clock.now()]
    for seconds in steps:
        machine.goes(seconds=seconds)
        shown.append(clock.now())
    assert shown == sorted(shown)


def test_the_clock_of_tests_moves_only_when_told() -> None:
    clock = SettableClock(business=PAST, real=TODAY)
    assert (clock.now(), clock.wall()) == (PAST, TODAY)
    clock.tick(hours=1)
    assert (clock.now(), clock.wall()) == (PAST + timedelta(hours=1), TODAY + timedelta(hours=1))
