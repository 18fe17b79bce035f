"""``mart status`` shows how the queries of the last day went, as soon as there were any."""

from datetime import UTC, datetime
from pathlib import Path

from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.spec.entries import ConnectEntry, QueryEntry
from mart_platform_tests.cli.conftest import Mart


def test_status_shows_the_queries_of_the_last_day(mart: Mart, bakery: Path, tmp_path: Path) -> None:
    before = mart("status")
    assert before.code == 0
    assert "Queries" not in before.out
    now = datetime.now(UTC)
    answered = QueryEntry(
        id="1",
        at=now,
        principal="ada",
        door="http",
        text="SELECT 1",
        versions={"bread": 1},
        lane="dashboard",
        outcome="answered",
        price=0.5,
        steps={"execute": 12.25},
    )
    busy = answered.model_copy(update={"id": "2", "outcome": "refused", "code": "busy", "steps": {}})
    scanned = ConnectEntry(id="3", at=now, how="none", succeeded=False, noise=True)
    places = Places(warehouse=bakery, data=tmp_path / "data")
    audit = Assembled(places, plan_of(places).settings).audit
    for entry in (answered, busy, scanned):
        audit.append(entry)
    audit.close()

    shown = mart("status").out
    assert "Queries of the last 24 hours" in shown
    for told in (
        "dashboard",
        "50.0%",
        "12.2",
        "bread, dashboard: without an answer: busy 1",
        "besides 1 try by nobody",
    ):
        assert told in shown
    assert max(map(len, shown.splitlines())) <= 100
    [queries] = mart("status", "--json").document["door"]["queries"]
    assert (queries["mart"], queries["queries"], queries["refused"]) == ("bread", 2, {"busy": 1})
    assert mart("status", "cake", "--json").document["door"]["queries"] == []
