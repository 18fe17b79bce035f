"""Inferring: the types of those expressions in a query that can never raise an error.

It goes by names, not by scopes: a name may stand for any column of a table of the query and for whatever the
query calls so, and has a type where all of these have the same. So nothing that a query does with its scopes
can give a name a type that it does not have. What is unknown has no type.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from sqlglot import exp

from mart_platform.gate.allowing import call_name, integer_of
from mart_platform.gate.comparing import (
    AGGREGATED,
    NULL,
    are_comparable,
    is_written,
    type_of_number,
    type_of_value,
)
from mart_platform.gate.functions import AGGREGATES, WINDOWS
from mart_platform.gate.moments import MOST_DAYS, is_day, is_shifted_day
from mart_platform.gate.names import alias_of, folded
from mart_platform.spec.types import TIMES

Parameters = Sequence[Any] | Mapping[str, Any]


class Types:
    """The types of the expressions of one query. ``tables`` are those of the columns of its tables."""

    def __init__(
        self, tree: exp.Expr, tables: Sequence[Mapping[str, str]], parameters: Parameters = ()
    ) -> None:
        self._tree = tree
        self._parameters = parameters
        self._sources = {alias_of(source) for source in tree.find_all(exp.Table, exp.Subquery, exp.CTE)}
        self._columns: dict[str, set[str | None]] = {}
        self._given: dict[str, list[exp.Expr]] = {}
        self._being_asked: set[str] = set()
        for columns in tables:
            for name, declared in columns.items():
                self._columns.setdefault(name, set()).add(declared)
        self._gather_names()

    def of(self, node: exp.Expr | None) -> str | None:
        """Return the declared type of what can never raise; None for all else."""
        rule = self._RULES.get(type(node))
        return rule(self, node) if rule is not None else None

    def is_calm(self, value: exp.Expr) -> bool:
        """Return whether a value is made of columns, arithmetic, dates and aggregates; it may overflow."""
        if self.of(value) is not None:
            return True
        if isinstance(value, exp.Anonymous):
            return call_name(value) in _CALM and all(map(self.is_calm, value.expressions))
        if isinstance(value, exp.Case):
            return self._is_calm_case(value)
        if isinstance(value, exp.Window):
            return self._is_calm_window(value)
        if isinstance(value, exp.Alias | exp.Filter):
            return self.is_calm(value.this)  # a filter's condition is a WHERE, and is judged as one
        if isinstance(value, _COMPUTED):
            return all(map(self.is_calm, value.iter_expressions()))
        return isinstance(value, _PLAIN)

    def are_comparable(self, one: exp.Expr, *others: exp.Expr) -> bool:
        """Return whether a value is compared with others without anything that can raise."""
        left = self.of(one)
        return all(self._compares(one, left, other, self.of(other)) for other in others)

    def _compares(self, one: exp.Expr, left: str | None, other: exp.Expr, right: str | None) -> bool:
        if _is_constant_of(other, left) or _is_constant_of(one, right):
            return True
        return left is not None and right is not None and are_comparable(left, right)

    def _gather_names(self) -> None:
        for alias in self._tree.find_all(exp.Alias):
            self._given.setdefault(folded(alias.alias), []).append(alias.this)
        unknown = [
            name for given in self._tree.find_all(exp.TableAlias) for name in given.args.get("columns") or []
        ]
        unknown += [dot.expression for dot in self._tree.find_all(exp.Dot)]
        unknown += [column for column in self._tree.find_all(exp.Column) if self._may_be_a_field(column)]
        for name in unknown:
            self._columns.setdefault(folded(name.name), set()).add(None)

    def _may_be_a_field(self, column: exp.Column) -> bool:
        """Return whether what stands before the dot may be a column whose field is named."""
        before = folded(column.table)
        return bool(before) and (
            before not in self._sources or before in self._columns or before in self._given
        )

    # ---- Rules by node ------------------------------------------------------------------------------------

    def _column(self, column: exp.Column) -> str | None:
        name = folded(column.name)
        if isinstance(column.this, exp.Star) or column.args.get("db") or name in self._sources:
            return None
        if name in self._being_asked:
            return None
        self._being_asked.add(name)
        types = {*self._columns.get(name, ()), *map(self.of, self._given.get(name, ()))}
        self._being_asked.discard(name)
        return types.pop() if len(types) == 1 else None

    def _literal(self, literal: exp.Literal) -> str:
        return "string" if literal.is_string else type_of_number(literal.name)

    def _text(self, _: exp.RawString) -> str:
        return "string"

    def _placeholder(self, placeholder: exp.Placeholder) -> str | None:
        name = str(placeholder.args.get("this") or "")
        if isinstance(self._parameters, Mapping):
            return type_of_value(self._parameters.get(name))
        at = int(name) - 1 if name.isdigit() else self._place_of(placeholder)
        return type_of_value(self._parameters[at]) if 0 <= at < len(self._parameters) else None

    def _place_of(self, placeholder: exp.Placeholder) -> int:
        """Return which of the questions marks a parameter is, counted as they are written."""
        marks = self._tree.find_all(exp.Placeholder, bfs=False)
        return next(number for number, mark in enumerate(marks) if mark is placeholder)

    def _boolean(self, _: exp.Boolean) -> str:
        return "boolean"

    def _null(self, _: exp.Null) -> str:
        return NULL

    def _same(self, node: exp.Expr) -> str | None:
        return self.of(node.this)

    def _today(self, _: exp.CurrentDate) -> str:
        return "date"

    def _cast(self, cast: exp.Cast) -> str | None:
        """A date or a moment that is written out (``DATE '2017-01-31'``), and a date with days added."""
        declared = _CAST_TO.get(cast.to.this, "")
        if declared == "date" and is_shifted_day(cast.this):
            return "date"
        return declared if _is_written(cast.this, declared) else None

    def _comparison(self, node: exp.Binary) -> str | None:
        return "boolean" if self.are_comparable(node.this, node.expression) else None

    def _between(self, node: exp.Between) -> str | None:
        return "boolean" if self.are_comparable(node.this, node.args["low"], node.args["high"]) else None

    def _in(self, node: exp.In) -> str | None:
        values = node.expressions
        if (query := node.args.get("query")) is not None:
            values = projections(query)
            if len(values) != 1:
                return None
        return "boolean" if self.are_comparable(node.this, *values) else None

    def _connected(self, node: exp.Connector) -> str | None:
        return "boolean" if all(self.of(part) == "boolean" for part in node.flatten()) else None

    def _not(self, node: exp.Not) -> str | None:
        return "boolean" if self.of(node.this) == "boolean" else None

    def _is(self, node: exp.Is) -> str | None:
        known = self.of(node.this)
        fits = known is not None if isinstance(node.expression, exp.Null) else known == "boolean"
        return "boolean" if fits else None

    def _like(self, node: exp.Binary) -> str | None:
        plain = isinstance(node.expression, exp.Literal) and node.expression.is_string
        return "boolean" if plain and self.of(node.this) == "string" else None

    def _exists(self, _: exp.Exists) -> str:
        return "boolean"

    def _shifted(self, node: exp.Binary) -> str | None:
        """A date that no column has a part in, with days added; else what is computed of aggregates."""
        days = integer_of(node.expression)
        if days is not None and days <= MOST_DAYS and isinstance(node.this, exp.CurrentDate | exp.Cast):
            return "date" if self.of(node.this) == "date" else None
        return self._computed(node)

    def _computed(self, node: exp.Expr) -> str | None:
        types = {self.of(part) for part in node.iter_expressions()}
        return AGGREGATED if AGGREGATED in types and all(map(_is_number, types)) else None

    def _negated(self, node: exp.Neg) -> str | None:
        return self.of(node.this) if isinstance(node.this, exp.Literal) else self._computed(node)

    def _case(self, case: exp.Case) -> str | None:
        values = [branch.args["true"] for branch in case.args["ifs"]]
        if case.args.get("default") is not None:
            values.append(case.args["default"])
        types = {self.of(value) for value in values}
        return types.pop() if len(types) == 1 and self._is_calm_case(case) else None

    def _call(self, call: exp.Anonymous) -> str | None:
        name, arguments = call_name(call), call.expressions
        if name in AGGREGATES:
            return self._aggregate(name, arguments)
        types = tuple(self.of(argument) for argument in arguments)
        if name in _OF_ONE_TYPE:
            return types[0] if types and set(types) == {types[0]} else None
        if name in _PARTS:
            return "bigint" if len(types) == 1 and types[0] in TIMES else None
        return _NEVER_RAISES.get((name, types))

    def _aggregate(self, name: str, arguments: Sequence[exp.Expr]) -> str | None:
        if not all(map(self.is_calm, arguments)):
            return None
        if name in _NUMBERS_OF_ROWS:
            return AGGREGATED
        return self.of(arguments[0]) if name == "any_value" and arguments else None

    def _extreme(self, node: exp.Func) -> str | None:
        return None if node.args.get("count") else self.of(node.this)

    def _extract(self, extract: exp.Extract) -> str | None:
        fits = folded(extract.this.name) in _PARTS and self.of(extract.expression) in TIMES
        return "bigint" if fits else None

    def _trim(self, trim: exp.Trim) -> str | None:
        plain = not trim.args.get("expression") and not trim.args.get("position")
        return "string" if plain and self.of(trim.this) == "string" else None

    def _window(self, window: exp.Window) -> str | None:
        called = window.this
        ranks = (
            isinstance(called, exp.Anonymous)
            and (called_name := call_name(called))
            and (called_name in _RANKS or called_name in _NUMBERS_OF_ROWS)
        )
        return AGGREGATED if ranks and self._is_calm_window(window) else None

    def _one_row(self, subquery: exp.Subquery) -> str | None:
        """A subquery that has exactly one row, whatever it is asked of: one aggregate over all rows."""
        select = subquery.this
        if not isinstance(select, exp.Select) or len(select.expressions) != 1 or select.args.get("group"):
            return None
        if not {part for part, value in select.args.items() if value} <= _PARTS_OF_ONE_ROW:
            return None
        only = select.expressions[0].unalias()
        aggregates = only.find(exp.AggFunc) or any(
            call_name(call) in AGGREGATES for call in only.find_all(exp.Anonymous)
        )
        return self.of(only) if aggregates and not only.find(exp.Window, exp.Query) else None

    # ---- Values that are computed -------------------------------------------------------------------------

    def _is_calm_case(self, case: exp.Case) -> bool:
        """A CASE with an operand compares it, and each of its branches is such a comparison."""
        operand = case.this
        for branch in case.args["ifs"]:
            known = (
                self.of(branch.this) == "boolean"
                if operand is None
                else self.are_comparable(operand, branch.this)
            )
            if not known or not self.is_calm(branch.args["true"]):
                return False
        return case.args.get("default") is None or self.is_calm(case.args["default"])

    def _is_calm_window(self, window: exp.Window) -> bool:
        frame = window.args.get("spec")
        bounds = [] if frame is None else [frame.args.get("start"), frame.args.get("end")]
        if any(isinstance(bound, exp.Expr) and integer_of(bound) is None for bound in bounds):
            return False
        called = window.this
        if isinstance(called, exp.IgnoreNulls | exp.RespectNulls):
            called = called.this
        arguments = (
            called.expressions if isinstance(called, exp.Anonymous) else list(called.iter_expressions())
        )
        known = not isinstance(called, exp.Anonymous) or call_name(called) in AGGREGATES | WINDOWS
        return known and all(map(self.is_calm, [*arguments, *(window.args.get("partition_by") or [])]))

    _RULES: ClassVar[dict[type, Callable[[Any, Any], str | None]]] = {
        exp.Add: _shifted,
        exp.Alias: _same,
        exp.And: _connected,
        exp.Anonymous: _call,
        exp.Between: _between,
        exp.Boolean: _boolean,
        exp.Case: _case,
        exp.Cast: _cast,
        exp.Column: _column,
        exp.CurrentDate: _today,
        exp.Div: _computed,
        exp.EQ: _comparison,
        exp.Exists: _exists,
        exp.Extract: _extract,
        exp.Filter: _same,
        exp.GT: _comparison,
        exp.GTE: _comparison,
        exp.ILike: _like,
        exp.In: _in,
        exp.Is: _is,
        exp.LT: _comparison,
        exp.LTE: _comparison,
        exp.Like: _like,
        exp.Literal: _literal,
        exp.Max: _extreme,
        exp.Min: _extreme,
        exp.Mul: _computed,
        exp.NEQ: _comparison,
        exp.Neg: _negated,
        exp.Not: _not,
        exp.Null: _null,
        exp.NullSafeEQ: _comparison,
        exp.NullSafeNEQ: _comparison,
        exp.Or: _connected,
        exp.Paren: _same,
        exp.Placeholder: _placeholder,
        exp.RawString: _text,
        exp.Sub: _shifted,
        exp.Subquery: _one_row,
        exp.Trim: _trim,
        exp.Window: _window,
    }


def projections(query: exp.Expr) -> list[exp.Expr]:
    """Return what a query selects, by its first SELECT; nothing where a star hides it."""
    while isinstance(query, exp.Subquery | exp.SetOperation):
        query = query.this
    found = query.expressions if isinstance(query, exp.Select) else []
    return [] if any(value.is_star for value in found) else found


def _is_written(node: exp.Expr, declared: str) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and is_written(node.name, declared)


def _is_constant_of(node: exp.Expr, declared: str | None) -> bool:
    """Return whether a node is certainly cast to a type of moments, once and for all."""
    if declared in ("timestamp", "timestamptz") and (is_day(node) or is_shifted_day(node)):
        return True
    return _is_written(node, declared or "")


def _is_number(declared: str | None) -> bool:
    return declared is not None and are_comparable(AGGREGATED, declared) and declared != NULL


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CAST_TO = {
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp",
    exp.DType.TIMESTAMPNTZ: "timestamp",
    exp.DType.TIMESTAMPTZ: "timestamptz",
}
_PARTS_OF_ONE_ROW = {"expressions", "from_", "joins", "where"}

# Parts of a date that every date has; weeks begin outside of the first and the last year.
_PARTS = _names("year quarter month day dayofmonth dayofweek weekday isodow dayofyear hour minute")
_OF_ONE_TYPE = frozenset({"coalesce", "greatest", "ifnull", "least", "nullif"})
_NUMBERS_OF_ROWS = _names(
    "approx_count_distinct avg count count_if countif mean regr_count stddev stddev_pop stddev_samp sum"
)
_RANKS = _names("dense_rank ntile percent_rank rank row_number")
_NEVER_RAISES: dict[tuple[str, tuple[str | None, ...]], str] = {
    **{
        (name, ("string",)): "string"
        for name in ("lower", "upper", "lcase", "ucase", "trim", "ltrim", "rtrim")
    },
    **{
        (name, ("string",)): "bigint"
        for name in ("length", "len", "char_length", "character_length", "strlen")
    },
    **{
        (name, ("string", "string")): "boolean"
        for name in ("contains", "starts_with", "ends_with", "prefix", "suffix")
    },
    ("isnan", ("double",)): "boolean",
    ("isfinite", ("double",)): "boolean",
    ("isfinite", ("date",)): "boolean",
    ("now", ()): "timestamptz",
    ("today", ()): "date",
}
_CALM = (
    AGGREGATES
    | _PARTS
    | _OF_ONE_TYPE
    | _names("""
        abs ceil ceiling date_diff date_part date_trunc datediff datepart datetrunc dayname epoch floor
        last_day monthname round week weekofyear yearweek
        """)
)
_PLAIN = (exp.Column, exp.Star, exp.Var, exp.Interval)
_COMPUTED = (
    exp.Add,
    exp.ApproxQuantile,
    exp.ArgMax,
    exp.ArgMin,
    exp.Array,
    exp.Ceil,
    exp.Cube,
    exp.Distinct,
    exp.Div,
    exp.Extract,
    exp.Floor,
    exp.GroupConcat,
    exp.GroupingSets,
    exp.IntDiv,
    exp.Max,
    exp.Min,
    exp.Mod,
    exp.Mul,
    exp.Neg,
    exp.Order,
    exp.Ordered,
    exp.Paren,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.Quantile,
    exp.Rollup,
    exp.Sub,
    exp.Tuple,
)
