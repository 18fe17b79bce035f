"""Labels follow a value into every column that may tell about it, and are dropped for a reason only."""

import shutil
from pathlib import Path

import pytest

from mart_platform.planning.plan import PlannedColumn
from mart_platform.planning.planner import make_plan
from mart_platform.reading.folder import read_warehouse
from mart_platform.spec.problems import InvalidDeclarations
from mart_platform_tests.golden.pairs import SHOP

EMAIL, NAME, BOTH = ("email",), ("name",), ("email", "name")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "warehouse"
    shutil.copytree(SHOP, folder)
    return folder


def planned(shop: Path, sql: str, columns: str = "{}", more: str = "") -> dict[str, PlannedColumn]:
    """Return the columns of a table of the mart that is made by this SQL and declared so."""
    (shop / "marts/orders/tables/contact.sql").write_text(sql)
    contract = f"table: orders.contact\ndescription: All.\ncolumns: {columns}\n{more}"
    (shop / "marts/orders/tables/contact.yaml").write_text(contract)
    return {c.name: c for c in make_plan(read_warehouse(shop)).tables["orders.contact"].columns}


def refused(shop: Path, sql: str, columns: str) -> list[str]:
    with pytest.raises(InvalidDeclarations) as found:
        planned(shop, sql, columns)
    return [str(problem) for problem in found.value.problems]


CUSTOMER = "FROM canonical.customer AS c"
ONE = f"SELECT {{}} AS value {CUSTOMER}"


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("c.email", EMAIL),
        ("c.full_name || ' <' || c.email || '>'", BOTH),
        ("CASE WHEN c.email LIKE '%@work.example' THEN 'work' ELSE 'home' END", EMAIL),
        ("if(c.email IS NULL, c.full_name, c.country)", BOTH),
        ("row_number() OVER (ORDER BY c.email, c.customer_id)", EMAIL),
        ("count(*) OVER (PARTITION BY c.email)", EMAIL),
        ("row_number() OVER w", EMAIL),
        ("max(c.country) OVER (v ROWS 1 PRECEDING)", EMAIL),
        ("count(*) FILTER (c.email LIKE '%.de')", EMAIL),
        ("arg_max(c.country, c.email)", EMAIL),
        ("list(c.country ORDER BY c.email)", EMAIL),
        ("count(c.email)", EMAIL),
        ("count(DISTINCT c.email)", EMAIL),
        ("c.email IN ('ada@example.com')", EMAIL),
        ("(SELECT max(o.email) FROM canonical.customer AS o WHERE o.country = c.country)", EMAIL),
        ("(SELECT max(o.country) FROM canonical.customer AS o WHERE o.customer_id = c.email)", EMAIL),
        ("EXISTS (SELECT 1 FROM canonical.customer AS o WHERE o.country = c.email)", EMAIL),
        ("c.country IN (SELECT o.country FROM canonical.customer AS o WHERE o.email > 'm')", EMAIL),
        ("(SELECT o.country FROM canonical.customer AS o ORDER BY o.email, o.customer_id LIMIT 1)", EMAIL),
        ("list_transform([c.email], x -> upper(x))[1]", EMAIL),
        ("struct_pack(mail := c.email).mail", EMAIL),
        ("c", BOTH),
        ("COLUMNS('email')", BOTH),
        ("c.country", ()),
        ("count(*)", ()),
        ("(SELECT count(*) FROM canonical.customer)", ()),
    ],
)
def test_a_value_carries_the_labels_of_all_that_it_may_tell_about(
    shop: Path, expression: str, labels: tuple[str, ...]
) -> None:
    windows = (
        "\nWINDOW w AS (ORDER BY c.email, c.customer_id), v AS (PARTITION BY c.email ORDER BY c.customer_id)"
    )
    named = " OVER w" in expression or "(v " in expression
    [column] = planned(shop, ONE.format(expression) + windows * named).values()
    assert column.labels == labels


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT country AS value FROM people UNION ALL SELECT email FROM people",
        "SELECT email AS value FROM people EXCEPT SELECT country FROM people",
        "WITH a AS (SELECT email AS x FROM people), b AS (SELECT x AS y FROM a) SELECT y AS value FROM b",
        "SELECT value FROM (SELECT upper(email) FROM people) AS t(value)",
        "SELECT t.value FROM people AS c, LATERAL (SELECT c.email AS value) AS t",
        "SELECT unnest(string_split(email, '@')) AS value FROM people",
        "SELECT t.value FROM people AS c, unnest([c.email]) AS t(value)",
        "SELECT coalesce(b.email, b.country) AS value FROM people LEFT JOIN people AS b USING (customer_id)",
        "SELECT email AS value FROM people GROUP BY ALL",
        "SELECT value FROM (SELECT country, min(email) AS value FROM people GROUP BY country)",
        "SELECT value FROM (SELECT *, lag(email) OVER (ORDER BY customer_id) AS value FROM people)",
        "WITH RECURSIVE r(value, n) AS (SELECT email, 1 FROM people UNION ALL SELECT value, n + 1 FROM r"
        " WHERE n < 3) SELECT value FROM r",
        "FROM people SELECT email AS value",
        "SELECT email AS value FROM orders.customer",
    ],
)
def test_a_label_goes_through_every_form_of_query(shop: Path, sql: str) -> None:
    assert "email" in planned(shop, sql.replace("people", "canonical.customer"))["value"].labels


def test_by_which_rows_a_query_chooses_labels_nothing(shop: Path) -> None:
    """Labels belong to values; whoever lists the rows with an e-mail address labels that table himself."""
    sql = "SELECT c.country FROM canonical.customer AS c WHERE c.email IS NOT NULL"
    assert planned(shop, sql)["country"].labels == ()


def test_a_view_keeps_the_labels_of_what_it_shows_and_adds_its_own(shop: Path) -> None:
    (shop / "canonical/contact.sql").write_text("SELECT customer_id, country, email FROM canonical.customer")
    (shop / "canonical/contact.yaml").write_text(
        "table: canonical.contact\ndescription: All.\nkind: view\ncolumns:\n  country: {label: home}\n"
    )
    columns = planned(shop, "SELECT email || country AS both, country FROM canonical.contact")
    assert columns["both"].labels == ("email", "home")
    assert columns["country"].labels == ("home",)


def test_a_label_that_a_view_drops_stays_dropped_for_who_reads_the_view(shop: Path) -> None:
    (shop / "canonical/contact.sql").write_text(
        "SELECT customer_id, email <> '' AS reachable FROM canonical.customer"
    )
    (shop / "canonical/contact.yaml").write_text(
        "table: canonical.contact\ndescription: All.\nkind: view\n"
        "columns:\n  reachable: {label: {drop: email, because: Only whether there is one.}}\n"
    )
    assert planned(shop, "SELECT reachable FROM canonical.contact")["reachable"].labels == ()


def test_a_declared_label_adds_to_those_that_come_with_the_column(shop: Path) -> None:
    columns = planned(shop, "SELECT email FROM canonical.customer", "{email: {label: [contact, home]}}")
    assert columns["email"].labels == ("contact", "email", "home")


def test_a_label_is_dropped_for_a_reason_which_the_plan_tells(shop: Path) -> None:
    declared = "{n: {label: {drop: email, because: A count shows no address.}}}"
    column = planned(shop, "SELECT count(email) AS n FROM canonical.customer", declared)["n"]
    assert (column.labels, column.dropped) == ((), {"email": "A count shows no address."})


def test_one_label_of_two_is_dropped_and_another_one_added(shop: Path) -> None:
    declared = "{v: {label: {drop: [name], add: initials, because: Two letters are no name.}}}"
    column = planned(shop, "SELECT left(full_name, 2) || email AS v FROM canonical.customer", declared)["v"]
    assert column.labels == ("email", "initials")


def test_no_label_is_dropped_without_a_reason(shop: Path) -> None:
    [said] = refused(shop, "SELECT email FROM canonical.customer", "{email: {label: none}}")
    assert said == (
        "marts/orders/tables/contact.yaml:3: column 'email' would carry 'email' of canonical.customer.email, "
        "and nothing says why it does not. Write 'label: {drop: [email], because: \"…\"}', or leave it out."
    )


def test_a_blank_reason_is_none(shop: Path) -> None:
    declared = "{email: {label: {drop: email, because: ' '}}}"
    assert "is not a reason in words" in refused(shop, "SELECT email FROM canonical.customer", declared)[0]


def test_none_is_fine_where_nothing_is_dropped(shop: Path) -> None:
    columns = planned(shop, "SELECT country FROM canonical.customer", "{country: {label: none}}")
    assert columns["country"].labels == ()


def test_a_drop_of_what_is_not_carried_is_refused(shop: Path) -> None:
    declared = "{email: {label: {drop: emial, because: A slip.}}}"
    [said] = refused(shop, "SELECT email FROM canonical.customer", declared)
    assert "drops the label 'emial', which nothing that it is made of carries. Did you mean 'email'?" in said


def test_what_a_delivery_holds_beyond_its_contract_carries_all_labels_of_its_table(shop: Path) -> None:
    column = planned(shop, "SELECT _extra AS rest, customer_id FROM shop.customers")["rest"]
    assert column.labels == BOTH


def test_the_validity_of_a_row_carries_the_labels_of_the_moment_alone(shop: Path) -> None:
    more = "kind: scd2\nkey: [email]\norder_by: at\n"
    sql = "SELECT email, country, full_name, DATE '2026-01-01' AS at FROM canonical.customer"
    columns = planned(shop, sql, more=more)
    assert {name: column.labels for name, column in columns.items()} == {
        "email": EMAIL,
        "country": (),
        "full_name": NAME,
        "valid_from": (),
        "valid_to": (),
    }


def with_model(shop: Path, columns: str) -> None:
    (shop / "canonical/greeting.py").write_text("def model(customers):\n    return customers\n")
    (shop / "canonical/greeting.yaml").write_text(
        "table: canonical.greeting\ndescription: All.\ninputs: {customers: shop.customers}\n"
        f"columns:\n{columns}"
    )


def test_a_column_of_a_python_model_carries_the_labels_of_what_it_is_from(shop: Path) -> None:
    with_model(shop, "  hello: {type: string, from: [customers.full_name, customers.country]}\n")
    column = make_plan(read_warehouse(shop)).tables["canonical.greeting"].columns[0]
    assert column.labels == NAME


def test_a_column_of_a_python_model_from_nowhere_carries_the_labels_of_all_inputs(shop: Path) -> None:
    with_model(shop, "  hello: {type: string}\n  again: {type: string, from: []}\n")
    columns = make_plan(read_warehouse(shop)).tables["canonical.greeting"].columns
    assert [column.labels for column in columns] == [BOTH, BOTH]


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("customers.emial", "'shop.customers' has no column 'emial'. Did you mean 'email'?"),
        ("customer.email", "'customer.email' is of no input of the model. Did you mean 'customers'?"),
        ("email", "'email' is of no input of the model."),
    ],
)
def test_a_python_model_is_from_columns_that_there_are(shop: Path, origin: str, said: str) -> None:
    with_model(shop, f"  hello: {{type: string, from: {origin}}}\n")
    with pytest.raises(InvalidDeclarations) as found:
        make_plan(read_warehouse(shop))
    assert said in str(found.value)
