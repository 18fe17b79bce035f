"""Rights: what a mart's declarations give to whom, worked out to tables, columns, rows and masks.

They are made of the plan (planning/rights.py), approved with a publication, and kept in the ledger: the door
knows no others.
"""

import hashlib

from mart_platform.spec.access import Mask
from mart_platform.spec.budgets import Budget
from mart_platform.spec.principals import Attribute
from mart_platform.spec.words import Word


class TableRights(Word):
    """What a role sees of a table.

    ``columns`` are those that it may name, each with its mask (``clear`` where there is none). A row is seen
    where ``rows``, SQL over the row, ``principal.<attribute>`` and tables of the same mart, is true, and
    where the group that it counts (an integer column) has as many members as ``smallest_group`` says.
    """

    columns: dict[str, Mask]
    rows: str | None = None
    smallest_group: tuple[str, int] | None = None


class RoleRights(Word):
    """What a role sees of a mart, by the tables' names ``mart.table``, and what its holders may spend."""

    tables: dict[str, TableRights]
    budget: Budget = Budget()


class MartRights(Word):
    """What all roles of a mart see of it.

    ``types`` are the declared types of the columns of its tables, ``quota`` is what all of its readers may
    take, ``holders`` are the principals that the warehouse folder gives each role, and ``attributes`` those
    of all its principals that row filters name: who holds no role there may be granted one. By table and
    column, ``labels`` are the labels that a column carries, ``dropped`` those that it would carry if its
    declaration did not drop them; ``published`` are the labels that may stand in the published files.
    """

    mart: str
    roles: dict[str, RoleRights] = {}
    types: dict[str, dict[str, str]] = {}
    quota: Budget = Budget()
    holders: dict[str, tuple[str, ...]] = {}
    attributes: dict[str, dict[str, Attribute]] = {}
    labels: dict[str, dict[str, tuple[str, ...]]] = {}
    dropped: dict[str, dict[str, tuple[str, ...]]] = {}
    published: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of everything that it says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def withheld(self, table: str) -> frozenset[str]:
        """Return the columns of a table ``mart.table`` that the published files leave out."""
        labels = self.labels.get(table, {})
        return frozenset(column for column in labels if not set(labels[column]) <= set(self.published))
