"""Access: which role reads which tables, which rows of them, and with which masks. Denied by default."""

from typing import Annotated, Literal

from pydantic import Field

from mart_platform.spec.budgets import Budget
from mart_platform.spec.words import Name, Reason, Word

MaskName = Literal["clear", "redact", "partial", "hmac", "year", "band", "prefix"]

DEFAULT_BAND, DEFAULT_PREFIX = 10.0, 2
"""How wide a ``band`` is, and how many characters a ``prefix`` keeps, where that is not said."""


class Band(Word):
    """A number becomes the start of its band, so wide."""

    band: Annotated[float, Field(gt=0)]


class Prefix(Word):
    """A text keeps so many characters at its start, such as a postcode's region."""

    prefix: Annotated[int, Field(ge=1)]


Mask = MaskName | Band | Prefix
"""What a role sees of a value. Each keeps the column's type.

``clear``: the value. ``redact``: NULL. ``partial`` (text): its first character, and stars. ``hmac`` (text):
HMAC-SHA256 with a key of the platform's, in hexadecimal: equal values stay equal, and no dictionary gives
them back. ``year`` (date or time): the first moment of its year. ``band`` (number): the start of its band, of
width 10 unless said. ``prefix`` (text): its first 2 characters unless said.
"""


def mask_name(mask: Mask) -> MaskName:
    """Return the name of a mask, however wide or long it is.

    >>> mask_name(Band(band=5)), mask_name("band")
    ('band', 'band')
    """
    if isinstance(mask, Band):
        return "band"
    return "prefix" if isinstance(mask, Prefix) else mask


def strictness(mask: Mask) -> float:
    """Return how much a mask hides: 0 shows the value, and of two masks the greater number shows less.

    A wider band and a shorter prefix are the stricter ones. A keyed hash shows no part of the value, only
    which values are equal.

    >>> sorted(["redact", "clear", "hmac", "prefix", Prefix(prefix=5)], key=strictness)
    ['clear', Prefix(prefix=5), 'prefix', 'hmac', 'redact']
    """
    match mask:
        case Band(band=width):
            return 1 + width / (1 + width)
        case Prefix(prefix=length):
            return 1 + 1 / length
        case "band":
            return strictness(Band(band=DEFAULT_BAND))
        case "prefix":
            return strictness(Prefix(prefix=DEFAULT_PREFIX))
    return _STRICTNESS[mask]


_STRICTNESS: dict[MaskName, float] = {"clear": 0, "year": 1 + 1 / 2, "partial": 2.5, "hmac": 3, "redact": 4}


class SmallestGroup(Word):
    """Rows of an aggregate are shown only where they are about so many members.

    ``of`` is the integer column of the table that counts them.
    """

    of: Name
    at_least: Annotated[int, Field(ge=2)]


class Role(Word):
    """What one role may see of a mart, and what its holders may spend.

    ``may_read`` names tables of the mart, ``*`` all; ``columns`` the columns of a table where it is not all
    of them. ``rows`` says by table which rows are seen: SQL over the row, ``principal.<attribute>`` and
    tables of the mart, these unfiltered. ``masks`` gives labels their masks; a label that is not among them
    is redacted.
    """

    may_read: tuple[str, ...]
    columns: dict[Name, tuple[Name, ...]] = {}
    rows: dict[Name, str] = {}
    masks: dict[Name, Mask] = {}
    smallest_group: SmallestGroup | None = None
    budget: Budget = Budget()


class PublishedLabels(Word):
    """Labels whose columns stand in the published files too, which no role and no mask guards, and why."""

    clear: tuple[Name, ...]
    because: Reason


class Access(Word):
    """The declaration ``access.yaml``."""

    roles: dict[Name, Role]
    published: PublishedLabels | None = None
