import gc
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from mart_platform.orchestration.resources import PublishedDuckDB, published_database_of
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform_tests.orchestration.shop import Shop


def test_an_analysts_own_asset_reads_what_is_published(published: Shop) -> None:
    @dg.asset(deps=[["orders", "publication"]])
    def busiest_day(published_orders: PublishedDuckDB) -> dg.MaterializeResult[None]:
        with published_orders.get_connection() as connection:
            row = connection.execute("SELECT sum(lines) FROM daily").fetchone()
        assert row is not None
        return dg.MaterializeResult(metadata={"lines": int(row[0])})

    result = dg.materialize([busiest_day], resources={"published_orders": database(published)})
    (made,) = result.asset_materializations_for_node("busiest_day")
    assert made.metadata["lines"].value == 36


def test_a_step_that_raises_leaves_no_connection_open(published: Shop) -> None:
    @dg.asset
    def broken(published_orders: PublishedDuckDB) -> None:
        with published_orders.get_connection() as connection:
            kept.append(connection)
            raise ValueError("no")

    kept: list[duckdb.DuckDBPyConnection] = []
    resources = {"published_orders": database(published)}
    assert not dg.materialize([broken], resources=resources, raise_on_error=False).success
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        kept[0].execute("SELECT 1")
    kept.clear()
    gc.collect()
    assert not [name for name in open_files() if name.endswith("orders.duckdb")]


def test_what_is_published_cannot_be_written(published: Shop) -> None:
    with (
        database(published).get_connection() as connection,
        pytest.raises(duckdb.Error, match="read-only"),
    ):
        connection.execute("CREATE TABLE t (i INTEGER)")


def test_a_mart_that_was_never_published_is_told_as_that(tmp_path: Path) -> None:
    unpublished = published_database_of(DataFolder(tmp_path), "orders")
    with pytest.raises(UserError, match="publish the mart first"), unpublished.get_connection():
        pass


def database(shop: Shop) -> PublishedDuckDB:
    return published_database_of(shop.platform.data, "orders")


def open_files() -> list[str]:
    return [str(link.resolve()) for link in Path("/proc/self/fd").iterdir()]
