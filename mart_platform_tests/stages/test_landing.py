import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mart_platform.assembly import BUILT_IN
from mart_platform.planning.planner import make_plan
from mart_platform.reading.folder import read_warehouse
from mart_platform.stages.landing import Refused, land, pending
from mart_platform_tests.stages.orders_shop import CONTRACT, HEADER, Shop
from mart_platform_tests.stages.small_platform import SmallPlatform


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_good_rows_land_and_bad_ones_go_to_quarantine_with_every_reason(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1.50,2017-01-01\n2,-1,soon\n3\n4,,2017-01-03\n")
    (batch,) = shop.land().landed
    assert (batch.rows_read, batch.landed, batch.quarantined) == (4, 2, 2)
    assert shop.rows().columns == ["id", "price", "at", "_batch", "_delivered", "_row", "_extra"]
    assert shop.rows().select("id", "_row", "_batch").rows() == [(1, 1, batch.id), (4, 4, batch.id)]
    quarantine = shop.quarantine()
    assert quarantine.columns == ["source", "table", "batch", "position", "_row", "reasons", "record"]
    assert quarantine.rows() == [
        (
            "shop",
            "orders",
            batch.id,
            "exports/1.csv",
            2,
            ['at: "soon" is not a timestamp', "price_in_range: price is at least 0. Found -1."],
            '{"id":"2","Price":"-1","at":"soon"}',
        ),
        ("shop", "orders", batch.id, "exports/1.csv", 3, ["has 1 fields, the header has 3"], "3"),
    ]
    assert batch.warnings == ("exports/1.csv: 2 of 4 rows are in quarantine.",)


def test_what_is_landed_is_not_pending_and_a_touched_file_is_hashed_once(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n")
    assert shop.pending() == ["exports/1.csv"]
    shop.land()
    assert shop.pending() == []
    shop.deliver("1.csv", HEADER + "1,1,\n")
    assert shop.pending() == ["exports/1.csv"]
    report = shop.land()
    assert (report.landed, report.unchanged) == ((), ("exports/1.csv",))
    assert shop.pending() == []
    assert len(shop.batches) == 1


def test_a_path_lands_again_whenever_its_content_is_another(shop: Shop) -> None:
    for content in ("1,1,\n", "2,2,\n", "1,1,\n"):
        shop.deliver("1.csv", HEADER + content)
        shop.land()
    assert shop.rows()["id"].to_list() == [1, 2, 1]
    assert len({batch.id for batch in shop.batches}) == 3
    assert len({batch.sha256 for batch in shop.batches}) == 2


def test_equal_content_under_another_path_lands_with_a_warning(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n")
    shop.deliver("2.csv", HEADER + "1,1,\n")
    report = shop.land()
    assert report.rows_landed == 2
    assert "exports/2.csv has the same content as exports/1.csv" in report.warnings[0]


def test_unknown_columns_land_as_json_and_are_reported(shop: Shop) -> None:
    shop.deliver("1.csv", "id,Price,at,color\n1,1,,red\n")
    (batch,) = shop.land().landed
    assert batch.new_columns == ("color",)
    assert shop.rows()["_extra"].to_list() == ['{"color":"red"}']
    assert "new columns, landed in _extra: color" in batch.warnings[0]


REFUSED = {
    "missing": ("id,Prise,at\n1,1,\n", "'price' (delivered as 'Price') is missing. Did you mean 'Prise'?"),
    "retyped": (
        HEADER + "a,1,\nb,2,\n",
        "'id' is declared bigint, and none of its values is one; found \"a\"",
    ),
    "truncated": (HEADER + "1,1,\n2", "truncated"),
    "empty": ("", "the file is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_delivery_leaves_the_table_as_it_was_and_those_after_it_wait(shop: Shop, case: str) -> None:
    content, said = REFUSED[case]
    shop.deliver("1.csv", HEADER + "1,1,\n")
    shop.land()
    before = shop.files()
    shop.deliver("2.csv", content)
    shop.deliver("3.csv", HEADER + "3,3,\n")
    with pytest.raises(Refused) as caught:
        shop.land()
    assert "shop.orders: the delivery exports/2.csv is refused" in str(caught.value)
    assert "1 delivery after it waits" in str(caught.value)
    assert said in str(caught.value)
    assert shop.files() == before
    assert len(shop.batches) == 1
    (event,) = shop.platform.ledger.events(kind="batch_refused")
    assert event.details["position"] == "exports/2.csv"
    shop.deliver("2.csv", HEADER + "2,2,\n")
    assert shop.land().rows_landed == 2
    assert shop.rows()["id"].to_list() == [1, 2, 3]


def test_a_refusal_tells_what_landed_before_it(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n")
    shop.deliver("2.csv", "")
    with pytest.raises(Refused) as caught:
        shop.land()
    assert [batch.position for batch in caught.value.report.landed] == ["exports/1.csv"]


def test_a_typed_column_of_another_type_is_refused_and_a_narrower_one_is_widened(shop: Shop) -> None:
    good = pl.DataFrame(
        {"id": [1], "Price": [2], "at": [datetime(2017, 1, 1)]},  # noqa: DTZ001 naive as declared
        schema_overrides={"id": pl.Int16},
    )
    shop.deliver("1.parquet", good)
    assert shop.land().rows_landed == 1
    shop.deliver("2.parquet", good.with_columns(id=pl.lit("1"), Price=pl.lit(0.5)))
    with pytest.raises(Refused) as caught:
        shop.land()
    assert "the column 'id' is of type string, which cannot be read as the declared bigint" in str(
        caught.value
    )
    assert "the column 'Price' is of type double" in str(caught.value)
    assert "change the contract in sources/shop/source.yaml" in str(caught.value)


def test_rows_that_repeat_a_unique_key_go_to_quarantine_the_first_stays(tmp_path: Path) -> None:
    unique = {"name": "once", "says": "An order is delivered once.", "unique": ["id"]}
    shop = Shop(tmp_path, checks=[unique])
    shop.deliver("1.csv", HEADER + "1,1.10,\n2,2,\n1,3,\n1,4,\n")
    (batch,) = shop.land().landed
    assert (batch.landed, batch.quarantined) == (2, 2)
    assert shop.rows().select("id", "_row").rows() == [(1, 1), (2, 2)]
    first = shop.quarantine().row(0, named=True)
    assert first["reasons"] == [
        "once: An order is delivered once. An earlier row of the delivery has the same id."
    ]
    assert json.loads(first["record"]) == {"id": "1", "Price": "3.00", "at": None, "_extra": None}
    assert len(shop.files()) == 2


def test_repeated_rows_and_row_counts_of_severity_warn_are_told_only(tmp_path: Path) -> None:
    shop = Shop(
        tmp_path,
        checks=[
            {"name": "once", "says": "Once.", "severity": "warn", "unique": ["id"]},
            {"name": "many", "says": "Many.", "severity": "warn", "rows": {"at_least": 9}},
        ],
    )
    shop.deliver("1.csv", HEADER + "1,1,\n1,2,\n")
    report = shop.land()
    assert report.rows_landed == 2
    assert report.warnings == (
        "exports/1.csv: 2 rows break the check 'many': Many.",
        "exports/1.csv: 1 rows break the check 'once': Once.",
    )


def test_too_few_rows_refuse_the_batch(tmp_path: Path) -> None:
    shop = Shop(tmp_path, checks=[{"name": "many", "says": "Many.", "rows": {"at_least": 9}}])
    shop.deliver("1.csv", HEADER + "1,1,\n")
    with pytest.raises(Refused, match="1 rows break the check 'many'"):
        shop.land()
    assert shop.files() == []


def test_a_delivery_without_rows_is_a_batch(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER)
    (batch,) = shop.land().landed
    assert (batch.rows_read, batch.landed) == (0, 0)
    assert shop.rows().height == 0


def test_a_changed_contract_lands_what_was_kept_again_in_order(shop: Shop) -> None:
    for name in ("2.csv", "1.csv"):
        shop.deliver(name, HEADER + f"{name[0]},-5,\n{name[0]}0,5,\n")
        shop.land()
    ids = [batch.id for batch in shop.batches]
    (shop.exports / "2.csv").unlink()
    columns = {**CONTRACT["columns"], "price": {"type": "decimal(10,2)", "delivered_as": "Price"}}
    shop.declare("f2", columns=columns)
    assert shop.pending() == ["exports/2.csv", "exports/1.csv"]
    shop.land()
    assert [batch.id for batch in shop.batches] == ids
    assert shop.rows()["id"].to_list() == [2, 20, 1, 10]
    assert shop.pending() == []
    shop.declare("f1")
    assert shop.pending() == []
    assert shop.quarantine().height == 2


def test_of_snapshots_only_the_newest_is_landed_again(tmp_path: Path) -> None:
    shop = Shop(tmp_path, delivers="snapshot")
    for number in (1, 2):
        shop.deliver("1.csv", HEADER + f"{number},1,\n")
        shop.land()
    shop.declare("f2", delivers="snapshot")
    assert shop.land().rows_landed == 1
    assert shop.rows()["id"].to_list() == [2]
    assert shop.pending() == []


def test_looking_for_what_is_pending_imports_nothing_heavy() -> None:
    code = (
        "import sys, mart_platform.stages.landing, mart_platform.adapters.connectors;"
        "heavy = ('polars', 'pandera', 'duckdb', 'deltalake', 'sqlalchemy', 'sqlglot');"
        "print([module for module in heavy if module in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


FIELD = st.one_of(
    st.sampled_from(["", "1", "-1", "2.50", "x", "2017-01-01", '"', ",", "\n", '"a', "é", '"1"']),
    st.text(alphabet='1,"\n\r', max_size=4),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(FIELD, min_size=2, max_size=4), min_size=1, max_size=12))
def test_landing_loses_no_row(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"), checks=[{"name": "once", "says": "Once.", "unique": ["id"]}])
    certain = "".join(f"{100 + number},1,2017-01-01\n" for number in range(20))  # no column looks retyped
    shop.deliver("1.csv", HEADER + certain + "".join(",".join(row) + "\n" for row in rows) + "7,7,\n")
    (batch,) = shop.land().landed
    assert batch.rows_read == batch.landed + batch.quarantined
    quarantined = shop.quarantine()["_row"].to_list() if batch.quarantine_file else []
    assert sorted([*shop.rows()["_row"], *quarantined]) == list(range(1, batch.rows_read + 1))


@pytest.mark.slow
def test_the_sources_of_the_built_in_warehouse_land_whole(tmp_path: Path) -> None:
    plan = make_plan(read_warehouse(BUILT_IN))
    platform = SmallPlatform(tmp_path)
    landed = {}
    for table in plan.landed():
        if table.name != "complete_journey.promotions":
            report = land(platform, plan, table, "r1")
            landed[table.name] = (report.rows_read, report.rows_landed)
            assert pending(platform, plan, table) == ()
    assert landed == {
        "complete_journey.transactions": (1_469_307, 1_469_307),
        "complete_journey.products": (92_331, 92_331),
        "complete_journey.demographics": (801, 801),
        "complete_journey.campaigns": (6_589, 6_589),
        "complete_journey.campaign_descriptions": (27, 27),
        "complete_journey.coupons": (116_204, 116_204),
        "complete_journey.coupon_redemptions": (2_102, 2_102),
        "ecb.rates": (7_126, 7_126),
        "sim_loyalty.enrolments": (3_863, 3_863),
        "sim_loyalty.consents": (4_531, 4_531),
    }
