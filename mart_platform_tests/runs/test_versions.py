"""Old versions: which there are, how they are read, and what is said when they are not there any more."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

import pytest

from mart_platform.assembly import Assembled
from mart_platform.ports import Engine, EngineSession, Ledger, Relation
from mart_platform.runs import publishing, versions
from mart_platform.runs.exporting import export_mart
from mart_platform.runs.leasing import this_process
from mart_platform.runs.querying import ONLY, Wanted, ask, query
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Reading, VersionName
from mart_platform_tests.runs.shop import Shop
from mart_platform_tests.runs.test_building import LATER, ORDERS
from mart_platform_tests.runs.test_snapshots import add_report

LINES = "SELECT count(*) FROM orders.order_line"


def deliver_more(shop: Shop, day: int = 4) -> None:
    """Let one more order arrive, and build."""
    shop.deliver("orders", f"2026-10-{day:02}.csv", ORDERS + LATER.replace("100050", f"1000{day}0"))
    shop.build()


def remove_files_of(shop: Shop, number: int, table: str) -> None:
    """Remove what only one publication holds of a table, as the vacuum does."""
    publications = shop.platform.ledger.publications("orders")
    held = {
        p.number: {file.path for file in publishing.versions_of(shop.platform, p)[table].files}
        for p in publications
    }
    others = set[str]().union(*(paths for other, paths in held.items() if other != number))
    for path in held[number] - others:
        shop.platform.data.absolute(path).unlink()


def test_versions_are_listed_newest_first_with_what_changed(built_shop: Shop) -> None:
    deliver_more(built_shop)
    found = versions.history(built_shop.platform, built_shop.plan, "orders").versions
    assert [(line.publication.number, line.state) for line in found] == [(2, "live"), (1, "earlier")]
    newest, first = found
    assert newest.changed == ("orders.order_line", "orders.daily")
    assert set(first.changed) == set(first.publication.tables)
    assert newest.rows is not None
    assert first.rows is not None
    assert newest.rows > first.rows
    assert newest.gone == first.gone == ()


def test_only_so_many_versions_are_listed_as_are_asked_for(built_shop: Shop) -> None:
    deliver_more(built_shop)
    [newest] = versions.history(built_shop.platform, built_shop.plan, "orders", limit=1).versions
    assert newest.changed == ("orders.order_line", "orders.daily")


def test_versions_whose_files_were_removed_are_shown_as_such(built_shop: Shop) -> None:
    deliver_more(built_shop)
    remove_files_of(built_shop, 1, "orders.daily")
    newest, first = versions.history(built_shop.platform, built_shop.plan, "orders").versions
    assert (newest.gone, first.gone, first.rows) == ((), ("orders.daily",), None)


def test_an_old_version_is_read_as_it_was(built_shop: Shop) -> None:
    [(before,)] = built_shop.ask(LINES)
    deliver_more(built_shop)
    platform, plan = built_shop.platform, built_shop.plan
    for wanted in (Wanted({ONLY: "1"}), Wanted({"orders": "1"})):
        answer = ask(platform, plan, LINES, wanted)
        assert answer.frame.rows() == [(before,)]
        assert [(read.table, read.publication) for read in answer.read] == [("orders.order_line", 1)]
    assert built_shop.ask(LINES) == [(before + 1,)]


def test_what_was_live_at_a_moment_is_read_with_what_was_built_then(built_shop: Shop) -> None:
    tables = ("canonical.order_line", "orders.order_line", "shop.orders")
    both = " UNION ALL ".join(f"SELECT '{table}' AS name, count(*) AS n FROM {table}" for table in tables)
    both = f"FROM ({both}) ORDER BY name"
    before = built_shop.ask(both)
    then = built_shop.platform.clock.wall()
    deliver_more(built_shop)
    answer = ask(built_shop.platform, built_shop.plan, both, Wanted(as_of=then))
    assert answer.frame.rows() == before != built_shop.ask(both)
    assert {read.table: read.publication for read in answer.read} == dict(
        zip(tables, (None, 1, None), strict=True)
    )
    assert all(read.at <= then for read in answer.read)


def test_versions_of_several_marts_are_chosen_by_name(built_shop: Shop) -> None:
    add_report(built_shop, "SELECT sum(lines)::BIGINT AS lines FROM orders.daily")
    run = built_shop.begin()
    built_shop.step(run, "reports.total")
    publishing.publish_mart(built_shop.platform, built_shop.plan, run, "reports")
    before = built_shop.ask(LINES)
    deliver_more(built_shop)
    both = (
        "SELECT sum(o.lines)::BIGINT AS n, any_value(t.lines) AS m FROM orders.daily AS o, reports.total AS t"
    )
    platform, plan = built_shop.platform, built_shop.plan
    assert query(platform, plan, both, Wanted({"orders": "1"})).rows()[0][0] == before[0][0]
    with pytest.raises(UserError, match="tables of orders, reports: say of which mart"):
        ask(platform, plan, both, Wanted({ONLY: "1"}))
    with pytest.raises(UserError, match="reads no table of reports"):
        ask(platform, plan, LINES, Wanted({"reports": "1"}))


@pytest.mark.parametrize(
    ("sql", "wanted", "told"),
    [
        (LINES, Wanted({ONLY: "7"}), "orders has no publication 7. There are: 1, 'live' and 'shadow'"),
        (LINES, Wanted({ONLY: "shadow"}), "orders has no shadow; `mart build orders --shadow`"),
        ("SELECT 1 FROM canonical.customer", Wanted({ONLY: "1"}), "tables of no mart"),
        ("SELECT 1 FROM orders.dayly", Wanted({ONLY: "1"}), "Did you mean 'orders.daily'"),
    ],
)
def test_a_version_that_is_not_there_is_a_sentence(
    built_shop: Shop, sql: str, wanted: Wanted, told: str
) -> None:
    with pytest.raises(UserError) as refused:
        ask(built_shop.platform, built_shop.plan, sql, wanted)
    assert told in str(refused.value)


def test_a_moment_before_the_first_publication_is_a_sentence(shop: Shop) -> None:
    then = shop.platform.clock.wall()
    shop.build()
    for sql, told in ((LINES, "not published yet at"), ("FROM canonical.customer", "had no data yet at")):
        with pytest.raises(UserError, match=told):
            ask(shop.platform, shop.plan, sql, Wanted(as_of=then))


def test_a_version_whose_files_were_removed_cannot_be_read(built_shop: Shop) -> None:
    then = built_shop.platform.clock.wall()
    deliver_more(built_shop)
    remove_files_of(built_shop, 1, "orders.daily")
    platform, plan = built_shop.platform, built_shop.plan
    for wanted in (Wanted({ONLY: "1"}), Wanted(as_of=then)):
        with pytest.raises(
            UserError, match=r"orders\.daily in publication 1 of orders cannot be read any more"
        ):
            ask(platform, plan, "FROM orders.daily", wanted)
        assert ask(platform, plan, "FROM orders.customer", wanted).frame.height > 0


class WatchedEngine:
    """An engine that notes what the ledger knows to be read while its sessions are open."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self._engine, self._ledger = engine, ledger
        self.seen: list[list[Reading]] = []

    @contextmanager
    def session(self, relations: Iterable[Relation]) -> Iterator[EngineSession]:
        with self._engine.session(relations) as session:
            self.seen.append(self._ledger.readings())
            yield session


class WatchedPlatform(Assembled):
    @cached_property
    def engine(self) -> WatchedEngine:
        return WatchedEngine(Assembled(self.places, self.settings).engine, self.ledger)


def test_what_a_query_reads_is_in_the_ledger_until_it_ends(built_shop: Shop) -> None:
    platform = WatchedPlatform(built_shop.places, built_shop.plan.settings)
    ask(platform, built_shop.plan, LINES)
    [[reading]] = platform.engine.seen
    published = built_shop.live.tables["orders.order_line"]
    assert reading.tables == {
        "orders.order_line": VersionName(fingerprint=published.fingerprint, version=published.version)
    }
    assert reading.holder == this_process()
    with pytest.raises(UserError):
        ask(platform, built_shop.plan, "SELECT nothing FROM orders.order_line")
    assert platform.ledger.readings() == []


def test_two_versions_of_a_table_are_kept_at_once(built_shop: Shop) -> None:
    deliver_more(built_shop)
    platform = built_shop.platform
    found = [
        publishing.versions_of(platform, publication)["orders.daily"]
        for publication in platform.ledger.publications("orders")
    ]
    with versions.keeping(platform, found):
        kept = {reading.tables["orders.daily"].version for reading in platform.ledger.readings()}
    assert kept == {version.id for version in found}
    assert platform.ledger.readings() == []


def test_an_export_ends_its_reading(built_shop: Shop) -> None:
    file = built_shop.places.data / "orders.duckdb"
    assert export_mart(built_shop.platform, built_shop.plan, "orders", file)["daily"] > 0
    assert built_shop.platform.ledger.readings() == []


def test_what_was_restated_since_the_version_before_is_listed(built_shop: Shop) -> None:
    platform, plan = built_shop.platform, built_shop.plan
    assert versions.restated(platform, plan, "orders") == []
    deliver_more(built_shop)
    lines = versions.restated(platform, plan, "orders")
    assert {(line.table, line.added) for line in lines} >= {("orders.order_line", 1)}
    assert {line.table for line in lines} <= {"orders.order_line", "orders.daily"}
    deliver_more(built_shop, 5)
    newest = versions.restated(platform, plan, "orders")
    assert {line.run for line in newest}.isdisjoint(line.run for line in lines)


def test_an_unknown_mart_is_a_sentence(built_shop: Shop) -> None:
    with pytest.raises(UserError, match="Did you mean 'orders'"):
        versions.history(built_shop.platform, built_shop.plan, "order")
