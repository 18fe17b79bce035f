"""Who is made to ask: a holder of each role, or somebody like one, somebody with all roles, and with none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlglot import exp

from mart_platform.planning.quoting import identifier, literal, quoted
from mart_platform.planning.rights import attributes_named, is_attribute
from mart_platform.ports import EngineSession
from mart_platform.runs.proving.declared import Attributes, Person, filters_of
from mart_platform.spec.principals import Attribute
from mart_platform.spec.rights import MartRights


def people(
    session: EngineSession,
    rights: MartRights,
    holders: Mapping[str, Sequence[Attributes]],
    roles: Sequence[str],
    seed: str,
) -> list[Person]:
    """Return who asks about a mart. ``holders`` maps roles to the attributes of those who hold them.

    An attribute that no holder has gets a value that is in the data, taken from the column with which a row
    filter compares it; so does somebody with all roles. In ``session`` the tables of the mart can be named.
    """
    found = [_holder(session, rights, role, holders.get(role, ()), seed) for role in roles]
    together: dict[str, Attribute] = {}
    for person in found:
        together = {**person.attributes, **together}
    if len(found) > 1:
        found.append(Person("all roles", tuple(roles), together))
    return [*found, Person("no role", (), together)]


def _holder(
    session: EngineSession, rights: MartRights, role: str, holders: Sequence[Attributes], seed: str
) -> Person:
    attributes = dict(holders[0]) if holders else {}
    for table, condition in filters_of(rights, [role]):
        for name in attributes_named(condition):
            if name not in attributes:
                attributes[name] = _value(session, rights, table, condition, name, seed)
    return Person(role, (role,), attributes)


def _value(
    session: EngineSession, rights: MartRights, table: str, condition: exp.Expr, name: str, seed: str
) -> Attribute:
    """Return a value for an attribute such that the row filter lets some rows through, if one is found."""
    for source, column in _compared(rights, table, condition, name):
        whole = identifier(column)
        rows: list[dict[str, Any]] = session.rows(
            f"SELECT {whole} AS value FROM {quoted(source)} WHERE {whole} IS NOT NULL GROUP BY 1 "
            f"ORDER BY count(*) > 1 DESC, hash({whole}, {literal(seed)}) LIMIT 1"
        )
        if rows and isinstance(value := rows[0]["value"], Attribute):
            return value
    return ""


def _compared(rights: MartRights, table: str, condition: exp.Expr, name: str) -> Iterator[tuple[str, str]]:
    """Yield the columns, with their tables, that a row filter compares with an attribute."""
    for attribute in condition.find_all(exp.Column):
        if not (is_attribute(attribute) and attribute.name == name and attribute.parent):
            continue
        for column in attribute.parent.find_all(exp.Column):
            if not is_attribute(column):
                yield from _sources(rights, [*_around(attribute), table], column.name)


def _sources(rights: MartRights, tables: Iterable[str], column: str) -> Iterator[tuple[str, str]]:
    for table in tables:
        if column in rights.types.get(table, {}):
            yield table, column


def _around(node: exp.Expr) -> Iterator[str]:
    """Yield the tables of the SELECTs that a node stands in, the innermost first."""
    select = node.find_ancestor(exp.Select)
    while select is not None:
        for table in select.find_all(exp.Table):
            yield f"{table.db}.{table.name}".lower()
        select = select.find_ancestor(exp.Select)
