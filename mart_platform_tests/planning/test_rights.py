"""Rights are worked out from what a mart declares; what it does not say is denied."""

import shutil
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.planning.plan import Plan
from mart_platform.planning.planner import make_plan
from mart_platform.planning.rights import narrows
from mart_platform.reading.folder import read_warehouse
from mart_platform.spec.access import Prefix
from mart_platform.spec.problems import InvalidDeclarations
from mart_platform.spec.rights import MartRights, TableRights
from mart_platform_tests.golden.pairs import SHOP

ACCESS = "marts/orders/access.yaml"


class Declared:
    """A warehouse folder of its own, in which rights and principals are declared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(SHOP, folder)
        (folder / "principals.yaml").unlink()

    def write(self, file: str, text: str) -> "Declared":
        (self.folder / file).write_text(text)
        return self

    def edit(self, file: str, old: str, new: str) -> "Declared":
        text = (self.folder / file).read_text()
        assert text.count(old) == 1
        return self.write(file, text.replace(old, new))

    def plan(self) -> Plan:
        return make_plan(read_warehouse(self.folder))

    def rights(self) -> MartRights:
        return self.plan().rights["orders"]

    def seen(self, table: str) -> TableRights:
        """Return what the only role sees of a table."""
        [role] = self.rights().roles.values()
        return role.tables[f"orders.{table}"]

    def problems(self) -> list[str]:
        with pytest.raises(InvalidDeclarations) as found:
            self.plan()
        return [str(problem) for problem in found.value.problems]


@pytest.fixture
def shop(tmp_path: Path) -> Declared:
    return Declared(tmp_path / "warehouse")


def test_a_mart_without_access_rules_is_closed(shop: Declared) -> None:
    (shop.folder / ACCESS).unlink()
    assert shop.rights().roles == {}


def test_a_role_reads_the_tables_and_columns_that_it_lists(shop: Declared) -> None:
    shop.write(ACCESS, "roles:\n  r:\n    may_read: [daily]\n    columns: {daily: [country, lines]}\n")
    [role] = shop.rights().roles.values()
    assert {name: table.columns for name, table in role.tables.items()} == {
        "orders.daily": {"country": "clear", "lines": "clear"}
    }


def test_a_label_that_a_role_does_not_mention_is_redacted(shop: Declared) -> None:
    shop.write(ACCESS, "roles:\n  r:\n    may_read: [customer]\n    masks: {name: partial}\n")
    assert shop.seen("customer").columns == {
        "customer_id": "clear",
        "full_name": "partial",
        "email": "redact",
        "country": "clear",
    }


def test_of_several_labels_the_strictest_mask_counts(shop: Declared) -> None:
    shop.edit("sources/shop/source.yaml", "label: email,", "label: [email, contact],")
    masks = "{name: clear, email: {prefix: 3}, contact: clear}"
    shop.write(ACCESS, f"roles:\n  r:\n    may_read: [customer]\n    masks: {masks}\n")
    assert shop.seen("customer").columns["email"] == Prefix(prefix=3)


def test_rows_and_groups_are_those_of_each_table(shop: Declared) -> None:
    roles = shop.rights().roles
    assert roles["country_manager"].tables["orders.daily"].rows == "country = principal.country"
    assert roles["shop_management"].tables["orders.daily"].rows is None
    assert roles["benchmarking"].tables["orders.daily"].smallest_group == ("customers", 20)


def test_the_quota_of_a_mart_is_a_budget(shop: Declared) -> None:
    shop.edit(
        "marts/orders/mart.yaml", "rows_per_query: 1000000", "rows_per_query: 10, memory: 1GB, seconds: 5"
    )
    quota = shop.rights().quota
    assert (quota.rows, quota.memory, quota.seconds, quota.concurrency) == (10, "1GB", 5, None)


def test_the_folder_says_who_holds_a_role_and_by_which_attributes_rows_are_chosen(shop: Declared) -> None:
    shop.write(
        "principals.yaml",
        "principals:\n"
        "  ben: {roles: [orders.country_manager], attributes: {country: DE, floor: 3}}\n"
        "  ada: {roles: [orders.country_manager, orders.benchmarking], attributes: {country: FR}}\n"
        "  eve: {attributes: {country: US}}\n",
    )
    rights = shop.rights()
    assert rights.holders == {"country_manager": ("ada", "ben"), "benchmarking": ("ada",)}
    assert rights.attributes == {"ada": {"country": "FR"}, "ben": {"country": "DE"}, "eve": {"country": "US"}}


def test_published_files_leave_out_what_is_labelled_unless_the_label_may_stand_there(shop: Declared) -> None:
    assert shop.plan().withheld("orders.customer") == {"full_name", "email"}
    text = (shop.folder / ACCESS).read_text()
    shop.write(ACCESS, f"{text}published: {{clear: [name], because: The names are those of shops.}}\n")
    assert shop.plan().withheld("orders.customer") == {"email"}


def test_rights_come_back_from_json_with_the_same_digest(shop: Declared) -> None:
    shop.edit(ACCESS, "{name: partial, email: hmac}", "{name: {prefix: 1}, email: hmac}")
    rights = shop.rights()
    assert MartRights.model_validate_json(rights.model_dump_json()).digest == rights.digest


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "masks: {email: year}",
            "access.yaml:4: role 'r' sees 'email' by the mask 'year', which needs a date or "
            "time: customer.email is string. Choose redact",
        ),
        ("masks: {email: {band: 5}}", "role 'r' sees 'email' by the mask 'band', which needs a number"),
        (
            "masks: {emial: redact}",
            "access.yaml:4: role 'r' masks the label 'emial', which no column of the mart "
            "carries. Did you mean 'email'?",
        ),
        ("columns: {customer: [emial]}", "names the unknown column 'customer.emial'. Did you mean 'email'?"),
        (
            "columns: {daily: [country]}",
            "access.yaml:4: role 'r' says something about 'daily', which it may not read.",
        ),
        (
            "rows: {customr: country = 'DE'}",
            "role 'r' names the unknown table 'customr'. Did you mean 'customer'?",
        ),
        (
            "rows: {customer: country = = 2}",
            "access.yaml:4: the row filter of 'orders.customer' does not parse: country = = 2.",
        ),
        ("rows: {customer: contry = 'DE'}", 'does not run: Referenced column "contry" not found'),
        (
            "rows: {customer: length(country)}",
            "does not run: it is BIGINT, not a condition. Write a comparison.",
        ),
        ("rows: {customer: count(*) > 1}", "does not run: WHERE clause cannot contain aggregates"),
        (
            "rows: {customer: customer_id IN (SELECT customer_id FROM canonical.customer)}",
            "reads 'canonical.customer', which is no table of this mart.",
        ),
        (
            "rows: {customer: customer_id IN (SELECT customer_id FROM order_line)}",
            "reads 'order_line', which is no table of this mart.",
        ),
        (
            "rows: {customer: \"customer_id IN (SELECT a FROM read_csv('x.csv'))\"}",
            "which is no table of this mart.",
        ),
        (
            "rows: {customer: country = (SELECT max(country) FROM orders.daily AS principal)}",
            "calls something 'principal', which stands for who asks.",
        ),
        ("rows: {customer: principal.country = 'DE') OR (TRUE}", "does not parse"),
        (
            "smallest_group: {of: customers, at_least: 5}",
            "access.yaml:4: role 'r' counts its groups by 'customers', which no table that it "
            "reads has. Did you mean 'customer_id'?",
        ),
        (
            "smallest_group: {of: country, at_least: 5}",
            "role 'r' counts its groups by customer.country, which is string. Name a column of "
            "whole numbers.",
        ),
    ],
)
def test_a_rule_that_would_not_work_is_refused_where_it_stands(
    shop: Declared, written: str, said: str
) -> None:
    shop.write(ACCESS, f"roles:\n  r:\n    may_read: [customer]\n    {written}\n")
    assert any(said in problem for problem in shop.problems()), shop.problems()


def test_a_mask_suits_each_column_that_carries_the_label(shop: Declared) -> None:
    shop.write("marts/orders/tables/reach.sql", "SELECT count(email) AS reached FROM orders.customer")
    shop.write("marts/orders/tables/reach.yaml", "table: orders.reach\ndescription: How many have one.\n")
    shop.write(ACCESS, "roles:\n  r:\n    may_read: ['*']\n    masks: {email: hmac}\n")
    assert "reach.reached is bigint" in shop.problems()[0]
    shop.edit(ACCESS, "may_read: ['*']", "may_read: [customer]")
    assert shop.rights().roles["r"].tables.keys() == {"orders.customer"}


def test_a_label_is_published_only_where_a_column_carries_it(shop: Declared) -> None:
    shop.write(ACCESS, "roles: {}\npublished: {clear: [nmae], because: A slip.}\n")
    assert shop.problems() == [
        f"{ACCESS}:2: no column of the mart carries the label 'nmae'. Did you mean 'name'?"
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "roles: [orders.contry_manager]",
            "principals.yaml:2: 'ada' holds 'orders.contry_manager', and there is no role "
            "'orders.contry_manager'. Did you mean 'orders.country_manager'?",
        ),
        (
            "roles: [order.benchmarking]",
            "principals.yaml:2: 'ada' holds 'order.benchmarking', and there is no mart 'order'. "
            "Did you mean 'orders.benchmarking'?",
        ),
        (
            "roles: [orders.country_manager]",
            "principals.yaml:2: 'ada' holds 'orders.country_manager', whose rows are chosen by "
            "principal.country, and has no such attribute",
        ),
        ("roles: [benchmarking]", "'benchmarking' is not a role of a mart, such as sales.store_manager"),
    ],
)
def test_a_principal_that_would_see_nothing_is_refused(shop: Declared, written: str, said: str) -> None:
    shop.write("principals.yaml", f"principals:\n  ada: {{{written}}}\n")
    assert any(said in problem for problem in shop.problems()), shop.problems()


def test_a_filter_is_tried_with_the_types_that_each_holders_attributes_have(shop: Declared) -> None:
    held = "roles: [orders.r], attributes"
    shop.write(
        ACCESS,
        "roles:\n  r:\n    may_read: [daily]\n"
        "    rows: {daily: 'ordered_on > make_date(principal.since, 1, 1)'}\n",
    )
    shop.write(
        "principals.yaml",
        f"principals:\n  ada: {{{held}: {{since: 2017}}}}\n  ben: {{{held}: {{since: may}}}}\n",
    )
    [said] = shop.problems()
    assert f"{ACCESS}:4: the row filter of 'orders.daily' does not run for 'ben': No function matches" in said


TERMS = st.sampled_from(["store = 1", "day > DATE '2017-01-01'", "region IN ('a', 'b')", "a = 1 OR b = 2"])


@given(st.lists(TERMS, min_size=1, unique=True), st.lists(TERMS, unique=True), st.randoms())
def test_a_filter_and_more_shows_less(old: list[str], more: list[str], order: Random) -> None:
    terms = [*old, *more]
    order.shuffle(terms)
    assert narrows(" AND ".join(f"({term})" for term in terms), " AND ".join(f"({term})" for term in old))


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("store = 2", "store = 1"),
        ("store = 1 OR day > 3", "store = 1"),
        ("store = 1", "store = 1 AND day > 3"),
        ("NOT (store = 1 AND day > 3)", "store = 1"),
    ],
)
def test_what_is_not_the_filter_before_and_more_shows_other_rows(new: str, old: str) -> None:
    assert not narrows(new, old)
