"""Access: which role reads which tables, which rows of them, and with which masks. Denied by default."""

from typing import Annotated, Literal

from pydantic import Field

from mart_platform.spec.words import Name, Word

Mask = Literal["redact", "partial", "hmac", "year", "band", "prefix"]


class SmallestGroup(Word):
    """An aggregate is answered only over groups of at least so many distinct values."""

    of: Name
    at_least: Annotated[int, Field(ge=2)]


class Role(Word):
    """What one role may see of a mart."""

    may_read: tuple[str, ...]
    columns: dict[Name, tuple[Name, ...]] = {}
    rows: dict[Name, str] = {}
    masks: dict[Name, Mask] = {}
    smallest_group: SmallestGroup | None = None


class Access(Word):
    """The declaration ``access.yaml``."""

    roles: dict[Name, Role]
