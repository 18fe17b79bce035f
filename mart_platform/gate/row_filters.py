"""Row filters: the SQL of a role's ``rows``, bound to the attributes of the one who asks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from mart_platform.gate.allowing import allow
from mart_platform.gate.names import alias_of, folded, named_by
from mart_platform.gate.parsing import tokens_of, tree_of
from mart_platform.gate.questions import Refused
from mart_platform.spec.principals import Attribute
from mart_platform.spec.problems import UserError

Types = Mapping[str, Mapping[str, str]]
"""Declared types of columns, of each table by its name ``mart.table``."""

PRINCIPAL = "principal"


@dataclass(frozen=True)
class RowFilter:
    """A condition, the tables that it looks up (``mart.table``), and the columns of all that it reads."""

    condition: exp.Where
    looked_up: frozenset[str]
    read: frozenset[tuple[str, str]]


def row_filter(text: str, table: str, types: Types, attributes: Mapping[str, Attribute]) -> RowFilter:
    """Return the condition for the rows of ``table``, its columns qualified and the attributes filled in.

    A missing attribute is NULL, and so is one that the type of the column beside it cannot hold: nothing is
    seen by it. Each column says what it belongs to, by a name that no query can give (``inside``), so that
    none can be taken for one of the query around it. Raises UserError for a filter that is no condition on
    the table's row and on tables of its mart.
    """
    try:
        condition = _condition(text)
        allow(condition)
        _refuse_what_is_no_filter(condition)
        _check_tables(condition, table, types)
        _qualify_columns(condition, table, types)
        _fill_in(condition, table, types, attributes)
        read = frozenset(
            (_owner(column, table, types), folded(column.name)) for column in condition.find_all(exp.Column)
        )
    except Refused as refused:
        raise UserError(f"The row filter of {table}, '{text}', cannot be used: {refused}") from refused
    looked_up = frozenset(_name(found) for found in condition.find_all(exp.Table))
    _go_inside(condition)
    return RowFilter(condition, looked_up, read)


def inside(alias: str) -> str:
    """Return by which name a policy calls a table: one that no query can give to anything (allowing.py)."""
    return f"{alias}@"


def literal(value: Attribute | None) -> exp.Expr:
    """Return a value as a literal of its own type."""
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    if isinstance(value, str):
        return exp.Literal.string(value)
    number = exp.Literal.number(repr(abs(value)))
    return exp.Neg(this=number) if value < 0 else number


def _condition(text: str) -> exp.Where:
    sql = f"SELECT 1 WHERE {text}"
    select = tree_of(tokens_of(sql), sql)
    parts = {part for part, value in select.args.items() if value}
    if parts != {"expressions", "where"}:
        raise Refused("not_allowed", "It is no condition.", "Write what may stand behind WHERE.")
    return select.args["where"].pop()  # type: ignore[no-any-return]  # the parts of a node are untyped


def _refuse_what_is_no_filter(condition: exp.Expr) -> None:
    for kind, what in _NOT_IN_FILTERS.items():
        if condition.find(kind):
            raise Refused("not_allowed", f"A row filter may not hold {what}.")


def _check_tables(condition: exp.Expr, table: str, types: Types) -> None:
    mart = table.partition(".")[0]
    for found in condition.find_all(exp.Table):
        named = named_by(found)
        if named is None or named.version or named.mart != mart or named.name not in types:
            raise Refused("unknown_table", f"'{found.sql()}' is no table of {mart}.", "Write mart.table.")


def _qualify_columns(condition: exp.Where, table: str, types: Types) -> None:
    for column in list(condition.find_all(exp.Column)):
        if folded(column.table) != PRINCIPAL:
            column.replace(_qualified(column, table, types))


def _qualified(column: exp.Column, table: str, types: Types) -> exp.Column:
    """Return a column that says the source that it belongs to, the innermost one that has it."""
    qualifier, name = folded(column.table), folded(column.name)
    schema = column.args.get("db")
    if schema is None or f"{folded(schema.name)}.{qualifier}" in types:
        for alias, columns in _sources(column, table, types):
            if qualifier in ("", alias) and name in columns:
                return exp.column(exp.to_identifier(name, quoted=True), table=alias, quoted=True)
    raise Refused("unknown_column", f"There is no column '{column.sql()}'.")


def _fill_in(condition: exp.Where, table: str, types: Types, attributes: Mapping[str, Attribute]) -> None:
    for column in list(condition.find_all(exp.Column)):
        if folded(column.table) == PRINCIPAL:
            column.replace(_value(column, table, types, attributes.get(folded(column.name))))


def _go_inside(condition: exp.Where) -> None:
    for table in condition.find_all(exp.Table):
        table.set("alias", exp.TableAlias(this=exp.to_identifier(inside(alias_of(table)), quoted=True)))
    for column in condition.find_all(exp.Column):
        column.set("table", exp.to_identifier(inside(column.table), quoted=True))


def _sources(node: exp.Expr, table: str, types: Types) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield what a node of a filter may name, the nearest first: aliases with the types of their columns."""
    select = node.find_ancestor(exp.Select)
    while select is not None:
        joins = select.args.get("joins") or []
        for clause in filter(None, [select.args.get("from_"), *joins]):
            yield alias_of(clause.this), types[_name(clause.this)]
        select = select.find_ancestor(exp.Select)
    yield table.partition(".")[2], types[table]


def _owner(column: exp.Column, table: str, types: Types) -> str:
    select = column.find_ancestor(exp.Select)
    while select is not None:
        for source in select.find_all(exp.Table):
            if alias_of(source) == folded(column.table) and folded(column.name) in types[_name(source)]:
                return _name(source)
        select = select.find_ancestor(exp.Select)
    return table


def _name(table: exp.Expr) -> str:
    if not isinstance(table, exp.Table):
        raise Refused("not_allowed", "A row filter may look up tables only.")
    return f"{folded(table.db)}.{folded(table.name)}"


def _value(principal: exp.Column, table: str, types: Types, value: Attribute | None) -> exp.Expr:
    """Return an attribute as a literal of the type of the column that it is compared with."""
    beside = _compared_with(principal)
    if beside is None:
        return literal(value)
    declared = next(
        columns[folded(beside.name)]
        for alias, columns in _sources(beside, table, types)
        if alias == folded(beside.table) and folded(beside.name) in columns
    )
    return literal(_fitting(value, declared))


def _compared_with(principal: exp.Column) -> exp.Column | None:
    above = principal.parent
    if not isinstance(above, exp.Predicate | exp.In | exp.Between):
        return None
    beside = above.args.get("expression") if above.this is principal else above.this
    return beside if isinstance(beside, exp.Column) else None


def _fitting(value: Attribute | None, declared: str) -> Attribute | None:
    """Return the value that a column of a type can be compared with without a cast, None if there is none."""
    if value is None or declared.startswith(("list", "struct", "binary")):
        return None
    if declared == "string":
        return str(value).lower() if isinstance(value, bool) else str(value)
    if declared == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    if declared in ("date", "timestamp", "timestamptz"):
        return _as_date(value)
    return _as_number(value)


def _as_date(value: Attribute) -> date | None:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        return None


def _as_number(value: Attribute) -> int | float | None:
    if isinstance(value, bool | date):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return int(number) if number == number.to_integral_value() and abs(number) < 10**18 else float(number)


_NOT_IN_FILTERS: dict[type[exp.Expr], str] = {
    exp.Placeholder: "parameters",
    exp.With: "WITH",
    exp.Star: "*",
    exp.Alias: "AS",
    exp.SetOperation: "set operations",
}
