"""A mart's access rules worked out to rights: per role its tables, their columns with a mask each, and rows.

Denied by default: a table that a role does not read, a column that it does not list, and the value of a label
that it does not mention.
"""

from collections.abc import Callable, Iterable, Mapping

import sqlglot
from sqlglot import exp

from mart_platform.planning.plan import PlannedColumn, PlannedMart, PlannedTable
from mart_platform.spec.access import Access, Mask, Role, strictness
from mart_platform.spec.budgets import Budget
from mart_platform.spec.marts import Quota
from mart_platform.spec.principals import Attribute, Principal
from mart_platform.spec.rights import MartRights, RoleRights, TableRights

Tables = Mapping[str, PlannedTable]
Principals = Mapping[str, Principal]

PRINCIPAL = "principal"
"""What stands before the dot where a row filter names an attribute of who asks."""


def rights_of(mart: PlannedMart, tables: Tables, principals: Principals) -> MartRights:
    """Return what the declarations of a mart give to whom.

    ``tables`` and ``principals`` are those of the plan. Roles are called by their names in ``access.yaml``.
    """
    access, own = mart.access or Access(roles={}), [tables[name] for name in mart.tables]
    holders = {role: _holders(f"{mart.spec.mart}.{role}", principals) for role in access.roles}
    return MartRights(
        mart=mart.spec.mart,
        roles={name: _role_rights(role, own) for name, role in access.roles.items()},
        types={table.name: table.types for table in own},
        quota=_quota(mart.spec.quota),
        holders={role: names for role, names in holders.items() if names},
        attributes=_attributes(access, principals),
        labels=_by_column(own, lambda column: column.labels),
        dropped=_by_column(own, lambda column: tuple(column.dropped)),
        published=tuple(sorted(access.published.clear)) if access.published else (),
    )


def readable(role: Role, own: Iterable[PlannedTable]) -> list[PlannedTable]:
    """Return the tables of a mart that a role may read."""
    return [table for table in own if "*" in role.may_read or table.short_name in role.may_read]


def shown_columns(role: Role, table: PlannedTable) -> list[PlannedColumn]:
    """Return the columns of a readable table that a role may name."""
    listed = role.columns.get(table.short_name)
    return [column for column in table.columns if listed is None or column.name in listed]


def mask_of(role: Role, column: PlannedColumn) -> tuple[str, Mask]:
    """Return the label that decides how a role sees a column, and its mask: the strictest of all.

    ``("", "clear")`` for a column without a label.
    """
    masks = {label: role.masks.get(label, "redact") for label in column.labels}
    return max(masks.items(), key=lambda pair: strictness(pair[1]), default=("", "clear"))


def attributes_named(condition: exp.Expr) -> list[str]:
    """Return the attributes ``principal.<name>`` that a row filter names."""
    return sorted({column.name for column in condition.find_all(exp.Column) if is_attribute(column)})


def attributes_that_choose(roles: Iterable[RoleRights]) -> frozenset[str]:
    """Return the attributes by which the rows of roles are chosen."""
    tables = (table for role in roles for table in role.tables.values())
    return attributes_of_filters(table.rows for table in tables if table.rows)


def attributes_of_filters(filters: Iterable[str]) -> frozenset[str]:
    """Return the attributes that any of these row filters names."""
    return frozenset(name for condition in filters for name in attributes_named(parsed_filter(condition)))


def is_attribute(column: exp.Column) -> bool:
    """Return whether a column of a row filter is ``principal.<attribute>``."""
    return column.table.lower() == PRINCIPAL


def parsed_filter(condition: str) -> exp.Expr:
    """Return a row filter as a tree. Raises sqlglot's SqlglotError."""
    return sqlglot.parse_one(condition, dialect="duckdb", into=exp.Condition)


def narrows(new: str, old: str) -> bool:
    """Return whether a row filter lets through no row that another one does not: it is that one AND more.

    >>> narrows("(store = 1 OR store = 2) AND day > DATE '2017-01-01'", "store = 1 or store = 2")
    True
    >>> narrows("store = 2", "store = 1 OR store = 2")  # what cannot be seen at once is not believed
    False
    """
    return _conjuncts(old) <= _conjuncts(new)


def _conjuncts(condition: str) -> frozenset[str]:
    tree = parsed_filter(condition).unnest()
    parts = tree.flatten() if isinstance(tree, exp.And) else [tree]
    return frozenset(part.unnest().sql(dialect="duckdb", comments=False) for part in parts)


def _role_rights(role: Role, own: Iterable[PlannedTable]) -> RoleRights:
    tables = {table.name: _table_rights(role, table) for table in readable(role, own)}
    return RoleRights(tables=tables, budget=role.budget)


def _table_rights(role: Role, table: PlannedTable) -> TableRights:
    group, rows = role.smallest_group, role.rows.get(table.short_name)
    return TableRights(
        columns={column.name: mask_of(role, column)[1] for column in shown_columns(role, table)},
        rows=rows.strip() if rows else None,
        smallest_group=(group.of, group.at_least) if group and group.of in table.types else None,
    )


def _by_column(
    own: Iterable[PlannedTable], of: Callable[[PlannedColumn], tuple[str, ...]]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return labels by table and column, without what has none."""
    found = {table.name: {c.name: of(c) for c in table.columns if of(c)} for table in own}
    return {name: columns for name, columns in found.items() if columns}


def _quota(quota: Quota) -> Budget:
    return Budget(
        concurrency=quota.concurrency,
        seconds=quota.seconds,
        memory=quota.memory,
        rows=quota.rows_per_query,
        spend_per_day=quota.spend_per_day,
    )


def _holders(role: str, principals: Principals) -> tuple[str, ...]:
    return tuple(sorted(name for name, principal in principals.items() if role in principal.roles))


def _attributes(access: Access, principals: Principals) -> dict[str, dict[str, Attribute]]:
    """Return of each principal the attributes that filter rows; it may be granted a role by a command."""
    named = attributes_of_filters(rows for role in access.roles.values() for rows in role.rows.values())
    found = {
        name: {each: value for each, value in sorted(principal.attributes.items()) if each in named}
        for name, principal in sorted(principals.items())
    }
    return {name: given for name, given in found.items() if given}
