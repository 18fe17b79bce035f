"""What a run does with deliveries that are not as they were before."""

from typing import Any

import pytest

from mart_platform.runs import starting
from mart_platform.runs.compacting import compact
from mart_platform.runs.inspecting import table_status
from mart_platform.spec.problems import UserError
from mart_platform_tests.runs.shop import Shop

CUSTOMERS = "customer_id,full_name,email,country\n"


def test_a_delivery_of_which_no_row_keeps_the_contract_is_refused(built_shop: Shop) -> None:
    before = built_shop.ask("SELECT count(*) FROM orders.customer")
    built_shop.deliver("customers", "2026-10-04.csv", f"{CUSTOMERS}C1,Ada,x,GB\nC2,Grace,y,US\n")
    with pytest.raises(UserError, match="none of its 2 rows keeps the contract; the first: email_matches"):
        built_shop.build()
    assert built_shop.ask("SELECT count(*) FROM orders.customer") == before


def test_a_refused_delivery_is_told_until_another_one_lands(built_shop: Shop) -> None:
    built_shop.deliver("customers", "2026-10-04.csv", CUSTOMERS + "C1,Ada,no-address,GB\n")
    with pytest.raises(UserError):
        built_shop.build()
    refused = table_status(built_shop.platform, built_shop.plan, "shop.customers").refused
    assert refused is not None
    assert refused.details["position"].endswith("2026-10-04.csv")
    built_shop.deliver("customers", "2026-10-04.csv", CUSTOMERS + "C1,Ada,ada@example.com,GB\n")
    built_shop.build()
    assert table_status(built_shop.platform, built_shop.plan, "shop.customers").refused is None


def test_an_older_snapshot_that_comes_again_does_not_replace_the_newest(built_shop: Shop) -> None:
    before = built_shop.ask("SELECT * FROM canonical.customer ORDER BY ALL")
    built_shop.deliver("customers", "2026-10-02.csv", CUSTOMERS + "C9,Corrected,late@example.com,DE\n")
    built_shop.build()
    assert built_shop.ask("SELECT * FROM canonical.customer ORDER BY ALL") == before


def test_a_column_that_was_added_later_can_be_declared(built_shop: Shop) -> None:
    with_tier = "customer_id,full_name,email,country,tier\nC1,Ada,,GB,gold\n"
    built_shop.deliver("customers", "2026-10-04.csv", with_tier)
    warned = built_shop.build()["shop.customers"].warnings
    assert "optional: true" in str(warned)
    country = "      country:     {type: string, length: 2}"
    tier = "      tier:        {type: string, optional: true}"
    built_shop.edit("sources/shop/source.yaml", country, f"{country}\n{tier}")
    built_shop.edit("canonical/customer.py", "customers.with", 'customers.drop("tier").with')
    built_shop.build()
    assert built_shop.ask("SELECT tier FROM shop.customers") == [("gold",)]
    built_shop.deliver("customers", "2026-10-05.csv", CUSTOMERS + "C1,Ada,,GB\n")
    built_shop.build()
    assert built_shop.ask("SELECT tier FROM shop.customers") == [(None,)]


def answers(shop: Shop) -> list[list[tuple[Any, ...]]]:
    return [
        shop.ask(f"SELECT * FROM {table} ORDER BY ALL") for table in ("shop.orders", "canonical.order_line")
    ]


def test_a_lost_ledger_is_written_again_from_the_log_and_what_compaction_joined_is_read_once(
    shop: Shop,
) -> None:
    empty = shop.copy_of_ledger()
    with (shop.folder / "settings.yaml").open("a") as settings:
        settings.write("maintenance: {compact: {files: 1}}\n")
    shop.build()
    run = shop.begin()
    assert "shop.orders" in [worked.table for worked in compact(shop.platform, shop.plan, run)]
    starting.end(shop.platform, run, succeeded=True)
    header, line, *_ = shop.export("orders", "2026-10-03.csv").splitlines(keepends=True)
    shop.deliver("orders", "2026-10-04.csv", header + line)
    shop.build()
    before, batches = answers(shop), shop.platform.ledger.batches("shop.orders")
    shop.reopen_with(empty)
    reports = shop.build()
    assert reports["shop.orders"].reason == "3 batches of the lake were missing in the ledger"
    assert shop.platform.ledger.batches("shop.orders") == batches
    assert answers(shop) == before
    assert "shop.orders" not in shop.todo().tables


def test_a_source_is_played_by_the_business_clock(shop: Shop) -> None:
    shop.edit(
        "sources/shop/source.yaml", "    key: [order_id, line]", "    key: [order_id, line]\n    replay: {}"
    )
    shop.edit("settings.yaml", "2026-10-03T04:00:00Z", "2026-09-01T00:00:00Z")
    shop.reopen()
    with pytest.raises(UserError, match="is played by the business clock"):
        shop.step(shop.begin(), "shop.orders")
