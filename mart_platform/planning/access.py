"""Access rules and principals held against the tables of a mart: all that would not work as written."""

from collections.abc import Iterable, Iterator, Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError

from mart_platform.planning.describing import CannotDescribe, EmptyTables
from mart_platform.planning.plan import PlannedTable
from mart_platform.planning.rights import (
    PRINCIPAL,
    Principals,
    attributes_named,
    is_attribute,
    mask_of,
    parsed_filter,
    readable,
    shown_columns,
)
from mart_platform.spec.access import Mask, Role, mask_name
from mart_platform.spec.principals import Attribute
from mart_platform.spec.problems import Origin, Place, Problem, nearest
from mart_platform.spec.types import TIMES
from mart_platform.spec.warehouse import DeclaredMart, Warehouse

Tables = Mapping[str, PlannedTable]
"""The tables of one mart, by their short names."""


def access_problems(
    declared: DeclaredMart, own: Tables, principals: Principals, empty: EmptyTables
) -> Iterator[Problem]:
    """Yield all that is wrong with what a mart's ``access.yaml`` says about its tables."""
    access, origin = declared.access, declared.access_origin
    if access is None or origin is None:
        return
    for name, role in access.roles.items():
        holders = {
            holder: principal.attributes
            for holder, principal in principals.items()
            if f"{declared.spec.mart}.{name}" in principal.roles
        }
        yield from _granted(name, role, own, origin)
        yield from _masks(name, role, own, origin)
        yield from _smallest_group(name, role, own, origin)
        for table in role.rows:
            if table in own:
                yield from _RowFilter(name, role.rows[table], own[table], own, origin).problems(
                    holders, empty
                )
    if access.published:
        for index, label in enumerate(access.published.clear):
            if label not in (labels := _labels(own.values())):
                place = origin.place("published", "clear", index)
                yield Problem(
                    place, f"no column of the mart carries the label '{label}'.", nearest(label, labels)
                )


def principals_problems(warehouse: Warehouse) -> Iterator[Problem]:
    """Yield which principals hold roles that there are not, or would see nothing by those that they hold."""
    origin = warehouse.principals_origin or Origin("principals.yaml")
    marts = {mart.spec.mart: mart.access.roles if mart.access else {} for mart in warehouse.marts}
    roles = {f"{mart}.{name}": role for mart, named in marts.items() for name, role in named.items()}
    for name, principal in warehouse.principals.items():
        for index, held in enumerate(principal.roles):
            if held in roles:
                place = origin.place("principals", name, "attributes")
                yield from _attributes_missing(name, principal.attributes, held, roles[held], place)
                continue
            mart = held.split(".", 1)[0]
            unknown = f"role '{held}'" if mart in marts else f"mart '{mart}'"
            place = origin.place("principals", name, "roles", index)
            yield Problem(place, f"'{name}' holds '{held}', and there is no {unknown}.", nearest(held, roles))


def _attributes_missing(
    name: str, attributes: Mapping[str, Attribute], held: str, role: Role, place: Place
) -> Iterator[Problem]:
    named = {attribute for condition in role.rows.values() for attribute in _attributes_in(condition)}
    for attribute in sorted(named - attributes.keys()):
        yield Problem(
            place,
            f"'{name}' holds '{held}', whose rows are chosen by principal.{attribute}, and has no such "
            "attribute: it would see none of them.",
            f"Write 'attributes: {{{attribute}: …}}'.",
        )


def _attributes_in(condition: str) -> list[str]:
    try:
        return attributes_named(parsed_filter(condition))
    except SqlglotError:
        return []  # which is told where the filter stands


def _granted(name: str, role: Role, own: Tables, origin: Origin) -> Iterator[Problem]:
    """Check that the tables and columns that a role names are there, and that it reads these tables."""
    read = {table.short_name for table in readable(role, own.values())}
    for index, table in enumerate(role.may_read):
        if table != "*" and table not in own:
            place = origin.place("roles", name, "may_read", index)
            yield Problem(place, f"role '{name}' names the unknown table '{table}'.", nearest(table, own))
    for key, tables in (("columns", role.columns), ("rows", role.rows)):
        for table in tables:
            place = origin.place("roles", name, key, table)
            if table not in own:
                yield Problem(place, f"role '{name}' names the unknown table '{table}'.", nearest(table, own))
            elif table not in read:
                said = f"role '{name}' says something about '{table}', which it may not read."
                yield Problem(place, said, "Add the table to 'may_read', or leave this out.")
    for table, listed in role.columns.items():
        known = own[table].types if table in own else dict.fromkeys(listed, "")
        for index, column in enumerate(listed):
            if column not in known:
                place = origin.place("roles", name, "columns", table, index)
                found = f"role '{name}' names the unknown column '{table}.{column}'."
                yield Problem(place, found, nearest(column, known))


def _masks(name: str, role: Role, own: Tables, origin: Origin) -> Iterator[Problem]:
    """Check that a column carries each label that a role masks, and that the mask suits each such column."""
    labels = _labels(own.values())
    for label in sorted(role.masks.keys() - labels):
        remedy = nearest(label, labels) if labels else "Give the column its label, or drop the mask."
        found = f"role '{name}' masks the label '{label}', which no column of the mart carries."
        yield Problem(origin.place("roles", name, "masks", label), found, remedy)
    for table in readable(role, own.values()):
        for column in shown_columns(role, table):
            label, mask = mask_of(role, column)
            if needed := _lacks(mask, column.type):
                yield Problem(
                    origin.place("roles", name, "masks", label),
                    f"role '{name}' sees '{label}' by the mask '{mask_name(mask)}', which needs {needed}: "
                    f"{table.short_name}.{column.name} is {column.type}.",
                    "Choose redact or clear, leave the column out by 'columns', or give it another label.",
                )


def _lacks(mask: Mask, kind: str) -> str | None:
    """Return what a mask needs a column to be, where it is something else.

    >>> _lacks("year", "integer")
    'a date or time'
    """
    match mask_name(mask):
        case "partial" | "hmac" | "prefix":
            return None if kind == "string" else "a text"
        case "year":
            return None if kind in TIMES else "a date or time"
        case "band":
            return (
                None if kind in ("integer", "bigint", "double") or kind.startswith("decimal") else "a number"
            )
    return None


def _labels(tables: Iterable[PlannedTable]) -> frozenset[str]:
    return frozenset[str]().union(*(table.labels for table in tables))


def _smallest_group(name: str, role: Role, own: Tables, origin: Origin) -> Iterator[Problem]:
    """Check that the column that counts the members of a group is there to be compared."""
    if role.smallest_group is None:
        return
    place, of = origin.place("roles", name, "smallest_group", "of"), role.smallest_group.of
    read = readable(role, own.values())
    counted = [table for table in read if of in table.types]
    if read and not counted:
        known = {column for table in read for column in table.types}
        said = f"role '{name}' counts its groups by '{of}', which no table that it reads has."
        yield Problem(place, said, nearest(of, known))
    for table in counted:
        if table.types[of] not in ("integer", "bigint"):
            said = f"role '{name}' counts its groups by {table.short_name}.{of}, which is {table.types[of]}."
            yield Problem(place, said, "Name a column of whole numbers.")


class _RowFilter:
    """A row filter: a condition over the row, the principal's attributes, and tables of the same mart."""

    def __init__(self, role: str, condition: str, table: PlannedTable, own: Tables, origin: Origin) -> None:
        self._condition, self._table, self._own = condition, table, own
        self._place = origin.place("roles", role, "rows", table.short_name)

    def problems(
        self, holders: Mapping[str, Mapping[str, Attribute]], empty: EmptyTables
    ) -> Iterator[Problem]:
        """Yield what is wrong with it; each holder of the role has attributes of types of its own."""
        try:
            tree = parsed_filter(self._condition)
        except SqlglotError:
            yield self._problem(f"does not parse: {self._condition.strip()}.")
            return
        if found := [*self._names(tree)]:
            yield from found
            return
        named = attributes_named(tree)
        given: dict[tuple[tuple[str, str], ...], str] = {}
        for holder, attributes in holders.items():
            given.setdefault(_types(named, attributes), holder)
        for types, holder in given.items() or [((), "")]:
            if problem := self._runs(tree, dict(types), empty):
                whose = f" for '{holder}'" if len(given) > 1 else ""
                yield self._problem(f"does not run{whose}: {problem[0]}", problem[1])
                return

    def _problem(self, said: str, remedy: str = "") -> Problem:
        return Problem(self._place, f"the row filter of '{self._table.name}' {said}", remedy)

    def _names(self, tree: exp.Expr) -> Iterator[Problem]:
        """Yield which tables it names that it may not."""
        known = [table.name for table in self._own.values()]
        common = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
        for named in tree.find_all(exp.Table):
            if f"{named.db}.{named.name}".lower() not in known and (
                named.db or named.name.lower() not in common
            ):
                yield self._problem(
                    f"reads '{named.sql()}', which is no table of this mart.", nearest(named.sql(), known)
                )
        for source in tree.find_all(exp.Table, exp.Subquery, exp.CTE):
            if source.alias_or_name.lower() == PRINCIPAL:
                yield self._problem(
                    f"calls something '{PRINCIPAL}', which stands for who asks.", "Rename it."
                )

    def _runs(self, tree: exp.Expr, types: Mapping[str, str], empty: EmptyTables) -> tuple[str, str] | None:
        """Return why it does not run as a condition, and a remedy, with attributes of these types."""

        def as_null(node: exp.Expr) -> exp.Expr:
            if not (isinstance(node, exp.Column) and is_attribute(node)):
                return node
            return (
                exp.cast(exp.null(), types[node.name], dialect="duckdb") if node.name in types else exp.null()
            )

        condition = tree.copy().transform(as_null).sql(dialect="duckdb", comments=False)
        try:
            empty.describe(f"SELECT 1 FROM {self._table.name} WHERE ({condition})")
            kind = next(iter(empty.describe(f"SELECT ({condition}) FROM {self._table.name}").values()))
        except CannotDescribe as error:
            return error.found, error.remedy
        untyped = isinstance(tree, exp.Column) and is_attribute(tree) and tree.name not in types
        if kind != "BOOLEAN" and not untyped:
            return f"it is {kind}, not a condition.", "Write a comparison."
        return None


def _types(named: Iterable[str], attributes: Mapping[str, Attribute]) -> tuple[tuple[str, str], ...]:
    """Return the DuckDB types of the attributes that are given, of those that are named."""
    return tuple((name, _DUCKDB[type(attributes[name]).__name__]) for name in named if name in attributes)


_DUCKDB = {"bool": "BOOLEAN", "int": "BIGINT", "float": "DOUBLE", "date": "DATE", "str": "VARCHAR"}
