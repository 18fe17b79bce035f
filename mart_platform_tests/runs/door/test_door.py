"""The path of a governed query, from who asks to the receipt, over a real platform."""

import hashlib
import hmac
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import polars as pl
import pytest

from mart_platform.adapters.queries import DuckDBQueries
from mart_platform.assembly import Assembled
from mart_platform.gate.questions import Refused
from mart_platform.ports import AuditUnavailable, Cancel, Execution, Result
from mart_platform.runs.access.callers import Caller, Proof
from mart_platform.runs.access.credentials import set_secret
from mart_platform.runs.access.granting import grant_role
from mart_platform.runs.door.asking import Asked, Reply
from mart_platform.runs.door.door import Door
from mart_platform.runs.door.limits import Holder, Limits
from mart_platform.runs.door.replaying import replay
from mart_platform.spec.entries import QueryEntry
from mart_platform.spec.problems import UserError
from mart_platform_tests.fakes import KnownSecrets, MemoryAudit
from mart_platform_tests.runs.shop import Shop

KEY = "the key of the masks"
SPENDS = "spend_per_day: 5"
PRINCIPALS = """\
principals:
  mia:
    roles: [orders.shop_management]
  carl:
    roles: [orders.country_manager]
    attributes: {country: DE}
  fred:
    roles: [orders.country_manager]
    attributes: {country: FR}
  screen:
    kind: service
    roles: [orders.shop_management]
    budget: {lane: dashboard, rows: 3}
"""
MORE = """order_id,line,customer_id,product,quantity,price,status,ordered_at,exported_at
100090,1,C1,desk,1,10.00,paid,2026-10-03 10:00:00,2026-10-04 02:00:00
"""
CUSTOMERS = "SELECT customer_id, country, email FROM orders.customer ORDER BY customer_id"
TOTAL = "SELECT ordered_on, sum(net_amount) AS amount FROM orders.order_line GROUP BY ALL ORDER BY ALL"


class KeyedPlatform(Assembled):
    """The real thing, with a key for its masks."""

    @cached_property
    def secrets(self) -> KnownSecrets:
        return KnownSecrets({"mask_key": KEY})


class Forgetful(KeyedPlatform):
    """One whose audit log can be full."""

    @cached_property
    def audit(self) -> MemoryAudit:
        return MemoryAudit()


class Guarded(Shop):
    """A shop with principals, which has a door once it is opened."""

    kind: type[Assembled] = KeyedPlatform
    door: Door

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (self.folder / "principals.yaml").write_text(PRINCIPALS, encoding="utf-8")

    def open_door(self) -> None:
        """Open the door, as a process would that has just begun."""
        self.platform = self.opened()
        self.door = Door(self.platform, lambda: self.plan)

    def opened(self) -> Assembled:
        return self.kind(self.places, self.plan.settings)

    def caller(self, name: str) -> Caller:
        secret = f"correct horse battery {name[::-1]}"
        set_secret(self.platform, self.plan, name, secret, "test")
        return self.door.connect(name, secret, "10.0.0.1")

    def reply(self, name: str, text: str, **more: object) -> Reply:
        return self.door.ask(self.caller(name), Asked(text, **more))  # type: ignore[arg-type]  # told by name

    def rows(self, name: str, text: str, **more: object) -> list[tuple[object, ...]]:
        reply = self.reply(name, text, **more)
        with reply.result.open() as stream:
            rows = pl.read_ipc_stream(stream).rows()
        reply.result.close()
        return rows

    def refused(self, name: str, text: str, **more: object) -> Refused:
        with pytest.raises(Refused) as refused:
            self.reply(name, text, **more)
        return refused.value

    def entries(self) -> list[QueryEntry]:
        return [each.entry for each in self.platform.audit.entries() if isinstance(each.entry, QueryEntry)]


class Meanwhile(DuckDBQueries):
    """The engine, during each of whose queries something else happens."""

    happens: Callable[[], None] = staticmethod(lambda: None)

    def run(self, execution: Execution, cancel: Cancel | None = None) -> Result:
        self.happens()
        return super().run(execution, cancel)


class EventfulPlatform(KeyedPlatform):
    @cached_property
    def queries(self) -> Meanwhile:
        return Meanwhile(self.data, self.settings.serving)


class Eventful(Guarded):
    kind = EventfulPlatform


class GuardedByMemory(Guarded):
    kind = Forgetful


class FullDisk(DuckDBQueries):
    """An engine that cannot write what it finds."""

    error: Exception = UserError("the disk is full")

    def run(self, execution: Execution, cancel: Cancel | None = None) -> Result:
        raise self.error


class KeylessPlatform(Assembled):
    """The real thing, with nothing in its vault."""

    @cached_property
    def secrets(self) -> KnownSecrets:
        return KnownSecrets({})


class WithoutKey(Guarded):
    kind = KeylessPlatform


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that is built and published, to be copied."""
    folder = tmp_path_factory.mktemp("built")
    shop = Guarded(folder)
    shop.build()
    shop.platform.ledger.close()
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "copy", symlinks=True))


@pytest.fixture
def shop(folder: Path) -> Iterator[Guarded]:
    shop = Guarded(folder)
    shop.open_door()
    yield shop
    shop.door.close()


class TestWhatIsSeen:
    def test_each_sees_the_rows_and_the_values_of_its_roles(self, shop: Guarded) -> None:
        everybody = shop.ask("SELECT customer_id, country, email FROM orders.customer ORDER BY customer_id")
        assert {row[1] for row in everybody} > {"DE", "FR"}
        assert shop.rows("mia", CUSTOMERS) == [(key, country, None) for key, country, _ in everybody]
        hashed = [
            (key, country, email and hmac.new(KEY.encode(), email.encode(), hashlib.sha256).hexdigest())
            for key, country, email in everybody
            if country == "DE"
        ]
        assert shop.rows("carl", CUSTOMERS) == hashed

    def test_no_answer_of_one_is_given_to_another(self, shop: Guarded) -> None:
        of_carl, of_fred = (shop.rows(name, TOTAL) for name in ("carl", "fred"))
        assert of_carl != of_fred
        assert shop.rows("carl", TOTAL) == of_carl
        assert [entry.outcome for entry in shop.entries()] == ["answered", "answered", "cached"]

    def test_a_table_that_is_hidden_is_one_that_is_not_there(self, shop: Guarded) -> None:
        said = [
            (refused.code, refused.sentence.replace(name, "…"), refused.remedy)
            for name in ("orders.product", "orders.nothing", "hidden.customer")
            for refused in [shop.refused("carl", f"SELECT * FROM {name}")]
        ]
        assert len(set(said)) == 1

    def test_a_grant_holds_from_the_next_look_on(self, shop: Guarded) -> None:
        shop.platform.clock.wall()
        before = shop.rows("carl", "SELECT count(*) FROM orders.customer")
        grant_role(shop.platform, shop.plan, "carl", "orders.shop_management", by="test")
        shop.door.refresh()
        assert shop.rows("carl", "SELECT count(*) FROM orders.customer") > before

    def test_an_error_says_nothing_of_a_value(self, shop: Guarded) -> None:
        refused = shop.refused("mia", "SELECT customer_id::INTEGER FROM orders.customer")
        assert refused.code == "conversion"
        assert "C1" not in str(refused)
        assert "C1" in shop.entries()[-1].detail


class TestVersions:
    def test_a_new_publication_is_seen_and_the_old_one_can_be_asked_for(self, shop: Guarded) -> None:
        before = shop.rows("mia", TOTAL)
        shop.deliver("orders", "2026-10-04.csv", MORE)
        shop.build()
        assert shop.rows("mia", TOTAL) == before, "nobody has looked yet"
        shop.door.refresh()
        after = shop.rows("mia", TOTAL)
        assert after != before
        assert shop.rows("mia", TOTAL, versions={"orders": "1"}) == before
        assert shop.rows("mia", TOTAL.replace("orders.", "orders@1.")) == before
        assert shop.rows("mia", TOTAL.replace("orders.", "orders@live.")) == after

    def test_a_version_that_never_was_is_told(self, shop: Guarded) -> None:
        assert shop.refused("mia", TOTAL.replace("orders.", "orders@99.")).code == "no_version"

    def test_two_versions_of_a_mart_are_not_mixed(self, shop: Guarded) -> None:
        shop.deliver("orders", "2026-10-04.csv", MORE)
        shop.build()
        mixed = "SELECT count(*) FROM orders@1.customer, orders@2.daily"
        assert shop.refused("mia", mixed).code in ("not_allowed", "no_version")


class TestOnRecord:
    def test_each_query_leaves_one_entry_whatever_came_of_it(self, shop: Guarded) -> None:
        shop.rows("mia", TOTAL)
        shop.refused("mia", "DROP TABLE orders.daily")
        shop.refused("mia", "SELECT customer_id::INTEGER FROM orders.customer")
        answered, refused, failed = shop.entries()
        assert (answered.outcome, refused.outcome, failed.outcome) == ("answered", "refused", "failed")
        assert answered.rows == len(shop.rows("mia", TOTAL))
        assert answered.cpu_seconds > 0
        assert answered.bytes_read > 0
        assert answered.price > 0
        assert {"policy", "gate", "price", "cache", "wait", "execute"} <= answered.steps.keys()
        assert answered.versions == {"orders": 1}
        assert shop.platform.audit.verify() == []

    def test_a_full_disk_is_no_bug_and_a_bug_is_on_record_too(self, shop: Guarded) -> None:
        queries = FullDisk(shop.platform.data, shop.plan.settings.serving)
        shop.door.close()
        shop.platform = shop.opened()
        shop.platform.__dict__["queries"] = queries
        shop.door = Door(shop.platform, lambda: shop.plan)
        assert shop.refused("mia", TOTAL).code == "not_ready"
        queries.error = ZeroDivisionError("a bug")
        with pytest.raises(ZeroDivisionError):
            shop.reply("mia", TOTAL)
        ended = [(entry.outcome, entry.code, entry.detail) for entry in shop.entries()]
        assert ended == [
            ("failed", "not_ready", "the disk is full"),
            ("failed", "our_bug", "ZeroDivisionError: a bug"),
        ]

    def test_where_nothing_can_be_recorded_nothing_is_answered(self, folder: Path) -> None:
        shop = GuardedByMemory(folder)
        shop.open_door()
        mia = shop.caller("mia")
        audit = shop.platform.audit
        assert isinstance(audit, MemoryAudit)
        audit.full = True
        for text in (TOTAL, "no query at all"):
            with pytest.raises(AuditUnavailable):
                shop.door.ask(mia, Asked(text))
        audit.full = False
        assert shop.door.ask(mia, Asked(TOTAL)).receipt.rows > 0
        shop.door.close()

    def test_a_receipt_says_what_the_answer_rests_on_and_gives_it_again(self, shop: Guarded) -> None:
        reply = shop.reply("carl", CUSTOMERS, receipt=True)
        receipt = reply.receipt
        assert receipt.versions == {"orders": 1}
        assert receipt.watermarks == {"orders": shop.live.watermark}
        assert receipt.masked == {"orders.customer.email": "hmac"}
        assert receipt.filtered == ("orders.customer",)
        assert receipt.checks["passed"] > 0
        assert shop.door.receipt(shop.caller("carl"), receipt.id) == receipt
        with pytest.raises(LookupError):
            shop.door.receipt(shop.caller("fred"), receipt.id)
        elsewhere = Proof("carl", "token", "", scope=("stock",))
        with pytest.raises(LookupError):
            shop.door.receipt(replace(shop.caller("carl"), proof=elsewhere), receipt.id)
        shop.deliver("orders", "2026-10-04.csv", MORE)
        shop.build()
        again = replay(shop.platform, shop.plan, receipt.id)
        assert (again.same, again.rows) == (True, receipt.rows)

    def test_an_answer_is_replayed_under_the_rights_that_it_began_with(self, folder: Path) -> None:
        shop = Eventful(folder)
        shop.open_door()
        queries, approval = shop.platform.queries, shop.platform.directory.approval("orders")
        assert isinstance(queries, Meanwhile)
        assert approval is not None
        narrower = approval.rights.model_copy(update={"roles": {}})

        def revoke() -> None:
            shop.platform.directory.approve(approval.model_copy(update={"rights": narrower}))
            shop.door.refresh()

        queries.happens = revoke
        receipt = shop.reply("carl", CUSTOMERS, receipt=True).receipt
        assert shop.refused("carl", CUSTOMERS).code == "unknown_table"
        queries.happens = Meanwhile.happens
        assert replay(shop.platform, shop.plan, receipt.id).same
        shop.door.close()

    def test_an_answer_that_was_never_given_is_not_replayed(self, shop: Guarded) -> None:
        shop.refused("mia", "DROP TABLE orders.daily")
        with pytest.raises(UserError, match="refused, so there is nothing to replay"):
            replay(shop.platform, shop.plan, shop.entries()[-1].id)
        with pytest.raises(UserError, match="no query nothing"):
            replay(shop.platform, shop.plan, "nothing")


class TestBudgets:
    def test_an_answer_with_more_rows_than_its_budget_is_ended_also_from_the_cache(
        self, shop: Guarded
    ) -> None:
        four = "SELECT customer_id FROM orders.customer LIMIT 4"
        refused = shop.refused("screen", four)
        assert refused.code == "too_many_rows"
        assert "the limit of principal screen; by then it had cost 0.0" in refused.sentence
        assert len(shop.rows("mia", four)) == 4
        assert shop.refused("screen", four).code == "too_many_rows"

    def test_what_was_spent_is_known_after_the_door_was_closed(self, shop: Guarded) -> None:
        shop.edit("marts/orders/mart.yaml", SPENDS, "spend_per_day: 0.0000000001")
        shop.rows("mia", TOTAL)
        shop.door.close()
        shop.build()
        shop.open_door()
        refused = shop.refused("mia", CUSTOMERS)
        assert refused.code == "over_budget"
        assert "mart orders" in refused.sentence

    def test_what_is_spent_while_a_query_waits_for_its_turn_counts(self, shop: Guarded) -> None:
        shop.edit("marts/orders/mart.yaml", SPENDS, "spend_per_day: 1")
        shop.build()
        shop.door.refresh()
        answerer, codes = shop.door._answerer, list[str]()
        place = Limits("ad-hoc", (), None, None, None, (), ())
        asking = threading.Thread(target=lambda: codes.append(shop.refused("mia", TOTAL).code))
        with ExitStack() as places:
            for _ in range(answerer.settings.workers):
                places.enter_context(answerer.turnstile.passed(place, 1.0))
            asking.start()
            asking.join(0.5)
            assert codes == []
            answerer.spending.spend([Holder("mart", "orders")], 1.0, shop.platform.clock.wall().date())
        asking.join(30)
        assert codes == ["over_budget"]

    def test_a_query_over_its_budget_is_answered_from_a_table_that_holds_its_sums(
        self, tmp_path: Path
    ) -> None:
        shop = Guarded(tmp_path)
        shop.edit(
            "marts/orders/tables/daily.yaml",
            "key: [ordered_on, country]\n",
            "key: [ordered_on, country]\n"
            "holds: [{of: orders.order_line, by: [ordered_on], sums: [net_amount], rows: lines}]\n",
        )
        shop.edit("settings.yaml", "zone: Europe/Berlin\n", SERVING)
        shop.build()
        shop.open_door()
        table, aggregate = (
            shop.door.estimate(shop.caller("mia"), Asked(f"SELECT sum(net_amount) FROM orders.{name}")).price
            for name in ("order_line", "daily")
        )
        assert table > aggregate
        right = shop.ask("SELECT sum(net_amount) FROM orders.order_line")
        shop.edit("marts/orders/mart.yaml", SPENDS, f"spend_per_day: {(table + aggregate) / 2:.12f}")
        shop.build()
        shop.door.close()
        shop.open_door()
        assert shop.rows("mia", "SELECT sum(net_amount) FROM orders.order_line") == right
        assert shop.entries()[-1].answered_from == "orders.daily"
        refused = shop.refused("mia", "SELECT max(net_amount) FROM orders.order_line")
        assert refused.code == "over_budget"
        shop.door.close()


SERVING = """zone: Europe/Berlin
serving: {prices: {cpu_second: 0, gigabyte: 1000}}
"""


class TestTheDoor:
    def test_a_query_without_a_key_that_its_masks_need_is_refused(self, folder: Path) -> None:
        shop = WithoutKey(folder)
        shop.open_door()
        refused = shop.refused("carl", CUSTOMERS)
        assert refused.code == "not_ready"
        assert shop.rows("carl", "SELECT count(*) FROM orders.customer")
        shop.door.close()

    def test_a_closed_door_answers_nothing_and_waits_for_who_is_inside(self, shop: Guarded) -> None:
        mia = shop.caller("mia")
        inside = threading.Event()

        def ask() -> None:
            inside.set()
            answered.append(shop.door.ask(mia, Asked(TOTAL)).receipt.rows)

        answered: list[int] = []
        thread = threading.Thread(target=ask)
        thread.start()
        inside.wait(10)
        thread.join(30)
        shop.door.close()
        assert answered
        assert not shop.door.is_open
        with pytest.raises(Refused, match="closing"):
            shop.door.ask(mia, Asked(TOTAL))
