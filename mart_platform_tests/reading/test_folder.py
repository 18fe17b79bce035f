import shutil
import time
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mart_platform
from mart_platform.reading.folder import folder_digest, read_warehouse
from mart_platform.spec.problems import UserError
from mart_platform.spec.warehouse import PythonModel, SqlText
from mart_platform_tests.golden.pairs import SHOP
from mart_platform_tests.reading.conftest import Shop

BUILT_IN = Path(mart_platform.__file__).parent / "warehouse"


def test_a_folder_is_read_with_all_of_its_declarations(shop: Shop) -> None:
    warehouse = shop.read()
    orders = warehouse.marts[0]
    assert [source.spec.source for source in warehouse.sources] == ["shop"]
    assert [model.contract.table for model in warehouse.canonical] == [
        "canonical.customer",
        "canonical.order_line",
    ]
    assert [model.contract.table for model in orders.tables] == [
        "orders.customer",
        "orders.daily",
        "orders.order_line",
    ]
    assert [slo.spec.metadata.name for slo in orders.slos] == ["orders-fresh"]
    assert orders.runbooks[0].spec.alert == "orders-fresh"
    assert orders.runbooks[0].text.startswith("# The orders mart is late\n")
    assert orders.metrics is not None
    assert orders.access is not None
    assert warehouse.settings.zone == "UTC"


def test_principals_are_read_with_the_lines_of_their_fields_and_may_be_left_out(shop: Shop) -> None:
    warehouse = shop.read()
    desk = warehouse.principals["german_desk"]
    assert (desk.kind, desk.roles, desk.until) == ("service", ("orders.country_manager",), date(2030, 12, 31))
    assert warehouse.principals_origin is not None
    assert str(warehouse.principals_origin.place("principals", "german_desk", "until")) == "principals.yaml:9"
    assert shop.remove("principals.yaml").read().principals == {}


def test_a_principal_has_no_secret_in_the_folder(shop: Shop) -> None:
    shop.change("principals.yaml", "kind: service", "secret: x")
    assert "'principals.german_desk.secret' is not a key that is known here" in shop.problems()[0]


def test_models_are_sql_or_python(shop: Shop) -> None:
    customer, order_line = (model.model for model in shop.read().canonical)
    assert isinstance(customer, PythonModel)
    assert customer.parameters == ("customers",)
    assert isinstance(order_line, SqlText)
    assert order_line.text.startswith("SELECT\n")


def test_each_declaration_knows_the_lines_of_its_fields(shop: Shop) -> None:
    orders = shop.read().marts[0]
    assert str(orders.origin.place("owner", "on_call")) == "marts/orders/mart.yaml:4"
    assert str(orders.runbooks[0].origin.place("remediation")) == "marts/orders/runbooks/orders-fresh.md:4"


def test_the_built_in_warehouse_holds_no_mistake_and_is_read_at_once() -> None:
    before = time.process_time()
    warehouse = read_warehouse(BUILT_IN)
    assert len(warehouse.marts) >= 4
    assert time.process_time() - before < 1


def test_settings_may_be_left_out_or_given(shop: Shop) -> None:
    shop.add("settings.yaml", "zone: Europe/Berlin\nbusiness_clock: 2018-01-01T12:00:00Z\n")
    settings = shop.read().settings
    assert (settings.zone, settings.currency) == ("Europe/Berlin", "EUR")


def test_all_mistakes_of_all_files_are_told_at_once_in_their_order(shop: Shop) -> None:
    shop.change("marts/orders/mart.yaml", "pattern: star", "patern: star")
    shop.change("canonical/order_line.yaml", "kind: upsert", "kind: upserts")
    shop.add("canonical/lost.sql", "SELECT 1")
    shop.change("sources/shop/source.yaml", "connector: files\n", "")
    assert shop.problems() == [
        "canonical/lost.sql:1: this model has no contract. Write canonical/lost.yaml.",
        "canonical/order_line.yaml:3: 'kind' cannot be 'upserts'. Did you mean 'upsert'?",
        "marts/orders/mart.yaml:1: 'pattern' is missing. "
        "Add 'pattern: star | wide | aggregate | streaming | virtual | federated'.",
        "marts/orders/mart.yaml:6: 'patern' is not a key that is known here. Did you mean 'pattern'?",
        "sources/shop/source.yaml:1: 'connector' is missing. "
        "Add 'connector: …' with a name in snake_case, such as sales_line.",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "sources/shop/source.yaml",
            "source: shop\n",
            "source: shopp\n",
            "sources/shop/source.yaml:1: 'source' is 'shopp', but the path says 'shop'. "
            "Write 'source: shop', or move the file.",
        ),
        (
            "canonical/order_line.yaml",
            "table: canonical.order_line\n",
            "table: canonical.line\n",
            "canonical/order_line.yaml:1: 'table' is 'canonical.line', but the path says "
            "'canonical.order_line'. Write 'table: canonical.order_line', or move the file.",
        ),
        (
            "marts/orders/tables/daily.yaml",
            "table: orders.daily",
            "table: sales.daily",
            "marts/orders/tables/daily.yaml:1: 'table' is 'sales.daily', but the path says 'orders.daily'. "
            "Write 'table: orders.daily', or move the file.",
        ),
        (
            "marts/orders/mart.yaml",
            "mart: orders",
            "mart: order",
            "marts/orders/mart.yaml:1: 'mart' is 'order', but the path says 'orders'. "
            "Write 'mart: orders', or move the file.",
        ),
    ],
)
def test_the_name_in_a_file_agrees_with_its_path(
    shop: Shop, file: str, old: str, new: str, problem: str
) -> None:
    assert shop.change(file, old, new).problems() == [problem]


def test_a_table_that_is_declared_in_two_places_is_refused_in_one(shop: Shop) -> None:
    shop.add("marts/orders/tables/day.yaml", (shop.root / "marts/orders/tables/daily.yaml").read_bytes())
    shop.add("marts/orders/tables/day.sql", "SELECT 1")
    assert [problem.split(".")[0] for problem in shop.problems()] == ["marts/orders/tables/day"]


def test_a_contract_without_model_is_refused(shop: Shop) -> None:
    shop.remove("marts/orders/tables/daily.sql")
    assert shop.problems() == [
        "marts/orders/tables/daily.yaml:1: no model fills this table. "
        "Write marts/orders/tables/daily.sql or marts/orders/tables/daily.py."
    ]


def test_a_table_with_two_models_is_refused(shop: Shop) -> None:
    shop.add("canonical/customer.sql", "SELECT 1")
    assert "canonical/customer.py:1: canonical/customer.sql fills this table already. Keep one of them." in (
        shop.problems()
    )


def test_inputs_are_for_python_models(shop: Shop) -> None:
    shop.change("marts/orders/tables/customer.yaml", "key:", "inputs: {a: canonical.customer}\nkey:")
    assert shop.problems() == [
        "marts/orders/tables/customer.yaml:3: 'inputs' is for Python models. Leave it out: SQL names its own."
    ]


@pytest.mark.parametrize(
    ("file", "stray", "remedy"),
    [
        ("marts/orders/tabels/x.sql", "marts/orders/tabels", "Did you mean 'tables'?"),
        ("marts/orders/slo.yaml", "marts/orders/slo.yaml", "Did you mean 'slos.yaml'?"),
        ("canonical/product.yml", "canonical/product.yml", "Did you mean 'product.yaml'?"),
        ("canonical/old/product.sql", "canonical/old", "Here stand files only."),
        ("marts/orders/runbooks/orders.txt", "marts/orders/runbooks/orders.txt", "Did you mean 'orders.md'?"),
        ("marts/sales.yaml", "marts/sales.yaml", "Here stands one folder for each mart."),
        ("sources/shop/sources.yaml", "sources/shop/sources.yaml", "Did you mean 'source.yaml'?"),
        ("settings.yml", "settings.yml", "Did you mean 'settings.yaml'?"),
        ("source/erp/source.yaml", "source", "Did you mean 'sources'?"),
    ],
)
def test_what_stands_where_nothing_is_expected_is_told_with_the_nearest_name(
    shop: Shop, file: str, stray: str, remedy: str
) -> None:
    name = Path(stray).name
    assert shop.add(file, "x").problems() == [f"{stray}:1: '{name}' is not expected here. {remedy}"]


def test_what_sources_deliver_and_what_tools_leave_behind_is_passed_over(shop: Shop) -> None:
    digest = shop.read().digest
    for file in (
        "README.md",
        "exports/orders/1.csv",
        "marts/orders/README.md",
        "canonical/__init__.py",
        "canonical/__pycache__/customer.pyc",
        "marts/.DS_Store",
        "marts/.orders.123/mart.yaml",
    ):
        shop.add(file, "x")
    assert shop.read().digest == digest


@pytest.mark.parametrize("name", ["canonical", "main", "temp"])
def test_names_of_the_platform_are_taken(shop: Shop, name: str) -> None:
    shop.add(f"sources/{name}/source.yaml", f"source: {name}\n")
    assert (
        f"sources/{name}/source.yaml:1: the name '{name}' is taken by the platform. Choose another one."
        in shop.problems()
    )


def test_a_mart_and_a_source_cannot_share_a_name(shop: Shop) -> None:
    shutil.copytree(shop.root / "marts/orders", shop.root / "marts/shop")
    assert (
        "marts/shop/mart.yaml:1: a source is called 'shop' too, so their tables cannot be told apart. "
        "Rename one of them." in shop.problems()
    )


def test_a_mart_folder_without_its_declaration_is_refused(shop: Shop) -> None:
    assert shop.remove("marts/orders/mart.yaml").problems() == [
        "marts/orders/mart.yaml:1: the file is missing: it declares the mart. Write it."
    ]


def test_an_slo_is_about_its_mart(shop: Shop) -> None:
    shop.change("marts/orders/slos.yaml", "service: orders", "service: order")
    assert shop.problems() == [
        "marts/orders/slos.yaml:5: 'spec.service' is 'order', which is not this mart. "
        "Write 'service: orders'."
    ]


def test_each_slo_has_a_runbook_and_a_name_of_its_own(shop: Shop) -> None:
    slo = (shop.root / "marts/orders/slos.yaml").read_text()
    quick = slo.replace("orders-fresh", "orders-quick").replace("staleness}}", "latency}}")
    shop.add("marts/orders/slos.yaml", f"{slo}---\n{quick}---\n{slo}")
    assert shop.problems() == [
        "marts/orders/slos.yaml:16: the SLO 'orders-quick' has no runbook. "
        "Write marts/orders/runbooks/orders-quick.md: what to do when it is broken.",
        "marts/orders/slos.yaml:29: 'orders-fresh' is the name of an SLO above. Give each a name of its own.",
    ]


def test_each_runbook_is_about_an_slo(shop: Shop) -> None:
    runbook = (shop.root / "marts/orders/runbooks/orders-fresh.md").read_text()
    shop.add("marts/orders/runbooks/order-fresh.md", runbook.replace("alert: orders", "alert: order"))
    assert shop.problems() == [
        "marts/orders/runbooks/order-fresh.md:1: 'order-fresh' is no SLO of this mart. "
        "Did you mean 'orders-fresh'?"
    ]


def test_slos_that_cannot_be_read_do_not_make_runbooks_wrong(shop: Shop) -> None:
    shop.add("marts/orders/slos.yaml", "kind: [SLO")
    assert len(shop.problems()) == 1


@pytest.mark.parametrize("text", ["# Late\n", "---\nalert: orders-fresh\n# never closed\n", ""])
def test_a_runbook_begins_with_front_matter(shop: Shop, text: str) -> None:
    shop.add("marts/orders/runbooks/orders-fresh.md", text)
    assert shop.problems() == [
        "marts/orders/runbooks/orders-fresh.md:1: the runbook has no front matter. "
        "Begin with alert, owner and reviewed between ---."
    ]


def test_mistakes_in_front_matter_have_the_line_of_the_file(shop: Shop) -> None:
    shop.change("marts/orders/runbooks/orders-fresh.md", "reviewed: 2026-10-01", "reviewed: soon")
    assert shop.problems() == [
        "marts/orders/runbooks/orders-fresh.md:5: 'reviewed' is 'soon'; "
        "it should be a date such as 2026-10-01."
    ]


def test_a_file_that_is_not_utf_8_is_a_problem(shop: Shop) -> None:
    shop.add("marts/orders/tables/daily.sql", "SELECT 1\n-- für alle".encode("latin-1"))
    assert shop.problems() == [
        "marts/orders/tables/daily.sql:2: the file is not text in UTF-8: byte 0xfc at 13. Save it as UTF-8."
    ]


def test_a_file_that_cannot_be_read_is_a_problem(shop: Shop) -> None:
    shop.remove("marts/orders/tables/daily.sql")
    (shop.root / "marts/orders/tables/daily.sql").symlink_to(shop.root / "nowhere.sql")
    assert shop.problems() == [
        "marts/orders/tables/daily.sql:1: the file cannot be read: No such file or directory. "
        "Make it readable, or remove it."
    ]


def test_a_second_document_in_a_file_is_a_problem(shop: Shop) -> None:
    shop.add("settings.yaml", "zone: UTC\n---\nzone: UTC\n")
    assert shop.problems() == [
        "settings.yaml:3: a second document begins here ('---'). Keep one in this file."
    ]


def test_windows_line_ends_and_a_byte_order_mark_change_no_text(shop: Shop) -> None:
    path = shop.root / "canonical/order_line.sql"
    before = shop.read().canonical[1].model.text
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert shop.read().canonical[1].model.text == before


def test_a_folder_that_is_not_there_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no folder .* --warehouse DIR or MART_WAREHOUSE"):
        read_warehouse(tmp_path / "nowhere")


def test_a_folder_that_is_no_warehouse_says_how_to_name_another(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=r"holds no sources, canonical, marts.* --warehouse DIR"):
        read_warehouse(tmp_path)


def test_the_digest_is_known_without_parsing(shop: Shop) -> None:
    assert folder_digest(shop.root) == shop.read().digest
    shop.add("marts/orders/mart.yaml", "no: [yaml")
    assert len(folder_digest(shop.root)) == 64


@given(st.randoms())
def test_the_digest_does_not_depend_on_the_order_in_which_files_were_written(
    tmp_path_factory: pytest.TempPathFactory, random: Random
) -> None:
    files = [file for file in SHOP.rglob("*") if file.is_file()]
    random.shuffle(files)
    root = tmp_path_factory.mktemp("again")
    for file in files:
        (root / file.relative_to(SHOP)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, root / file.relative_to(SHOP))
    assert folder_digest(root) == folder_digest(SHOP)


def test_the_digest_changes_with_each_file_and_each_stray(shop: Shop) -> None:
    digests = {folder_digest(shop.root)}
    for file in [path for path in sorted(shop.root.rglob("*")) if path.is_file()]:
        file.write_bytes(file.read_bytes() + b"\n")
        digests.add(folder_digest(shop.root))
    files = len(digests)
    shop.add("canonical/product.yml", "x")
    assert files == len([path for path in SHOP.rglob("*") if path.is_file()]) + 1
    assert folder_digest(shop.root) not in digests
