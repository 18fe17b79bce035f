"""Principals: the people and the programs that may ask, with their roles and attributes."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from mart_platform.spec.budgets import Budget
from mart_platform.spec.words import PrincipalName, RoleName, Word

Attribute = bool | int | float | date | str
"""What row filters see as ``principal.<name>``."""


class Principal(Word):
    """Who may ask. ``roles`` are those of marts, as ``sales.store_manager``; ``until`` is the last day.

    Secrets have no place here: they are set by ``mart access secret``, and only their hashes are kept.
    """

    kind: Literal["person", "service"] = "person"
    name: str = ""
    roles: tuple[RoleName, ...] = ()
    attributes: dict[str, Attribute] = {}
    until: date | None = None
    budget: Budget = Budget()


class Principals(Word):
    """The declaration ``principals.yaml``, which may be left out."""

    principals: Annotated[dict[PrincipalName, Principal], Field(min_length=1)]
