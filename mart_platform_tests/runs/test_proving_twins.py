"""The two lakes differ in what somebody may not see, and in nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mart_platform.ports import Relation
from mart_platform.runs.proving.alterations import CANARY
from mart_platform.runs.proving.declared import Person
from mart_platform.runs.proving.people import people
from mart_platform.runs.proving.sampling import ROWS, sample
from mart_platform.runs.proving.twins import Lake, Twins, twins_for
from mart_platform.spec.rights import MartRights
from mart_platform_tests.runs.bank import OF_REGION, Bank, bank_rights, table_rights, with_table

CLERK = Person("clerk", ("clerk",), {"region": "north"})


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return Bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module", params=["1", "2"])
def twins(bank: Bank, request: pytest.FixtureRequest) -> Twins:
    return made(bank, bank_rights(), seed=request.param)


def made(bank: Bank, rights: MartRights, person: Person = CLERK, seed: str = "1") -> Twins:
    lake = {table.name: table for table in bank.relations}
    return twins_for(bank.platform, lake, rights, person, seed)


def rows(bank: Bank, lake: Lake, sql: str) -> Sequence[Mapping[str, Any]]:
    with bank.platform.engine.session(lake.values()) as session:
        return session.rows(sql)


def differs(bank: Bank, twins: Twins, sql: str) -> bool:
    return rows(bank, twins.one, sql) != rows(bank, twins.other, sql)


@pytest.mark.parametrize(
    "seen",
    [
        "SELECT account, region, iban FROM bank.account WHERE region = 'north'",
        "SELECT left(owner, 1), left(postcode, 2), year(born) FROM bank.account WHERE region = 'north'",
        "SELECT floor(balance / 100) AS band FROM bank.account WHERE region = 'north'",
        "SELECT * FROM bank.total WHERE region = 'north'",
        "SELECT p.* FROM bank.payment AS p JOIN bank.account AS a USING (account) WHERE a.region = 'north'",
    ],
)
def test_what_is_seen_is_the_same_in_both(bank: Bank, twins: Twins, seen: str) -> None:
    assert rows(bank, twins.one, seen)
    assert not differs(bank, twins, seen)


@pytest.mark.parametrize(
    "hidden",
    [
        "SELECT score FROM bank.account WHERE region = 'north'",
        "SELECT remark FROM bank.account WHERE region = 'north'",
        "SELECT owner FROM bank.account WHERE region = 'north'",
        "SELECT CAST(born AS VARCHAR) AS born FROM bank.account WHERE region = 'north'",
        "SELECT CAST(balance AS VARCHAR) AS balance FROM bank.account WHERE region = 'north'",
        "SELECT owner FROM bank.account WHERE region <> 'north'",
        "SELECT count(*) AS rows FROM bank.payment",
        "SELECT CAST(amount AS VARCHAR) AS amount FROM bank.total WHERE region IS DISTINCT FROM 'north'",
        "SELECT count(*) AS rows FROM bank.staff",
    ],
)
def test_what_is_hidden_is_not(bank: Bank, twins: Twins, hidden: str) -> None:
    assert differs(bank, twins, hidden)


def test_a_text_that_is_shown_as_a_hash_alone_is_a_canary_in_both(bank: Bank, twins: Twins) -> None:
    for lake in (twins.one, twins.other):
        (count,) = rows(
            bank,
            lake,
            f"SELECT count(*) FILTER (WHERE NOT starts_with(iban, '{CANARY}')) AS others FROM bank.account "
            "WHERE region = 'north'",
        )
        assert count["others"] == 0


def test_a_row_filter_that_fails_on_values_keeps_the_columns_that_it_looks_at(bank: Bank) -> None:
    fragile = table_rights(
        "bank.payment", rows="CAST(CAST(amount AS INTEGER) AS TINYINT) > 3 OR amount > 120"
    )
    rights = with_table(bank_rights(), "clerk", "bank.payment", fragile)
    assert "bank.payment" in made(bank, rights).alike or not differs(
        bank, made(bank, rights), "SELECT * FROM bank.payment WHERE amount > 120"
    )


def test_a_table_whose_hidden_rows_decide_what_is_seen_stays(bank: Bank) -> None:
    """The filter counts the rows of the table that it looks up, so that none may come or go."""
    counted = f"{OF_REGION} AND (SELECT count(*) FROM bank.staff) = 1"
    rights = with_table(bank_rights(), "clerk", "bank.total", table_rights("bank.total", rows=counted))
    twins = made(bank, rights)
    assert not differs(bank, twins, "SELECT count(*) AS rows FROM bank.staff")
    assert differs(bank, twins, "SELECT salary FROM bank.staff")


def test_an_attribute_that_nobody_has_gets_a_value_of_the_data(bank: Bank) -> None:
    with bank.platform.engine.session(bank.relations) as session:
        found = people(session, bank_rights(), {}, ("clerk", "analyst"), "1")
    assert [person.roles for person in found] == [("clerk",), ("analyst",), ("clerk", "analyst"), ()]
    assert found[0].attributes["region"] in ("north", "south", "east")


def test_the_attributes_of_a_holder_are_taken(bank: Bank) -> None:
    with bank.platform.engine.session(bank.relations) as session:
        (person, _) = people(session, bank_rights(), {"clerk": [{"region": "south"}]}, ("clerk",), "1")
    assert person.attributes == {"region": "south"}


def test_a_sample_holds_small_tables_whole_and_rows_of_large_ones_that_join(bank: Bank) -> None:
    lake = sample(bank.platform, bank.relations, bank_rights(), [CLERK], "1")
    (counts,) = rows(
        bank,
        lake,
        "SELECT (SELECT count(*) FROM bank.account) AS accounts, count(*) AS payments, "
        "count(a.account) AS joined FROM bank.payment AS p LEFT JOIN bank.account AS a USING (account)",
    )
    assert counts["accounts"] == 300
    assert ROWS / 2 <= counts["payments"] <= ROWS
    assert counts["joined"] == counts["payments"]


def test_lists_structs_and_decimals_can_be_altered(bank: Bank) -> None:
    columns = {"k": "integer", "l": "list(decimal(4,2))", "s": "struct(a integer, b string)", "b": "binary"}
    sql = "SELECT i AS k, [1.25] AS l, {'a': 1, 'b': 'x'} AS s, 'x'::BLOB AS b FROM range(50) AS t(i)"
    with bank.platform.engine.session([]) as session:
        files = session.write(sql, columns, bank.platform.data.lake / "nested")
    table = Relation("bank.nested", columns, tuple(bank.platform.data.absolute(file.path) for file in files))
    rights = MartRights(mart="bank", types={**bank_rights().types, "bank.nested": columns})
    twins = twins_for(bank.platform, {"bank.nested": table}, rights, Person("nobody", (), {}), "1")
    assert twins.alike == ()
    assert differs(bank, twins, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM bank.nested")
