import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mart_platform.planning.plan import Plan, PlannedCheck, PlannedColumn
from mart_platform.planning.planner import make_plan
from mart_platform.reading.folder import read_warehouse
from mart_platform.spec.checks import Check, NotNull, Unique
from mart_platform.spec.problems import UserError
from mart_platform.spec.types import duckdb_type
from mart_platform.stages.scaffolding import new_mart
from mart_platform_tests.golden.pairs import SHOP

WHO = {"owner": "growth", "contact": "growth@example.com", "on_call": "growth-on-call"}
TODAY = date(2026, 11, 21)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHOP, tmp_path / "warehouse"))


def with_table(plan: Plan, name: str, **changed: Any) -> Plan:
    table = plan.tables[name].model_copy(update=changed)
    return plan.model_copy(update={"tables": {**plan.tables, name: table}})


def texts(files: list[Path]) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in files}


@pytest.mark.parametrize("table", ["canonical.order_line", "canonical.customer"])
def test_a_new_mart_is_valid_as_it_stands(shop_plan: Plan, root: Path, table: str) -> None:
    new_mart(shop_plan, root, "growth", table, **WHO, today=TODAY)
    plan = make_plan(read_warehouse(root))
    mart = plan.marts["growth"]
    assert mart.tables == (f"growth.{table.split('.')[1]}",)
    assert mart.spec.owner.model_dump() == {
        "team": "growth",
        "contact": "growth@example.com",
        "on_call": "growth-on-call",
    }
    assert [slo.metadata.name for slo in mart.slos] == ["growth-fresh"]
    assert [runbook.alert for runbook in mart.runbooks] == ["growth-fresh"]
    assert mart.metrics is not None
    assert mart.access is not None
    assert plan.tables[mart.tables[0]].key == shop_plan.tables[table].key


def test_its_table_question_and_check_can_be_computed(shop_plan: Plan, root: Path) -> None:
    new_mart(shop_plan, root, "growth", "canonical.order_line", **WHO, today=TODAY)
    declared = next(mart for mart in read_warehouse(root).marts if mart.spec.mart == "growth")
    columns = ", ".join(
        f"{column.name} {duckdb_type(column.type)}"
        for column in shop_plan.tables["canonical.order_line"].columns
    )
    with duckdb.connect() as warehouse:
        warehouse.execute(f"CREATE SCHEMA canonical; CREATE TABLE canonical.order_line ({columns})")
        warehouse.execute(
            "INSERT INTO canonical.order_line (ordered_on) VALUES ('2026-01-02'), ('2026-01-30')"
        )
        model: Any = declared.tables[0].model
        warehouse.execute(f"CREATE SCHEMA growth; CREATE TABLE growth.order_line AS {model.text}")
        answer = warehouse.execute(declared.spec.questions[0].sql).fetchall()
        assert answer == [(date(2026, 1, 1), 2)]
        check = declared.tables[0].contract.checks[0].returns_no_row
        assert check is not None
        assert warehouse.execute(check).fetchall() == []
        warehouse.execute("DELETE FROM growth.order_line WHERE ordered_on = '2026-01-02'")
        assert warehouse.execute(check).fetchall() == [(1, 2)]


def test_sensitive_columns_are_left_out_and_named(shop_plan: Plan, root: Path) -> None:
    files = texts(new_mart(shop_plan, root, "growth", "canonical.customer", **WHO, today=TODAY))
    sql = files["customer.sql"]
    assert "-- Left out, because they are labelled as sensitive: full_name (name), email (email)." in sql
    assert re.findall(r"^    (\w+),?$", sql, re.M) == ["customer_id", "country"]
    assert "masks" not in files["access.yaml"]


def test_a_sensitive_key_is_kept_and_masked(shop_plan: Plan, root: Path) -> None:
    plan = with_table(shop_plan, "canonical.customer", key=("email",))
    files = texts(new_mart(plan, root, "growth", "canonical.customer", **WHO, today=TODAY))
    assert "    email,\n" in files["customer.sql"]
    assert "masks: {email: redact}" in files["access.yaml"]


def test_without_a_declared_key_one_that_checks_promise_is_taken(shop_plan: Plan, root: Path) -> None:
    promised: list[Check] = [
        NotNull(name="a", says="a", column="country"),
        Unique(name="b", says="b", columns=("email",)),
        Unique(name="c", says="c", columns=("country",)),
    ]
    checks = tuple(PlannedCheck(check=check, fingerprint=check.fingerprint) for check in promised)
    plan = with_table(shop_plan, "canonical.customer", key=(), checks=checks)
    files = texts(new_mart(plan, root, "growth", "canonical.customer", **WHO, today=TODAY))
    assert "\nkey: [country] " in files["customer.yaml"]


def test_without_any_key_a_comment_asks_for_one_and_the_mart_is_still_valid(
    shop_plan: Plan, root: Path
) -> None:
    plan = with_table(shop_plan, "canonical.customer", key=(), checks=())
    files = texts(new_mart(plan, root, "growth", "canonical.customer", **WHO, today=TODAY))
    assert "\n# key: [column, column] " in files["customer.yaml"]
    assert make_plan(read_warehouse(root)).tables["growth.customer"].key == ()


def test_a_table_of_sensitive_columns_only_is_taken_whole_and_masked(shop_plan: Plan, root: Path) -> None:
    columns = (
        PlannedColumn(name="email", type="string", labels=("email",)),
        PlannedColumn(name="order", type="string", labels=("name",)),
    )
    plan = with_table(shop_plan, "canonical.customer", key=(), checks=(), columns=columns)
    files = texts(new_mart(plan, root, "growth", "canonical.customer", **WHO, today=TODAY))
    assert '    email,\n    "order"\n' in files["customer.sql"]
    assert "masks: {email: redact, name: redact}" in files["access.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        'the "best" team',
        "a: b",
        "Größe, #1",
        "null",
        "12",
        "- x",
        "{a}",
        "yes\nno",
        "'quoted'",
        "emoji 🙂",
        "a\x7fb",
    ],
)
def test_any_name_of_a_team_is_written_so_that_it_is_read_back(
    shop_plan: Plan, root: Path, text: str
) -> None:
    new_mart(shop_plan, root, "growth", "canonical.order_line", **{**WHO, "owner": text}, today=TODAY)
    mart = next(mart for mart in read_warehouse(root).marts if mart.spec.mart == "growth")
    assert mart.spec.owner.team == " ".join(text.split())


def test_the_runbook_names_who_delivers(shop_plan: Plan, root: Path) -> None:
    files = texts(new_mart(shop_plan, root, "growth", "canonical.customer", **WHO, today=TODAY))
    runbook = files["growth-fresh.md"]
    assert "shop-backend (shop-backend@example.com)" in runbook
    assert "`mart quarantine shop.customers` shows" in runbook
    assert "shop.orders" not in runbook


@pytest.mark.parametrize(
    ("name", "table", "who", "said"),
    [
        ("Growth", "canonical.customer", {}, "'Growth' is not a name in snake_case, such as sales_line."),
        ("../x", "canonical.customer", {}, "'../x' is not a name in snake_case, such as sales_line."),
        ("orders", "canonical.customer", {}, "There is a mart 'orders' already"),
        ("shop", "canonical.customer", {}, "There is a source 'shop' already"),
        ("canonical", "canonical.customer", {}, "The name 'canonical' is taken by the platform."),
        ("growth", "canonical.custmer", {}, "no canonical table. Did you mean 'canonical.customer'?"),
        ("growth", "shop.customers", {}, "'shop.customers' is no canonical table."),
        ("growth", "canonical.customer", {"owner": " "}, "'owner' is empty"),
        ("growth", "canonical.customer", {"contact": "bob"}, "'bob' is neither an e-mail address nor"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_nothing_is_written(
    shop_plan: Plan, root: Path, name: str, table: str, who: dict[str, str], said: str
) -> None:
    before = sorted(root.rglob("*"))
    with pytest.raises(UserError, match=re.escape(said)):
        new_mart(shop_plan, root, name, table, **{**WHO, **who}, today=TODAY)
    assert sorted(root.rglob("*")) == before


def test_a_folder_that_the_plan_does_not_know_yet_is_not_overwritten(shop_plan: Plan, root: Path) -> None:
    (root / "marts" / "growth").mkdir()
    with pytest.raises(UserError, match="There is a mart 'growth' already"):
        new_mart(shop_plan, root, "growth", "canonical.customer", **WHO, today=TODAY)


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(shop_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "marts").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be written: Not a directory"):
        new_mart(shop_plan, tmp_path, "growth", "canonical.customer", **WHO, today=TODAY)
    assert [path.name for path in tmp_path.iterdir()] == ["marts"]


def test_the_first_mart_of_a_warehouse_can_be_made(shop_plan: Plan, tmp_path: Path) -> None:
    files = new_mart(shop_plan, tmp_path, "growth", "canonical.customer", **WHO, today=TODAY)
    assert all(file.is_file() for file in files)
    assert {path.name for path in (tmp_path / "marts").iterdir()} == {"growth"}
