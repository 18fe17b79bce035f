"""Policies: what one principal may see of all marts, worked out from its roles and their approved rights."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from mart_platform.gate.masks import spoken
from mart_platform.gate.parsing import DUCKDB
from mart_platform.gate.row_filters import row_filter
from mart_platform.spec.access import Mask, strictness
from mart_platform.spec.principals import Attribute
from mart_platform.spec.rights import MartRights, TableRights


@dataclass(frozen=True)
class Asker:
    """Who asks: its roles in force as ``mart.role``, and its attributes."""

    principal: str
    roles: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True)
class Branch:
    """What one role shows of a table: which rows, and its columns with their masks.

    ``looked_up`` are the tables of the mart in ``rows``, and ``read`` the columns of any table in it.
    """

    columns: Mapping[str, Mask]
    rows: exp.Where | None = None
    smallest_group: tuple[str, int] | None = None
    looked_up: frozenset[str] = frozenset()
    read: frozenset[tuple[str, str]] = frozenset()

    @property
    def shows_all_rows(self) -> bool:
        """Whether it hides no row."""
        return self.rows is None and self.smallest_group is None

    def mask_of(self, column: str) -> Mask:
        """Return how it shows a column."""
        return self.columns.get(column, "redact")

    @cached_property
    def text(self) -> str:
        """Everything that it says, the same text for the same rights."""
        masks = {
            name: mask if isinstance(mask, str) else mask.model_dump() for name, mask in self.columns.items()
        }
        rows = self.rows.this.sql(dialect=DUCKDB, identify=True, comments=False) if self.rows else None
        return json.dumps([masks, rows, self.smallest_group], sort_keys=True)


@dataclass(frozen=True)
class TablePolicy:
    """What a principal sees of a table: the rows of any of its ``branches``, one for each role."""

    name: str
    branches: tuple[Branch, ...]

    @property
    def hides_rows(self) -> bool:
        """Whether there may be rows that are not seen."""
        return not any(branch.shows_all_rows for branch in self.branches)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that may be named."""
        return frozenset[str]().union(*(branch.columns for branch in self.branches))

    def masks_of(self, column: str) -> list[Mask]:
        """Return the masks under which a column is seen in one row or another, the most revealing one first.

        Behind one that holds for all rows none is left.
        """
        by_mask = {branch.mask_of(column): branch for branch in self.branches if not branch.shows_all_rows}
        of_all = [branch.mask_of(column) for branch in self.branches if branch.shows_all_rows]
        if of_all:
            best = min(of_all, key=strictness)
            return [*sorted((m for m in by_mask if strictness(m) < strictness(best)), key=strictness), best]
        return sorted(by_mask, key=strictness)


@dataclass(frozen=True)
class Policy:
    """What a principal may see, by the tables' names ``mart.table``; no other exists for it."""

    tables: Mapping[str, TablePolicy]

    @cached_property
    def text(self) -> str:
        """Everything that decides what is seen, in JSON: filters with the attributes in them, masks."""
        said = {name: [json.loads(b.text) for b in table.branches] for name, table in self.tables.items()}
        return json.dumps(said, sort_keys=True)

    def shown(self) -> dict[str, dict[str, str]]:
        """Return for each column of each table how it is shown, in words such as ``clear`` or ``band 10``."""
        return {
            name: {
                column: " or ".join(map(spoken, table.masks_of(column))) for column in sorted(table.columns)
            }
            for name, table in self.tables.items()
        }

    @cached_property
    def digest(self) -> str:
        """The digest of ``text``, the same for all who see the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def policy_of(rights: Mapping[str, MartRights], asker: Asker) -> Policy:
    """Return what a principal sees by the approved rights of the marts.

    A role that a mart does not have gives nothing. Raises UserError for a row filter that cannot be used.
    """
    branches: dict[str, dict[str, Branch]] = {}
    for mart, table, table_rights in _granted(rights, asker.roles):
        branch = _branch(mart, table, table_rights, asker.attributes)
        branches.setdefault(table, {})[branch.text] = branch
    return Policy(
        {
            table: TablePolicy(table, _needed([found[text] for text in sorted(found)]))
            for table, found in sorted(branches.items())
        }
    )


def _granted(
    rights: Mapping[str, MartRights], roles: Iterable[str]
) -> Iterator[tuple[MartRights, str, TableRights]]:
    for role in roles:
        mart, _, name = role.partition(".")
        if mart not in rights or name not in rights[mart].roles:
            continue
        for table, table_rights in rights[mart].roles[name].tables.items():
            if table_rights.columns:
                yield rights[mart], table, table_rights


def _branch(mart: MartRights, table: str, rights: TableRights, attributes: Mapping[str, Attribute]) -> Branch:
    if rights.rows is None:
        return Branch(rights.columns, None, rights.smallest_group)
    rows = row_filter(rights.rows, table, mart.types, attributes)
    return Branch(rights.columns, rows.condition, rights.smallest_group, rows.looked_up, rows.read)


def _needed(branches: Iterable[Branch]) -> tuple[Branch, ...]:
    """Return the branches without those that show nothing that one of all rows does not show as well."""
    needed: list[Branch] = []
    for branch in branches:
        if not any(_covers(other, branch) for other in needed):
            needed = [other for other in needed if not _covers(branch, other)] + [branch]
    return tuple(needed)


def _covers(one: Branch, other: Branch) -> bool:
    """Return whether one shows whatever the other one shows."""
    if not one.shows_all_rows or not other.columns.keys() <= one.columns.keys():
        return False
    return all(strictness(one.columns[name]) <= strictness(mask) for name, mask in other.columns.items())
