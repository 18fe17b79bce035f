from pathlib import Path

import dagster as dg

from mart_platform.orchestration.assets import assets_of
from mart_platform.orchestration.naming import publication_key, table_key
from mart_platform_tests.orchestration.shop import Shop


def test_a_table_says_what_it_holds_where_it_is_declared_and_what_it_is_made_of(published: Shop) -> None:
    spec = specs(published)[table_key("canonical.order_line")]
    assert spec.description is not None
    assert "One row per `order_id`, `line`." in spec.description
    assert "| `net_amount` | decimal(18,2) | Price times quantity before tax. In EUR. |" in spec.description
    assert "```sql\nSELECT" in spec.description
    assert spec.code_version == published.plan.tables["canonical.order_line"].fingerprint

    (reference,) = spec.metadata["dagster/code_references"].code_references
    assert Path(reference.file_path) == published.places.warehouse / "canonical" / "order_line.sql"
    lineage = spec.metadata["dagster/column_lineage"].deps_by_column
    made_of = {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage["net_amount"]}
    assert made_of == {("shop/orders", "price"), ("shop/orders", "quantity")}


def test_columns_show_their_label_and_what_is_promised_of_them(published: Shop) -> None:
    spec = specs(published)[table_key("canonical.customer")]
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    assert columns["email"].tags == {"sensitive": "email"}
    assert columns["customer_id"].tags == {}
    assert not columns["customer_id"].constraints.nullable
    assert columns["customer_id"].constraints.unique
    assert spec.tags["mart/sensitive"] == "yes"


def test_a_table_that_reads_another_mart_comes_after_its_publication(shop: Shop) -> None:
    add_mart_that_reads_orders(shop)
    spec = specs(shop)[table_key("report.best")]
    assert {dep.asset_key for dep in spec.deps} == {table_key("orders.daily"), publication_key("orders")}
    outcome = shop.build()
    assert outcome.succeeded, outcome.failures
    assert [report.mart for report in outcome.marts] == ["orders", "report"]


def test_only_what_blocks_a_publication_blocks_in_dagster(published: Shop) -> None:
    checks = {
        check.name: check.blocking for asset in assets_of(published.plan) for check in asset.check_specs
    }
    assert checks["no_line_lost"]
    assert not checks["customer_id_references"]
    assert not checks["contract"]
    assert not checks["orders_fresh"]


def specs(shop: Shop) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for asset in assets_of(shop.plan) for spec in asset.specs}


def add_mart_that_reads_orders(shop: Shop) -> None:
    marts = shop.places.warehouse / "marts"
    declared = (marts / "orders" / "mart.yaml").read_text().split("questions:")[0]
    (marts / "report" / "tables").mkdir(parents=True)
    (marts / "report" / "mart.yaml").write_text(
        declared.replace("mart: orders", "mart: report")
        + "questions:\n  - ask: Which was the best day?\n    sql: SELECT ordered_on FROM report.best\n"
    )
    (marts / "report" / "tables" / "best.sql").write_text(
        "SELECT ordered_on, sum(net_amount)::DECIMAL(18,2) AS net_amount FROM orders.daily GROUP BY ALL"
    )
    (marts / "report" / "tables" / "best.yaml").write_text(
        "table: report.best\ndescription: Money by day.\nkey: [ordered_on]\n"
    )
