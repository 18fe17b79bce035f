"""Publish and rollback: which version readers see, and who moves it."""

from pathlib import Path

import pytest

from mart_platform_tests.cli.conftest import Mart, deliver


@pytest.fixture
def twice_built(built_mart: Mart, bakery: Path) -> Mart:
    """A bakery with two publications of its bread."""
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    assert built_mart("build", "-q").code == 0
    return built_mart


def takings(mart: Mart) -> str:
    return mart("query", "--format", "csv", "SELECT sum(takings) AS sum FROM bread.daily").out.splitlines()[1]


def test_publish_says_when_readers_have_all_there_is(built_mart: Mart) -> None:
    ended = built_mart("publish", "bread")
    assert (ended.code, ended.out) == (
        0,
        "bread stays at publication 1: readers have all that there is.\n",
    )


def test_publish_shows_what_was_built_without_publication(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    assert built_mart("build", "bread.daily", "-q").code == 0
    assert takings(built_mart) == "9.30"
    ended = built_mart("publish", "bread", "--json")
    assert ended.document["published"]
    assert takings(built_mart) == "12.50"


def test_a_rollback_shows_the_version_before_and_holds_it(twice_built: Mart, bakery: Path) -> None:
    assert takings(twice_built) == "12.50"
    ended = twice_built("rollback", "bread", "--reason", "wrong prices")
    assert ended.code == 0
    assert "publish bread --release" in ended.out
    assert takings(twice_built) == "9.30"
    deliver(bakery, 3, "R8,1,rye bread,1.00,2026-03-03 19:00:00")
    assert twice_built("build").code == 0
    assert takings(twice_built) == "9.30"
    assert "wrong prices" in twice_built("status").out


def test_a_held_mart_is_published_when_it_is_released(twice_built: Mart) -> None:
    twice_built("rollback", "bread", "--to", "1")
    refused = twice_built("publish", "bread")
    assert refused.code == 1
    assert "bread is held since" in refused.err
    assert twice_built("publish", "bread", "--release").code == 0
    assert takings(twice_built) == "12.50"


def test_a_rollback_moves_no_other_mart(twice_built: Mart) -> None:
    before = twice_built("status", "cake", "--json").document["marts"][0]["live"]
    twice_built("rollback", "bread")
    assert twice_built("status", "cake", "--json").document["marts"][0]["live"] == before


def test_a_rollback_to_nowhere_is_a_sentence(built_mart: Mart) -> None:
    ended = built_mart("rollback", "bread")
    assert ended.code == 1
    assert "no earlier publication that differs" in ended.err
    assert built_mart("rollback", "bred").code == 1
    assert "Did you mean 'bread'?" in built_mart("rollback", "bred").err


def test_a_mart_that_is_not_held_has_nothing_to_release(built_mart: Mart) -> None:
    ended = built_mart("publish", "bread", "--release")
    assert ended.code == 1
    assert "not held" in ended.err


def test_a_mart_whose_check_failed_is_refused_by_publish_too(built_mart: Mart, bakery: Path) -> None:
    contract = bakery / "marts" / "bread" / "tables" / "daily.yaml"
    contract.write_text(contract.read_text().replace("at_most: 1000", "at_most: 5"))
    assert built_mart("check", "bread").code == 1
    ended = built_mart("publish", "bread")
    assert ended.code == 1
    assert "takings_in_range" in ended.err
    assert takings(built_mart) == "9.30"
