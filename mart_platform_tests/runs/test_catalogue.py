"""The catalogue tells of what may be read, and of nothing else."""

from pathlib import Path

import pytest

from mart_platform.runs import catalogue
from mart_platform.runs.catalogue import Seen
from mart_platform_tests.runs.shop import Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(Path(tmp_path_factory.mktemp("catalogue")) / "shop")
    shop.build()
    return shop


def everything(shop: Shop) -> dict[str, dict[str, str]]:
    names = [name for mart in shop.plan.marts.values() for name in mart.tables]
    return {name: dict.fromkeys(shop.plan.tables[name].types, "clear") for name in names}


def without(shop: Shop, *columns: str) -> Seen:
    seen = everything(shop)
    for column in columns:
        table, _, name = column.rpartition(".")
        del seen[table][name]
    return seen


def test_who_may_read_nothing_finds_nothing(shop: Shop) -> None:
    assert catalogue.marts(shop.platform, shop.plan, {}) == ()
    for name in ("orders", "nothing", "canonical"):
        with pytest.raises(catalogue.NotSeen):
            catalogue.mart(shop.platform, shop.plan, {}, name)


@pytest.mark.parametrize(
    "name", ["orders.customer", "orders.nothing", "canonical.customer", "shop.orders", "x"]
)
def test_a_table_that_may_not_be_read_is_not_there(shop: Shop, name: str) -> None:
    seen = {"orders.daily": {"country": "clear"}}
    with pytest.raises(catalogue.NotSeen):
        catalogue.table(shop.platform, shop.plan, seen, name)


def test_tables_outside_of_marts_are_not_there_whoever_asks(shop: Shop) -> None:
    seen = {"canonical.customer": {"email": "clear"}}
    assert catalogue.marts(shop.platform, shop.plan, seen) == ()
    with pytest.raises(catalogue.NotSeen):
        catalogue.table(shop.platform, shop.plan, seen, "canonical.customer")


def test_a_hidden_column_is_named_nowhere(shop: Shop) -> None:
    seen = without(shop, "orders.daily.net_amount")
    told = catalogue.table(shop.platform, shop.plan, seen, "orders.daily").model_dump_json()
    told += catalogue.mart(shop.platform, shop.plan, seen, "orders").model_dump_json()
    # The mart's question reads order_line.net_amount, which is seen; what is left of the name is that.
    assert "orders.daily.net_amount" not in told
    assert "Money ordered" not in told
    assert "net_amount is at most" not in told
    assert catalogue.search(shop.platform, shop.plan, seen, "money ordered") == ()


def test_a_question_that_reads_a_hidden_column_is_not_asked(shop: Shop) -> None:
    assert catalogue.mart(shop.platform, shop.plan, everything(shop), "orders").questions
    for hidden in ("orders.customer.country", "orders.order_line.net_amount"):
        assert catalogue.mart(shop.platform, shop.plan, without(shop, hidden), "orders").questions == ()
    daily = {"orders.daily": everything(shop)["orders.daily"]}
    assert catalogue.mart(shop.platform, shop.plan, daily, "orders").questions == ()


def test_a_check_against_a_hidden_table_is_not_told(shop: Shop) -> None:
    lines = {"orders.order_line": everything(shop)["orders.order_line"]}
    alone = catalogue.table(shop.platform, shop.plan, lines, "orders.order_line")
    whole = catalogue.table(shop.platform, shop.plan, everything(shop), "orders.order_line")
    assert {check.name for check in whole.checks} - {check.name for check in alone.checks} == {
        "customer_id_references"
    }
    assert "orders.customer" not in alone.model_dump_json()


def test_lineage_names_no_hidden_column_of_a_mart(shop: Shop) -> None:
    seen = without(shop, "orders.customer.country")
    (country,) = (
        column
        for column in catalogue.table(shop.platform, shop.plan, seen, "orders.daily").columns
        if column.name == "country"
    )
    assert "orders.customer.country" not in country.lineage


def test_a_key_that_is_hidden_in_part_is_no_key(shop: Shop) -> None:
    seen = without(shop, "orders.daily.country")
    assert catalogue.table(shop.platform, shop.plan, seen, "orders.daily").key == ()


def test_checks_say_how_they_went_on_what_is_live(shop: Shop) -> None:
    page = catalogue.table(shop.platform, shop.plan, everything(shop), "orders.order_line")
    verdicts = {check.name: check.verdict for check in page.checks}
    assert verdicts["no_money_lost"] == "passed"
    assert "none" not in verdicts.values()


def test_the_card_of_a_mart_says_what_is_live(shop: Shop) -> None:
    (card,) = catalogue.marts(shop.platform, shop.plan, everything(shop))
    assert card.live
    assert (card.live.number, card.live.state, card.live.watermark) == (
        shop.live.number,
        "live",
        shop.watermark,
    )
    assert card.staleness is not None


def test_a_search_looks_at_everything_that_may_be_read(shop: Shop) -> None:
    seen = everything(shop)

    def hits(text: str) -> set[str | None]:
        found = catalogue.search(shop.platform, shop.plan, seen, text)
        return {f"{hit.table}.{hit.column}" for finding in found for hit in finding.hits}

    assert "orders.daily.net_amount" in hits("BROUGHT mistake")
    assert "orders.order_line.net_amount" in hits("net amount")
    assert len(catalogue.search(shop.platform, shop.plan, seen, "shop-analytics")) == 1
    assert len(catalogue.search(shop.platform, shop.plan, seen, "")) == 1
    assert catalogue.search(shop.platform, shop.plan, seen, "dinosaurs") == ()
