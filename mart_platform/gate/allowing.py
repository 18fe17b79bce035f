"""Allowing: a query holds nothing but what is in the lists, else it is refused with the construct's name."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sqlglot import exp

from mart_platform.gate.functions import FUNCTIONS, LONGEST_PADDING, LONGEST_SERIES, PADDING, SERIES
from mart_platform.gate.names import folded
from mart_platform.gate.nodes import EXCLUDED, FRAMES, JOINS, NODES, TYPES, UNITS
from mart_platform.gate.questions import Refused

DEEPEST = 200
"""How many nodes may lie under one another; ANDs and ORs in a row count as one."""


def allow(tree: exp.Expr) -> None:
    """Return if the lists hold everything that a tree is made of. Raises Refused (``not_allowed``)."""
    nodes = [(tree, 0)]
    while nodes:
        node, depth = nodes.pop()
        if depth > DEEPEST:
            raise Refused("not_allowed", "The query is nested too deep.", "Name its parts by WITH.")
        _allow_parts(node)
        if further := _FURTHER.get(type(node)):
            further(node)
        below = depth + (not isinstance(node, exp.Connector))
        nodes.extend((child, below) for child in node.iter_expressions())


def call_name(node: exp.Expr) -> str:
    """Return the name of the function that an anonymous call calls."""
    return folded(node.name)


def integer_of(node: exp.Expr | None) -> int | None:
    """Return the whole number that a node is, None where it is not a plain literal."""
    if isinstance(node, exp.Neg):
        inner = integer_of(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
        return int(node.this)
    return None


def _allow_parts(node: exp.Expr) -> None:
    parts = NODES.get(type(node))
    if parts is None:
        raise _refused(_spoken(node))
    for part, value in node.args.items():
        if value and part not in parts:
            raise _refused(f"{_spoken(node)} with {part.strip('_').upper()}")


def _allow_call(call: exp.Expr) -> None:
    name = call_name(call)
    if name not in FUNCTIONS:
        raise _refused(f"the function {name}", "Those that may be called look at their arguments alone.")
    if name in PADDING:
        _allow_padding(name, call)
    if name in SERIES:
        _allow_series(name, call.expressions)
    for argument in call.expressions:
        if isinstance(argument, exp.Star) and name != "count":
            raise _refused(f"* as an argument of {name}")
        if isinstance(argument, exp.Distinct) and len(argument.expressions) > 1:
            raise _refused("DISTINCT of several values", "Put them into one: DISTINCT (a, b).")


def _allow_padding(name: str, call: exp.Expr) -> None:
    length = integer_of(call.expressions[1]) if len(call.expressions) > 1 else None
    if length is None or length > LONGEST_PADDING:
        raise _refused(f"{name} of a length that is no number up to {LONGEST_PADDING}")
    around = call.find_ancestor(exp.Anonymous)
    if around is not None and call_name(around) in PADDING:
        raise _refused(f"{name} within {call_name(around)}")


def _allow_series(name: str, bounds: list[exp.Expr]) -> None:
    length = _days(bounds) if len(bounds) == 3 and isinstance(bounds[2], exp.Interval) else _steps(bounds)
    if length is None:
        raise _refused(f"{name} of bounds that are not literals", "Write whole numbers, or dates and days.")
    if length > LONGEST_SERIES:
        raise _refused(f"{name} of more than {LONGEST_SERIES} values")


def _steps(bounds: list[exp.Expr]) -> int | None:
    """Return how many steps a series of numbers has, None where its bounds are no numbers."""
    numbers = [integer_of(bound) for bound in bounds]
    if not 1 <= len(numbers) <= 3 or None in numbers:
        return None
    whole = [number for number in numbers if number is not None]
    start, stop = (0, whole[0]) if len(whole) == 1 else whole[:2]
    step = whole[2] if len(whole) == 3 else 1
    return abs(stop - start) // abs(step) if step else None


def _days(bounds: list[exp.Expr]) -> int | None:
    """Return how many days lie between the dates of a series, None where they are no literals."""
    start, stop, step = _date_of(bounds[0]), _date_of(bounds[1]), bounds[2]
    unit = str(step.args["unit"]).upper().rstrip("S") if step.args.get("unit") else ""
    count = step.this.name if isinstance(step.this, exp.Literal) else ""
    if start is None or stop is None or unit not in _DAYS_OR_MORE or not count.isdigit() or int(count) == 0:
        return None
    return abs((stop - start).days)


def _date_of(node: exp.Expr) -> date | None:
    if not isinstance(node, exp.Cast) or not isinstance(node.this, exp.Literal):
        return None
    try:
        return date.fromisoformat(node.this.name[:10])
    except ValueError:
        return None


def _allow_table(table: exp.Expr) -> None:
    if isinstance(table.this, exp.Identifier):
        return
    _allow_table_function(table.this)
    if table.args.get("db"):
        raise _refused("a function of a schema")


def _allow_lateral(lateral: exp.Expr) -> None:
    if not isinstance(lateral.this, exp.Subquery | exp.Unnest):
        _allow_table_function(lateral.this)


def _allow_table_function(call: exp.Expr) -> None:
    if not isinstance(call, exp.Anonymous) or call_name(call) not in SERIES:
        raise _refused(f"{_spoken(call)} in the place of a table")


def _allow_star(star: exp.Expr) -> None:
    above = star.parent
    if isinstance(above, exp.Column):
        above = above.parent
    if not isinstance(above, exp.Select) and not isinstance(above, exp.Anonymous):
        raise _refused("* within an expression")


def _allow_dot(dot: exp.Expr) -> None:
    if not isinstance(dot.expression, exp.Identifier):
        raise _refused("a function behind a dot", "Write it before its arguments.")


def _allow_alias(alias: exp.Expr) -> None:
    if not isinstance(alias.args.get("alias"), exp.Identifier):
        raise _refused("a name that is none")


def _allow_identifier(identifier: exp.Expr) -> None:
    """Policies call tables by names with an ``@`` (row_filters.inside), which are not for queries to give."""
    if "@" in identifier.name and identifier.arg_key not in ("db", "catalog"):
        raise _refused("a name with @ that is not the version of a mart")


def _allow_literal(literal: exp.Expr) -> None:
    if not literal.is_string and not _NUMBER.fullmatch(literal.name):
        raise _refused(f"the number {literal.name}")


def _allow_variable(word: exp.Expr) -> None:
    known = EXCLUDED if isinstance(word.parent, exp.WindowSpec) else UNITS
    if word.name.upper() not in known and not _is_all(word):
        raise _refused(f"the word {word.name}")


def _is_all(word: exp.Expr) -> bool:
    return word.name.upper() == "ALL" and isinstance(word.parent, exp.Ordered | exp.Limit)


def _allow_placeholder(placeholder: exp.Expr) -> None:
    if not _PARAMETER.fullmatch(str(placeholder.args.get("this") or "")):
        raise _refused("a parameter of this name", "Name it in letters, digits and underscores.")


def _allow_type(kind: exp.Expr) -> None:
    if kind.this not in TYPES:
        raise _refused("a cast to this type")


def _allow_quantified(quantified: exp.Expr) -> None:
    if not isinstance(quantified.parent, _COMPARISONS):
        raise _refused(f"{_spoken(quantified)} outside of a comparison")


def _allow_words(words: Mapping[str, frozenset[str]]) -> Callable[[exp.Expr], None]:
    """Return a check that the parts of a node that are plain words are in the list."""

    def allow_words(node: exp.Expr) -> None:
        for part, value in node.args.items():
            if isinstance(value, str) and value.upper() not in words[part]:
                raise _refused(f"{value.upper()} {node.key.upper()}")

    return allow_words


def _spoken(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"the function {call_name(node)}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()


def _refused(what: str, remedy: str = "") -> Refused:
    return Refused("not_allowed", f"A query may not hold {what}.", remedy)


_NUMBER = re.compile(r"[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?")
_PARAMETER = re.compile(r"[a-zA-Z0-9_]*")
_DAYS_OR_MORE = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)

_FURTHER: dict[type[exp.Expr], Callable[[Any], None]] = {
    exp.Alias: _allow_alias,
    exp.All: _allow_quantified,
    exp.Anonymous: _allow_call,
    exp.Any: _allow_quantified,
    exp.DataType: _allow_type,
    exp.Dot: _allow_dot,
    exp.Identifier: _allow_identifier,
    exp.Join: _allow_words(JOINS),
    exp.Lateral: _allow_lateral,
    exp.Literal: _allow_literal,
    exp.Placeholder: _allow_placeholder,
    exp.Star: _allow_star,
    exp.Table: _allow_table,
    exp.Var: _allow_variable,
    exp.WindowSpec: _allow_words(FRAMES),
}
