"""What the plan depends on, and what it does not."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.planning.plan import Plan
from mart_platform.planning.planner import make_plan
from mart_platform.reading.folder import read_warehouse
from mart_platform.spec.problems import InvalidDeclarations
from mart_platform_tests.golden.pairs import SHOP


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "warehouse"
    shutil.copytree(SHOP, folder)
    return folder


def plan(folder: Path) -> Plan:
    return make_plan(read_warehouse(folder))


def changed_by(shop: Path, file: str, old: str, new: str) -> set[str]:
    """Edit a file of the shop and return the tables that got another fingerprint."""
    before = plan(shop).tables
    text = (shop / file).read_text()
    assert text.count(old) == 1
    (shop / file).write_text(text.replace(old, new))
    after = plan(shop).tables
    return {name for name in after if after[name].fingerprint != before[name].fingerprint}


LINE = "canonical/order_line.sql"
BELOW_ORDER_LINE = {"canonical.order_line", "orders.order_line", "orders.daily"}


def test_a_comment_and_formatting_change_no_table(shop: Path) -> None:
    assert changed_by(shop, LINE, "FROM shop.orders", "-- all of them\nfrom    shop.orders") == set()


def test_a_filter_changes_the_table_and_all_that_is_made_from_it(shop: Path) -> None:
    assert changed_by(shop, LINE, "FROM shop.orders", "FROM shop.orders WHERE line > 1") == BELOW_ORDER_LINE


def test_words_for_people_change_no_table(shop: Path) -> None:
    assert changed_by(shop, "canonical/order_line.yaml", "before tax", "before all taxes") == set()


def test_a_check_of_a_model_changes_no_table_since_it_has_a_fingerprint_of_its_own(shop: Path) -> None:
    assert changed_by(shop, "canonical/order_line.yaml", "at_least: 0", "at_least: 1") == set()


def test_a_contract_decides_what_lands_so_that_it_changes_the_landed_table(shop: Path) -> None:
    changed = changed_by(shop, "sources/shop/source.yaml", "at_most: 100000", "at_most: 1000")
    assert changed == {"shop.orders"} | BELOW_ORDER_LINE


def test_a_python_model_changes_with_its_text(shop: Path) -> None:
    changed = changed_by(shop, "canonical/customer.py", "to_titlecase", "to_uppercase")
    assert changed == {"canonical.customer", "orders.customer", "orders.daily"}


def test_a_partition_is_part_of_the_physical_table(shop: Path) -> None:
    changed = changed_by(shop, "marts/orders/tables/daily.yaml", "grain: month", "grain: day")
    assert changed == {"orders.daily"}


def test_a_table_comes_after_what_it_is_made_from_and_checked_against(shop: Path) -> None:
    tables = plan(shop).tables
    order = list(tables)
    for name, table in tables.items():
        assert all(order.index(upstream) < order.index(name) for upstream in table.after)


def test_labels_and_meanings_come_with_a_column_that_is_passed_on(shop: Path) -> None:
    columns = {column.name: column for column in plan(shop).tables["orders.customer"].columns}
    assert columns["email"].labels == ("email",)
    assert columns["full_name"].labels == ("name",)
    assert columns["country"].labels == ()


@pytest.mark.parametrize(
    "expression",
    ["email AS Contact", "c.email.lower() AS contact", "to_json(c)::VARCHAR AS contact", "c AS contact"],
)
def test_a_label_stays_with_a_column_however_it_is_made(shop: Path, expression: str) -> None:
    """Where the origin of a column cannot be traced, it may hold what any input holds."""
    (shop / "marts/orders/tables/contact.sql").write_text(f"SELECT {expression} FROM canonical.customer AS c")
    (shop / "marts/orders/tables/contact.yaml").write_text("table: orders.contact\ndescription: All.\n")
    [column] = plan(shop).tables["orders.contact"].columns
    assert column.labels


def test_upstream_and_downstream_follow_the_lineage(shop: Path) -> None:
    shop_plan = plan(shop)
    assert shop_plan.upstream_of(["orders.customer"]) == (
        "shop.customers",
        "canonical.customer",
        "orders.customer",
    )
    assert set(shop_plan.downstream_of(["shop.orders"])) >= BELOW_ORDER_LINE


def test_a_plan_comes_back_from_json_unchanged(shop: Path) -> None:
    one = plan(shop)
    assert Plan.model_validate_json(one.model_dump_json()) == one


def test_hidden_columns_are_seen_only_by_a_model_that_names_them(shop: Path) -> None:
    text = (shop / LINE).read_text()
    (shop / LINE).write_text(text.replace("    status,", "    status,\n    _batch AS batch,"))
    table = plan(shop).tables["canonical.order_line"]
    assert table.model is not None
    assert table.model.names_hidden
    assert [column.type for column in table.columns if column.name == "batch"] == ["string"]


def test_a_star_over_a_landed_table_leaves_the_hidden_columns_out(shop: Path) -> None:
    (shop / "marts/orders/tables/raw_orders.sql").write_text("SELECT * FROM shop.orders")
    (shop / "marts/orders/tables/raw_orders.yaml").write_text("table: orders.raw_orders\ndescription: All.\n")
    columns = {column.name for column in plan(shop).tables["orders.raw_orders"].columns}
    assert not any(name.startswith("_") for name in columns)


@settings(max_examples=15, deadline=None)
@given(st.permutations(sorted(file.relative_to(SHOP) for file in SHOP.rglob("*") if file.is_file())))
def test_the_plan_does_not_depend_on_the_order_of_the_files(
    tmp_path_factory: pytest.TempPathFactory, files: list[Path]
) -> None:
    folder = tmp_path_factory.mktemp("order") / "warehouse"
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SHOP / file, folder / file)
    one, other = plan(SHOP), plan(folder)
    assert list(one.tables.items()) == list(other.tables.items())
    assert one.digest == other.digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('pattern: "[0-9]{6,}"', 'pattern: "[0-9"', "order_id_matches' cannot be run: missing ]: [0-9"),
        ("product:     {type: string,", "product:     {type: string, at_least: 3,", "Cannot compare values"),
    ],
)
def test_a_check_of_a_contract_that_cannot_be_run_is_a_problem_at_its_line(
    shop: Path, old: str, new: str, said: str
) -> None:
    source = shop / "sources" / "shop" / "source.yaml"
    text = source.read_text()
    line = 1 + text[: text.index(old)].count("\n")
    source.write_text(text.replace(old, new))
    with pytest.raises(InvalidDeclarations) as invalid:
        plan(shop)
    assert f"sources/shop/source.yaml:{line}: " in str(invalid.value)
    assert said in str(invalid.value)
