"""Old versions on the command line: listed, asked, compared, built beside the live one."""

from pathlib import Path

import pytest

from mart_platform_tests.cli.conftest import Mart, deliver

TAKINGS = "SELECT sum(takings) AS sum FROM bread.daily"


@pytest.fixture
def twice_built(built_mart: Mart, bakery: Path) -> Mart:
    """A bakery with two publications of its bread."""
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    assert built_mart("build", "-q").code == 0
    return built_mart


def answer(mart: Mart, *options: str, sql: str = TAKINGS) -> str:
    return mart("query", "--format", "csv", *options, sql).out.splitlines()[1]


def test_versions_lists_publications_newest_first(twice_built: Mart) -> None:
    told = twice_built("versions", "bread", "--json").document
    assert [(v["publication"]["number"], v["state"]) for v in told["versions"]] == [
        (2, "live"),
        (1, "earlier"),
    ]
    assert told["versions"][0]["changed"] == ["bread.daily"]
    shown = twice_built("versions", "bread").out
    assert "live" in shown
    assert "earlier" in shown


def test_versions_tells_of_a_hold(twice_built: Mart) -> None:
    twice_built("rollback", "bread", "--reason", "wrong prices")
    ended = twice_built("versions", "bread")
    assert "bread is held since" in ended.out
    assert "wrong prices" in ended.out


def test_versions_of_an_unknown_mart_is_a_sentence(mart: Mart) -> None:
    ended = mart("versions", "bred")
    assert ended.code == 1
    assert "Did you mean 'bread'?" in ended.err
    assert "not published yet" in mart("versions", "bread").out


def test_versions_shows_what_was_restated(twice_built: Mart) -> None:
    lines = twice_built("versions", "bread", "--restated", "--json").document
    assert all(line["table"] == "bread.daily" for line in lines)
    assert twice_built("versions", "bread", "--restated").code == 0


def test_a_query_reads_the_version_that_is_asked_for_and_says_so(twice_built: Mart) -> None:
    assert answer(twice_built) == "12.50"
    assert answer(twice_built, "--version", "1") == answer(twice_built, "--version", "bread=1") == "9.30"
    told = twice_built("query", "--version", "1", TAKINGS)
    assert "read: bread publication 1 of " in told.err
    document = twice_built("query", "--version", "1", "--json", TAKINGS).document
    assert document["rows"] == [{"sum": "9.30"}]
    assert [(read["table"], read["publication"]) for read in document["read"]] == [("bread.daily", 1)]


def test_a_query_reads_what_was_live_at_a_moment(twice_built: Mart) -> None:
    first, newest = (
        version["publication"]["at"]
        for version in reversed(twice_built("versions", "bread", "--json").document["versions"])
    )
    assert answer(twice_built, "--as-of", first) == "9.30"
    assert answer(twice_built, "--as-of", newest) == "12.50"
    both = "SELECT count(*) AS n FROM canonical.sale"
    assert int(answer(twice_built, "--as-of", first, sql=both)) < int(answer(twice_built, sql=both))
    refused = twice_built("query", "--as-of", "2001-01-01", TAKINGS)
    assert refused.code == 1
    assert "not published yet at 2001-01-01" in refused.err


def test_a_wrong_use_of_versions_is_told(twice_built: Mart) -> None:
    assert twice_built("query", "--version", "1", "--version", "2", TAKINGS).code == 2
    assert twice_built("query", "--json", "--format", "csv", TAKINGS).code == 2
    assert "no publication 9" in twice_built("query", "--version", "9", TAKINGS).err
    assert twice_built("versions", "bread", "--restated", "--drop", "1").code == 2


def test_diff_shows_what_differs_and_ends_with_0_unless_it_is_asked(twice_built: Mart) -> None:
    ended = twice_built("diff", "bread", "1")
    assert ended.code == 0
    assert "from publication 1" in ended.out
    assert "takings" in ended.out
    assert "2.90 -> 6.10" in ended.out
    assert twice_built("diff", "bread", "1", "--exit-code").code == 1
    assert twice_built("diff", "bread", "1", "1", "--exit-code").code == 0
    assert "No difference." in twice_built("diff", "bread", "2", "live").out


def test_diff_tells_everything_to_a_script(twice_built: Mart) -> None:
    told = twice_built("diff", "bread", "1", "2", "--json").document
    assert (told["equal"], told["stopped"]) == (False, None)
    [daily] = told["tables"]
    assert (daily["added"], daily["removed"], daily["changed"]) == (0, 0, 1)
    assert daily["examples"][0]["values"]["takings"] == ["2.90", "6.10"]


def test_diff_says_what_it_left_out(twice_built: Mart) -> None:
    ended = twice_built("diff", "bread", "1", "--seconds", "0", "--exit-code")
    assert ended.code == 1
    assert "Not compared:" in ended.out
    assert "bread.daily" in ended.out


def change_logic(bakery: Path) -> None:
    model = bakery / "marts" / "bread" / "tables" / "daily.sql"
    text = model.read_text()
    assert "sum(price)" in text
    model.write_text(text.replace("sum(price)", "1 + sum(price)"))


def test_a_shadow_is_built_compared_and_published(built_mart: Mart, bakery: Path) -> None:
    change_logic(bakery)
    assert built_mart("build", "--shadow", "-q").code == 0
    assert answer(built_mart) == "9.30"
    assert answer(built_mart, "--version", "shadow") == "11.30"
    assert "to shadow 2" in built_mart("diff", "bread", "shadow").out
    assert built_mart("publish", "bread", "--version", "2").code == 0
    assert answer(built_mart) == "11.30"


def test_a_shadow_is_dropped(built_mart: Mart, bakery: Path) -> None:
    change_logic(bakery)
    built_mart("build", "--shadow", "-q")
    assert built_mart("versions", "bread", "--drop", "2").code == 0
    states = [v["state"] for v in built_mart("versions", "bread", "--json").document["versions"]]
    assert states == ["dropped", "live"]
    refused = built_mart("publish", "bread", "--version", "2")
    assert refused.code == 1
    assert "was dropped" in refused.err
