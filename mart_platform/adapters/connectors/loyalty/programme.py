"""What happened in the programme, as frozen values, and as the files in which its system tells of it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

ENROLMENT_COLUMNS = (
    "enrolment_id",
    "account",
    "household_id",
    "given_name",
    "family_name",
    "email",
    "phone",
    "birth_date",
    "postcode",
    "region",
    "channel",
    "enrolled_on",
)
CONSENT_COLUMNS = ("account", "stated_on", "wants_marketing")


@dataclass(frozen=True)
class Particulars:
    """What a person says when enrolling."""

    household_id: int
    given_name: str
    family_name: str
    email: str | None
    phone: str | None
    birth_date: date
    postcode: str
    region: str


@dataclass(frozen=True)
class Enrolment:
    """An account as it was opened."""

    enrolment_id: int
    account: str
    told: Particulars
    channel: str
    enrolled_on: date


@dataclass(frozen=True)
class Consent:
    """What the holder of an account said about marketing on a day."""

    account: str
    stated_on: date
    wants_marketing: bool


@dataclass(frozen=True)
class Programme:
    """All that happened, by day; ``persons`` is the truth, who holds each account, which no file tells."""

    enrolments: tuple[Enrolment, ...]
    consents: tuple[Consent, ...]
    persons: Mapping[str, int]

    def enrolments_file(self, first: date, after: date) -> bytes:
        """Return the accounts that were opened from one day to before another, as CSV."""
        opened = (each for each in self.enrolments if first <= each.enrolled_on < after)
        return _csv(ENROLMENT_COLUMNS, (_enrolment_row(each) for each in opened))

    def consents_file(self, first: date, after: date) -> bytes:
        """Return what was said about marketing from one day to before another, as CSV."""
        said = (each for each in self.consents if first <= each.stated_on < after)
        rows = ((each.account, each.stated_on, str(each.wants_marketing).lower()) for each in said)
        return _csv(CONSENT_COLUMNS, rows)


def _enrolment_row(each: Enrolment) -> Sequence[object]:
    told = each.told
    return (
        each.enrolment_id,
        each.account,
        told.household_id,
        told.given_name,
        told.family_name,
        told.email,
        told.phone,
        told.birth_date,
        told.postcode,
        told.region,
        each.channel,
        each.enrolled_on,
    )


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()
