"""What somebody may see by the declarations, in SQL that owes nothing to the gate, which is held to it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from mart_platform.planning.quoting import identifier, literal
from mart_platform.planning.rights import is_attribute, parsed_filter
from mart_platform.spec.access import Mask, strictness
from mart_platform.spec.principals import Attribute
from mart_platform.spec.rights import MartRights, TableRights

Attributes = Mapping[str, Attribute]


@dataclass(frozen=True)
class Sight:
    """A table as the holder of one role sees it.

    ``condition`` is SQL over a row, true or false, never NULL.
    """

    columns: Mapping[str, Mask]
    condition: str


@dataclass(frozen=True)
class Person:
    """Somebody who asks: the roles of one mart that they hold, and their attributes."""

    name: str
    roles: tuple[str, ...]
    attributes: Attributes


def sights_of(rights: MartRights, person: Person, table: str) -> list[Sight]:
    """Return how somebody sees a table of a mart, by each of their roles that reads it."""
    held = [rights.roles[role].tables for role in person.roles if role in rights.roles]
    return [_sight(tables[table], person.attributes) for tables in held if table in tables]


def masks_of(sights: Sequence[Sight], column: str) -> list[tuple[str, Mask]]:
    """Return by which masks a column is seen, each with the condition for it; the first that holds counts."""
    masks = [(sight.condition, sight.columns[column]) for sight in sights if column in sight.columns]
    return sorted(masks, key=lambda pair: strictness(pair[1]))


def seen_columns(sights: Sequence[Sight], types: Mapping[str, str]) -> dict[str, str]:
    """Return the columns that may be named by any of the roles, with their types."""
    return {name: kind for name, kind in types.items() if any(name in sight.columns for sight in sights)}


def filters_of(rights: MartRights, roles: Collection[str]) -> Iterator[tuple[str, exp.Expr]]:
    """Yield the row filters of roles, each with the table ``mart.table`` that it filters."""
    for role in roles:
        for name, table in rights.roles[role].tables.items():
            if table.rows:
                yield name, parsed_filter(table.rows)


def read_by_filters(rights: MartRights, roles: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the columns that row filters look at, by table; those of a table that is only filtered too.

    It returns too many rather than too few: a column counts for each table that has one of its name.
    """
    read: dict[str, set[str]] = {}
    for filtered, condition in filters_of(rights, roles):
        named = {column.name.lower() for column in condition.find_all(exp.Column)}
        all_of_it = any(not isinstance(star.parent, exp.Count) for star in condition.find_all(exp.Star))
        for table in {filtered, *_tables_in(condition)}:
            types = rights.types.get(table, {})
            starred = all_of_it and table != filtered
            read.setdefault(table, set()).update(c for c in types if starred or c.lower() in named)
    return {table: frozenset(columns) for table, columns in read.items()}


def looked_up(rights: MartRights, roles: Collection[str]) -> frozenset[str]:
    """Return the tables whose rows decide, unfiltered, which rows of tables are seen."""
    return frozenset(t for _, condition in filters_of(rights, roles) for t in _tables_in(condition))


def _tables_in(condition: exp.Expr) -> set[str]:
    return {f"{table.db}.{table.name}".lower() for table in condition.find_all(exp.Table)}


def _sight(rights: TableRights, attributes: Attributes) -> Sight:
    conditions = [_with_attributes(rights.rows, attributes)] if rights.rows else []
    if rights.smallest_group:
        of, at_least = rights.smallest_group
        conditions.append(f"{identifier(of)} >= {at_least}")
    whole = " AND ".join(f"({condition})" for condition in conditions)
    return Sight(rights.columns, f"coalesce({whole}, FALSE)" if whole else "TRUE")


def _with_attributes(condition: str, attributes: Attributes) -> str:
    """Return a row filter with the values of attributes in it; one that is not given is NULL."""

    def as_value(node: exp.Expr) -> exp.Expr:
        if not (isinstance(node, exp.Column) and is_attribute(node)):
            return node
        return exp.maybe_parse(sql_of(attributes.get(node.name)), dialect="duckdb")

    return parsed_filter(condition).transform(as_value).sql(dialect="duckdb", comments=False)


def sql_of(value: Attribute | None) -> str:
    """Return an attribute as SQL.

    >>> sql_of(date(2017, 3, 1))
    "DATE '2017-03-01'"
    """
    if value is None:
        return "NULL"
    return f"DATE '{value.isoformat()}'" if isinstance(value, date) else literal(value)
