"""The year 2017 delivered as it happened: lines late, repeated, corrected; the same figures in the end."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from benchmarks.driving import Built, Driven
from benchmarks.replayed import ALL_IS_OVER, Year
from mart_platform.assembly import Places
from mart_platform.runs.publishing import versions_of
from mart_platform.runs.querying import query
from mart_platform.spec.records import Version
from mart_platform_tests.end_to_end.test_complete_journey import (
    FIGURES,
    TOLERANCES,
    TRUE_VALUES,
    TRUTH,
    key_of,
    same,
)

pytestmark = pytest.mark.slow

SINCE, DAYS = date(2017, 12, 1), 4
"""From when on days are delivered one by one, and how many of them are built one by one; all before comes at
once, and all after too. The whole year is played by ``python -m benchmarks.change --year``."""


class PlayedYear:
    """The year after it was played, with what the first days did when they were built one by one."""

    def __init__(self, folder: Path) -> None:
        self.year = Year(folder, since=SINCE)
        self.driven = self.year.driven
        self.first = self.driven.build()
        self.days: dict[date, Built] = {}
        self.newest: dict[date, object] = {}
        while len(self.days) < DAYS:
            built = self.year.next_day()
            self.days[self.year.today] = built
            self.newest[self.year.today] = self.ask("SELECT max(sold_on) FROM sales.fact_sales_line")[0][0]
        self.year.ends(ALL_IS_OVER)
        self.driven.build()

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        return query(self.driven.platform, self.driven.plan, sql).rows()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedYear]:
    played = PlayedYear(tmp_path_factory.mktemp("played") / "year")
    yield played
    played.driven.close()


def live_tables(driven: Driven) -> dict[str, Version]:
    """Return the live version of each mart's tables that has rows of its own."""
    versions: dict[str, Version] = {}
    for mart in driven.plan.marts:
        live = driven.platform.ledger.live(mart)
        assert live is not None
        versions |= versions_of(driven.platform, live)
    return versions


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_equals_the_truth_after_the_year_was_played(played: PlayedYear, figure: str) -> None:
    sql = (TRUTH / "figures" / f"{figure}.sql").read_text(encoding="utf-8")
    found = {key_of(str(key)): str(value) for key, value in played.ask(sql)}
    true = {key_of(key): value for key, value in TRUE_VALUES[figure].items()}
    assert found.keys() == true.keys()
    wrong = {k: (found[k], true[k]) for k in true if not same(found[k], true[k], TOLERANCES[figure])}
    assert not wrong


def test_each_table_holds_the_same_rows_as_one_that_was_built_at_once(
    played: PlayedYear, built_data: Path
) -> None:
    at_once = Driven(Places.told_by({"MART_DATA": str(built_data)}))
    expected, found = live_tables(at_once), live_tables(played.driven)
    at_once.close()
    assert {name: version.content for name, version in found.items()} == {
        name: version.content for name, version in expected.items()
    }


def test_each_day_is_live_on_the_day_after(played: PlayedYear) -> None:
    assert all(str(newest) >= str(day) for day, newest in played.newest.items())


def test_a_day_rebuilds_only_the_weeks_to_which_its_lines_go(played: PlayedYear) -> None:
    ledger = played.driven.platform.ledger
    for name in ("canonical.sales_line", "sales.fact_sales_line", "data_analyst.sales_wide"):
        rebuilt = [build.rebuilt for build in reversed(ledger.builds(name, limit=100))]
        assert all(1 <= len(weeks) <= 3 for weeks in rebuilt[1 : DAYS + 1]), rebuilt


def test_what_readers_had_seen_and_was_corrected_is_told_as_a_restatement(played: PlayedYear) -> None:
    told = played.driven.platform.ledger.restatements("sales.fact_sales_line", limit=1000)
    assert {"late", "corrected"} & {restatement.cause for restatement in told}


def test_after_the_year_there_is_nothing_to_do(played: PlayedYear) -> None:
    assert not played.driven.todo()
