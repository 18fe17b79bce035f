"""The mart customer_360: whether accounts are merged rightly, and whether what is sensitive stays covered."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pytest

from mart_platform.adapters.connectors.loyalty import LoyaltyOptions, simulated
from mart_platform.adapters.connectors.loyalty.programme import Enrolment, Programme
from mart_platform.adapters.connectors.loyalty.truth import score
from mart_platform.assembly import BUILT_IN, Places, plan_of
from mart_platform.planning.plan import Plan, PlannedColumn
from mart_platform_tests.end_to_end.conftest import mart

Row = dict[str, str]
ALL_CLEAR = "data_protection"
"""The role that answers to people what is stored about them."""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(Places(BUILT_IN, tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def programme(plan: Plan) -> Programme:
    return simulated(LoyaltyOptions.model_validate(plan.sources["sim_loyalty"].options))


def rows_of(table: str, data: Path) -> list[Row]:
    answer = mart("query", f"SELECT * FROM {table}", "--format", "csv", data=data)
    assert answer.returncode == 0, answer.stderr
    return list(csv.DictReader(answer.stdout.splitlines()))


@pytest.fixture(scope="module")
def accounts(built_data: Path) -> dict[str, str]:
    """The member of each account."""
    return {row["account"]: row["member_key"] for row in rows_of("canonical.member_account", built_data)}


@pytest.fixture(scope="module")
def members(built_data: Path) -> dict[str, Row]:
    return {row["member_key"]: row for row in rows_of("customer_360.dim_member", built_data)}


def test_all_that_the_programme_delivers_lands(accounts: Mapping[str, str], programme: Programme) -> None:
    assert accounts.keys() == programme.persons.keys()


def test_nearly_all_accounts_of_one_person_are_merged_and_nearly_no_others(
    accounts: Mapping[str, str], programme: Programme
) -> None:
    found = score(programme.persons, accounts)
    assert len(found.true) >= 90
    assert found.precision >= 0.99
    assert found.recall >= 0.95


def opened(accounts: Mapping[str, str], programme: Programme) -> dict[str, list[Enrolment]]:
    """The enrolments of each member, oldest first."""
    by_member = defaultdict[str, list[Enrolment]](list)
    for enrolment in programme.enrolments:
        by_member[accounts[enrolment.account]].append(enrolment)
    return by_member


def test_of_each_particular_the_newest_account_that_tells_it_counts(
    accounts: Mapping[str, str], members: Mapping[str, Row], programme: Programme
) -> None:
    for member_key, enrolments in opened(accounts, programme).items():
        member, first, last = members[member_key], enrolments[0], enrolments[-1].told
        assert member["name"] == f"{last.given_name} {last.family_name}"
        assert member["postcode"] == last.postcode
        assert member["birth_date"] == str(first.told.birth_date)
        emails = [each.told.email for each in enrolments if each.told.email]
        assert member["email"] == (emails[-1] if emails else "")
        assert member["accounts"] == str(len(enrolments))


def test_of_what_is_said_about_marketing_the_newest_word_on_any_account_counts_and_in_doubt_the_no(
    accounts: Mapping[str, str], members: Mapping[str, Row], programme: Programme
) -> None:
    said = defaultdict[str, list[tuple[str, bool]]](list)
    for consent in programme.consents:
        said[accounts[consent.account]].append((str(consent.stated_on), not consent.wants_marketing))
    for member_key, words in said.items():
        wants = not max(words)[1]
        assert members[member_key]["wants_marketing"] == str(wants).lower()
        assert members[member_key]["is_mailable"] == str(wants and members[member_key]["email"] != "").lower()


def columns_of(plan: Plan) -> Iterator[tuple[str, PlannedColumn]]:
    for name in plan.marts["customer_360"].tables:
        yield from ((name, column) for column in plan.tables[name].columns)


def delivered_labels(plan: Plan, column: PlannedColumn) -> set[str]:
    """The labels of the columns of sources that a column is made of, whatever is said on the way."""
    found = set[str]()
    for origin in column.lineage:
        table, name = origin.rsplit(".", 1)
        [of] = [each for each in plan.tables[table].columns if each.name == name]
        found |= set(of.labels) if not of.lineage else delivered_labels(plan, of)
    return found


def test_every_column_made_of_a_labelled_one_carries_the_label_or_says_why_not(plan: Plan) -> None:
    sensitive = {
        (name, column.name, label): column
        for name, column in columns_of(plan)
        for label in delivered_labels(plan, column)
    }
    covered = {key for key, column in sensitive.items() if key[2] in column.labels}
    dropped = {key for key, column in sensitive.items() if column.dropped.get(key[2])}
    assert covered | dropped == sensitive.keys()
    assert len(covered) == 7
    assert {(name, column) for name, column, _ in dropped} == {
        ("customer_360.dim_member", "is_mailable"),
        ("customer_360.region_summary", "birth_decade"),
    }


def test_no_role_but_one_sees_all_labels_clear_and_each_clear_one_is_named(plan: Plan) -> None:
    access = plan.marts["customer_360"].access
    assert access is not None
    for role, rights in plan.rights["customer_360"].roles.items():
        named = access.roles[role].masks
        for name, column in columns_of(plan):
            if name in rights.tables and column.name in rights.tables[name].columns and column.labels:
                mask = rights.tables[name].columns[column.name]
                assert mask == named.get(column.labels[0], "redact"), f"{role} {name}.{column.name}"
        labels = {label for _, column in columns_of(plan) for label in column.labels}
        assert (labels == {label for label, mask in named.items() if mask == "clear"}) == (role == ALL_CLEAR)


def test_no_personal_value_is_in_the_published_files(built_data: Path, programme: Programme) -> None:
    told = [each.told for each in programme.enrolments]
    personal = {
        *programme.persons,
        *(each.email for each in told if each.email),
        *(each.phone for each in told if each.phone),
        *(f"{each.given_name} {each.family_name}" for each in told),
        *(each.postcode for each in told),
    }
    database = built_data / "published" / "customer_360" / "current" / "customer_360.duckdb"
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        assert {"dim_member", "household_sales", "region_summary"} <= set(tables)
        for table in tables:
            rows = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {table}").fetchall()
            assert not personal.intersection(value for row in rows for value in row if len(value or "") > 4)
