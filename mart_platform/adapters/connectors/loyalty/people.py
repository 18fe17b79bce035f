"""The people of the simulated programme: they enrol, some of them again, and say what they want.

Nobody of them exists. Names are Faker's, e-mail addresses lie in domains and telephone numbers in ranges
that are kept for examples. What is real is the household that a person is put into: its number, the age group
of its head, how many adults it has, and the day of its first basket.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from faker import Faker

from mart_platform.adapters.connectors.loyalty.households import Household
from mart_platform.adapters.connectors.loyalty.programme import Consent, Enrolment, Particulars, Programme

LAST_DAY = date(2017, 12, 31)
"""The last day of the baskets, and so of the programme."""

_BEGUN = date(2013, 1, 1)
_AGES_AS_OF = date(2017, 1, 1)
_KNOWN_SINCE = date(2017, 2, 1)  # a household that was first seen later had no account before
AGES = {
    "19-24": (19, 24),
    "25-34": (25, 34),
    "35-44": (35, 44),
    "45-54": (45, 54),
    "55-64": (55, 64),
    "65+": (65, 88),
}
_AGE_WEIGHTS = (46, 142, 194, 288, 59, 72)  # as in the households that told theirs
_STATES = {"North": "MI", "East": "PA", "South": "KY", "West": "IN"}
_REGION_WEIGHTS = (40, 30, 20, 10)
_CHANNELS, _CHANNEL_WEIGHTS = ("store", "web", "app"), (60, 25, 15)

_SECOND_PERSON = 0.5  # where it is not known how many adults there are
_ENROLS_AGAIN = 0.03
_TWO_VARIANTS, _IN_ANOTHER_HOUSEHOLD = 0.3, 0.05
_NO_EMAIL, _NO_PHONE = 0.08, 0.2
_FAMILY_NAME_SHARED, _EMAIL_SHARED, _PHONE_SHARED = 0.8, 0.1, 0.25
_SAME_NAME, _TWIN = 0.02, 0.006  # parent and child, or twins: two people whom a careless merge takes for one
_OPTS_IN, _CHANGES_MIND = 0.7, 0.15

_NICKNAMES = {
    "Alexander": "Alex", "Amanda": "Mandy", "Andrew": "Drew", "Anthony": "Tony", "Benjamin": "Ben",
    "Charles": "Chuck", "Christina": "Tina", "Christopher": "Chris", "Cynthia": "Cindy", "Daniel": "Dan",
    "David": "Dave", "Deborah": "Debbie", "Edward": "Ted", "Elizabeth": "Liz", "Gregory": "Greg",
    "James": "Jim", "Jeffrey": "Jeff", "Jennifer": "Jenny", "Jessica": "Jess", "John": "Jack",
    "Joseph": "Joe", "Joshua": "Josh", "Katherine": "Kate", "Kenneth": "Ken", "Kimberly": "Kim",
    "Margaret": "Peggy", "Matthew": "Matt", "Michael": "Mike", "Nicholas": "Nick", "Patricia": "Pat",
    "Rebecca": "Becky", "Richard": "Rick", "Robert": "Bob", "Ronald": "Ron", "Samantha": "Sam",
    "Stephanie": "Steph", "Steven": "Steve", "Susan": "Sue", "Thomas": "Tom", "Timothy": "Tim",
    "Victoria": "Vicky", "William": "Bill", "Zachary": "Zach",
}  # fmt: skip


@dataclass(frozen=True)
class _Opened:
    """An account before it has a number."""

    person: int
    particulars: Particulars
    enrolled_on: date


def simulate(households: Iterable[Household], seed: int) -> Programme:
    """Return the programme that these households and this seed give: the same at any time, on any machine.

    It depends on the version of Faker, whose lists of names grow.
    """
    chance = _Chance(seed)
    opened = list(_all_opened(sorted(households, key=lambda each: each.household_id), chance))
    opened.sort(key=lambda each: (each.enrolled_on, each.person))
    numbers = chance.random.sample(range(10**8, 10**9), len(opened))
    enrolments = tuple(
        Enrolment(place, _account(number), each.particulars, chance.channel(), each.enrolled_on)
        for place, (each, number) in enumerate(zip(opened, numbers, strict=True), start=1)
    )
    consents = [consent for enrolment in enrolments for consent in _consents(enrolment, chance)]
    return Programme(
        enrolments,
        tuple(sorted(consents, key=lambda each: (each.stated_on, each.account))),
        {enrolment.account: each.person for enrolment, each in zip(enrolments, opened, strict=True)},
    )


class _Chance:
    """All that is left to chance: one stream of draws, so that only their order decides."""

    def __init__(self, seed: int) -> None:
        self.fake = Faker("en_US")
        self.fake.seed_instance(seed)
        self.random: Random = self.fake.random
        self._emails: set[str] = set()

    def happens(self, share: float) -> bool:
        return self.random.random() < share

    def day(self, first: date, last: date) -> date:
        return first + timedelta(days=self.random.randint(0, (last - first).days))

    def region(self) -> str:
        [region] = self.random.choices(tuple(_STATES), _REGION_WEIGHTS)
        return region

    def postcode(self, region: str) -> str:
        return self.fake.postcode_in_state(_STATES[region])

    def channel(self) -> str:
        [channel] = self.random.choices(_CHANNELS, _CHANNEL_WEIGHTS)
        return channel

    def given_name(self) -> str:
        return self.fake.first_name()

    def family_name(self) -> str:
        return self.fake.last_name()

    def email(self, given_name: str, family_name: str) -> str:
        """Return an address that nobody has yet, in a domain reserved by RFC 2606."""
        domain = self.random.choice(("example.com", "example.net", "example.org"))
        address = f"{given_name}.{family_name}@{domain}".lower()
        while address in self._emails:
            address = f"{given_name}.{family_name}{self.random.randint(2, 9999)}@{domain}".lower()
        self._emails.add(address)
        return address

    def phone(self) -> str:
        """Return a number of those that the North American plan keeps for fiction: 555-0100 to 555-0199."""
        return f"+1-{self.random.randint(201, 989)}-555-01{self.random.randint(0, 99):02}"

    def birth_date(self, youngest: int, oldest: int) -> date:
        """Return the day of birth of somebody who is so many years old on the day that ages are told for."""
        return self.day(_before(_AGES_AS_OF, oldest + 1) + timedelta(days=1), _before(_AGES_AS_OF, youngest))


def _before(day: date, years: int) -> date:
    """Return the day so many years before; the 28th for a 29 February that the year lacks."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def _all_opened(households: Sequence[Household], chance: _Chance) -> Iterator[_Opened]:
    """Yield all accounts, household by household: the first person's not after the first basket."""
    person = 0
    for household in households:
        is_new = household.first_sold_on >= _KNOWN_SINCE
        earliest, latest = household.first_sold_on if is_new else _BEGUN, household.first_sold_on
        for particulars in _people(household, chance):
            person += 1
            of_age = _before(particulars.birth_date, -18)
            first = _Opened(person, particulars, max(of_age, chance.day(earliest, latest)))
            yield first
            yield from _opened_again(first, households, chance)
            earliest, latest = first.enrolled_on, LAST_DAY


def _opened_again(first: _Opened, households: Sequence[Household], chance: _Chance) -> Iterator[_Opened]:
    """Yield the further accounts of a person, each with what has changed or was written in another way."""
    day = first.enrolled_on
    while chance.happens(_ENROLS_AGAIN) and day + timedelta(days=30) < LAST_DAY:
        day = chance.day(day + timedelta(days=30), LAST_DAY)
        variants = chance.random.sample(_VARIANTS, 2 if chance.happens(_TWO_VARIANTS) else 1)
        told = first.particulars
        for variant in variants:
            told = variant(told, chance)
        if chance.happens(_IN_ANOTHER_HOUSEHOLD):
            told = replace(told, household_id=chance.random.choice(households).household_id)
        yield _Opened(first.person, told, day)


def _people(household: Household, chance: _Chance) -> Iterator[Particulars]:
    """Yield the one or two people of a household who enrol, its head first."""
    region = chance.region()
    group = household.age or chance.random.choices(tuple(AGES), _AGE_WEIGHTS)[0]
    given_name, family_name = chance.given_name(), chance.family_name()
    head = Particulars(
        household_id=household.household_id,
        given_name=given_name,
        family_name=family_name,
        email=None if chance.happens(_NO_EMAIL) else chance.email(given_name, family_name),
        phone=None if chance.happens(_NO_PHONE) else chance.phone(),
        birth_date=chance.birth_date(*AGES[group]),
        postcode=chance.postcode(region),
        region=region,
    )
    yield head
    is_two = chance.happens(_SECOND_PERSON) if household.adults is None else household.adults > 1
    if is_two:
        yield _second(head, chance)


def _second(head: Particulars, chance: _Chance) -> Particulars:
    """Return whom somebody lives with: mostly a partner, now and then a twin, or a child of the same name."""
    age = (_AGES_AS_OF - head.birth_date).days // 365
    given_name, family_name, birth_date = chance.given_name(), head.family_name, head.birth_date
    if age >= 45 and chance.happens(_SAME_NAME):
        given_name, birth_date = head.given_name, chance.birth_date(18, age - 20)
    elif not chance.happens(_TWIN):
        birth_date = chance.birth_date(max(18, age - 8), max(18, age + 8))
        family_name = family_name if chance.happens(_FAMILY_NAME_SHARED) else chance.family_name()
    own_email = None if chance.happens(_NO_EMAIL) else chance.email(given_name, family_name)
    own_phone = None if chance.happens(_NO_PHONE) else chance.phone()
    return replace(
        head,
        given_name=given_name,
        family_name=family_name,
        email=head.email if chance.happens(_EMAIL_SHARED) else own_email,
        phone=head.phone if chance.happens(_PHONE_SHARED) else own_phone,
        birth_date=birth_date,
    )


def _typed_wrong(told: Particulars, chance: _Chance) -> Particulars:
    """Let two letters of a name change places, or lose one, or double one; the first stays."""
    in_family_name = chance.happens(0.5)
    name = told.family_name if in_family_name else told.given_name
    at = chance.random.randint(1, max(1, len(name) - 2))
    swapped = name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
    lost, doubled = name[:at] + name[at + 1 :], name[: at + 1] + name[at:]
    wrong = chance.random.choice((swapped, lost, doubled) if swapped != name else (lost, doubled))
    return replace(told, family_name=wrong) if in_family_name else replace(told, given_name=wrong)


def _new_email(told: Particulars, chance: _Chance) -> Particulars:
    return replace(told, email=chance.email(told.given_name, told.family_name))


def _moved(told: Particulars, chance: _Chance) -> Particulars:
    """Let the household move within its region, or to another one."""
    region = chance.region() if chance.happens(0.2) else told.region
    return replace(told, postcode=chance.postcode(region), region=region)


def _day_and_month_swapped(told: Particulars, chance: _Chance) -> Particulars:
    """Write 3 April as 4 March; a day that is no month is written right, and a name wrong."""
    born = told.birth_date
    if born.day > 12 or born.day == born.month:
        return _typed_wrong(told, chance)
    return replace(told, birth_date=born.replace(month=born.day, day=born.month))


def _by_nickname(told: Particulars, chance: _Chance) -> Particulars:
    """Call William Bill; who has no nickname has a new address."""
    if (nickname := _NICKNAMES.get(told.given_name)) is None:
        return _new_email(told, chance)
    return replace(told, given_name=nickname)


_VARIANTS: Sequence[Callable[[Particulars, _Chance], Particulars]] = (
    _typed_wrong,
    _new_email,
    _moved,
    _day_and_month_swapped,
    _by_nickname,
)


def _account(number: int) -> str:
    """Return a card's number of ten digits: nine, and the check digit of ISO/IEC 7812 (Luhn).

    >>> _account(799273987)
    '7992739875'
    """
    digits = [int(digit) for digit in str(number)]
    doubled = [2 * digit if place % 2 == 0 else digit for place, digit in enumerate(reversed(digits))]
    total = sum(digit - 9 if digit > 9 else digit for digit in doubled)
    return f"{number}{-total % 10}"


def _consents(enrolment: Enrolment, chance: _Chance) -> Iterator[Consent]:
    """Yield what the holder says at enrolment, and each time that the mind is changed."""
    day, wants = enrolment.enrolled_on, chance.happens(_OPTS_IN)
    yield Consent(enrolment.account, day, wants)
    while day < LAST_DAY and chance.happens(_CHANGES_MIND):
        day, wants = chance.day(day + timedelta(days=1), LAST_DAY), not wants
        yield Consent(enrolment.account, day, wants)
