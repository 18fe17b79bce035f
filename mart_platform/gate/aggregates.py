"""Aggregates that hold the sums of a table: a question about the table, asked there.

Why the answer is the same. A SELECT that reads the table once, and tells its rows apart by nothing but the
columns ``by``, uses all rows alike that agree in these: it lets them pass or not, joins them to the same rows
of other tables, puts them into the same group. So what it adds up, ``sum`` of a column or ``count(*)``, needs
their sums and their number alone, and what does not mind how often a value comes (``max``) not even that. The
aggregate has rows for the same combinations of ``by``, and its columns add up to the same: the check
``holds_sums`` proves it of each publication. Sums of integers and decimals are exact in any order and of one
type, whatever is added up first; others are not held.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mart_platform.gate.functions import CONDITIONS, DATES, NUMBERS, TEXTS
from mart_platform.gate.names import folded, named_by
from mart_platform.gate.parsing import DUCKDB, parse
from mart_platform.gate.policies import Branch, Policy, TablePolicy
from mart_platform.gate.questions import Question, Refused
from mart_platform.spec.checks import HoldsSums
from mart_platform.spec.types import have_equal_sums, is_groupable

Holdings = Mapping[str, Sequence[HoldsSums]]
"""What aggregates hold, by their names ``mart.table``."""
Types = Mapping[str, Mapping[str, str]]
"""Declared types of the columns of tables, by their names ``mart.table``."""


@dataclass(frozen=True)
class Elsewhere:
    """An equal question, and the aggregate ``mart.table`` that it asks in the place of ``table``."""

    question: Question
    aggregate: str
    table: str

    def remedy(self, price: float) -> str:
        """Return what to tell somebody who may not spend what the question costs as it stands."""
        return (
            f"{self.aggregate} holds these sums of {self.table}; asking there would cost about {price:.6f}."
        )


def cheaper(question: Question, policy: Policy, holdings: Holdings, types: Types) -> list[Elsewhere]:
    """Return the equal questions that ask an aggregate, and have the very answer that the caller would get.

    ``holdings`` are those that were proved on the publication that is read, ``types`` the columns of its
    tables. Each question has to come through the gate like one that the caller asked.
    """
    return [
        Elsewhere(instead, aggregate, held.table)
        for aggregate, all_held in holdings.items()
        for held in all_held
        if (instead := answerable_from(question, aggregate, held, types))
        and _shows_the_same(policy, aggregate, held, _mentioned(question.tree), _mentioned(instead.tree))
    ]


def answerable_from(question: Question, aggregate: str, held: HoldsSums, types: Types) -> Question | None:
    """Return an equal question over an aggregate, or None where that is not proved.

    It may read the table in several SELECTs; each has to be answerable by itself.
    """
    tree = question.tree.copy()
    readings = [_reading(table, held, types) for table in tree.find_all(exp.Table) if _is(table, held.table)]
    asked = [reading for reading in readings if reading is not None and _is_answerable(reading)]
    if not asked or len(asked) < len(readings) or not _still_fits(aggregate, held, types):
        return None
    for reading in asked:
        _ask_there(reading, aggregate)
    try:
        return parse(tree.sql(dialect=DUCKDB, comments=False))
    except Refused:  # nested too deep by now
        return None


def _shows_the_same(
    policy: Policy, aggregate: str, held: HoldsSums, mentioned: Collection[str], instead: Collection[str]
) -> bool:
    """Return whether a caller sees the same of both tables: values as they are, and rows by the same filters.

    ``mentioned`` are the names in the question, ``instead`` those in the other one.
    """
    here, there = policy.tables.get(aggregate), policy.tables.get(held.table)
    if here is None or there is None:
        return False
    own = [own for own, _ in (*held.by, *held.sums)] + ([held.rows] if held.rows else [])
    theirs = [theirs for _, theirs in (*held.by, *held.sums)]
    filters = _filters(there, {theirs: own for own, theirs in held.by})
    return (
        all(_is_clear(here, column) for column in own if column in instead)
        and all(_is_clear(there, column) for column in theirs if column in mentioned)
        and filters is not None
        and filters == _filters(here, {own: own for own, _ in held.by})
    )


def _is_clear(table: TablePolicy, column: str) -> bool:
    """Return whether a column is shown as it is in every row that is seen."""
    clear = [branch for branch in table.branches if branch.columns.get(column) == "clear"]
    return len(clear) == len(table.branches) or any(branch.shows_all_rows for branch in clear)


def _filters(table: TablePolicy, names: Mapping[str, str]) -> frozenset[str] | None:
    """Return the row filters of a table as text, its columns under other names; None where some have none."""
    if not table.hides_rows:
        return frozenset()
    texts = [_filter_text(branch, table.name, names) for branch in table.branches]
    return None if None in texts else frozenset(text for text in texts if text is not None)


def _filter_text(branch: Branch, table: str, names: Mapping[str, str]) -> str | None:
    columns = {column for owner, column in branch.read if owner == table}
    if branch.rows is None or branch.smallest_group or branch.looked_up or not columns <= names.keys():
        return None
    rows = branch.rows.copy()
    for column in list(rows.find_all(exp.Column)):
        column.replace(exp.column(names[folded(column.name)], quoted=True))
    return rows.sql(dialect=DUCKDB)


def _still_fits(aggregate: str, held: HoldsSums, types: Types) -> bool:
    """Return whether the columns are there, with the types that sums over them need."""
    own, theirs = types.get(aggregate, {}), types.get(held.table, {})
    by = [(own.get(mine, ""), theirs.get(other, "")) for mine, other in held.by]
    sums = [(own.get(mine, ""), theirs.get(other, "")) for mine, other in held.sums]
    counts = held.rows is None or own.get(held.rows) in ("integer", "bigint")
    alike = all(mine == other and is_groupable(mine) for mine, other in by)
    return counts and alike and all(have_equal_sums(*pair) for pair in sums)


@dataclass(frozen=True)
class _Reading:
    """A SELECT that reads a table once, and what is held of that.

    ``alias`` is what its columns are called by, ``others`` are the aliases of the tables beside it. It has
    the ``columns``; ``by`` and ``sums`` map those that are held to the aggregate's own. Names are folded.
    """

    select: exp.Select
    table: exp.Table
    alias: str
    others: frozenset[str]
    columns: frozenset[str]
    by: Mapping[str, str]
    sums: Mapping[str, str]
    rows: str | None

    @property
    def results(self) -> dict[str, exp.Expr]:
        """What the question calls by names of its own."""
        named = [each for each in self.select.expressions if isinstance(each, exp.Alias)]
        return {folded(each.alias): each.this for each in named}

    def may_own(self, column: exp.Column) -> bool:
        """Return whether a column may be one of the table."""
        name, qualifier = folded(column.name), folded(column.table)
        return qualifier == self.alias or (not qualifier and name in self.columns)


def _reading(table: exp.Table, held: HoldsSums, types: Types) -> _Reading | None:
    """Return how a SELECT reads a table; None where it does so twice, or says what is not plain."""
    select = table.find_ancestor(exp.Select)
    if select is None or not all(map(_is_plain, select.walk())):
        return None
    tables = list(select.find_all(exp.Table))
    aliases = [folded(each.alias_or_name) for each in tables]
    if len(set(aliases)) < len(aliases) or any(_is(each, held.table) for each in tables if each is not table):
        return None
    alias, by = folded(table.alias_or_name), {theirs: own for own, theirs in held.by}
    return _Reading(
        select=select,
        table=table,
        alias=alias,
        others=frozenset(aliases) - {alias},
        columns=frozenset(map(folded, types.get(held.table, ()))),
        by=by,
        sums={theirs: own for own, theirs in held.sums if theirs not in by},
        rows=held.rows,
    )


def _is(table: exp.Table, name: str) -> bool:
    """Return whether a table is the one with this name ``mart.table``, in whatever version."""
    named = named_by(table)
    return named is not None and named.name == name


def _is_plain(node: exp.Expr) -> bool:
    """Return whether a part of a SELECT gives the same for the same values, wherever it stands."""
    if isinstance(node, exp.Anonymous):
        return folded(node.name) in _FUNCTIONS
    if isinstance(node, exp.Star):
        return isinstance(node.parent, exp.Anonymous) and folded(node.parent.name) == "count"
    if isinstance(node, exp.Distinct):
        return not node.args.get("on")
    if isinstance(node, exp.TableAlias):
        return not node.columns
    return type(node) in _PLAIN and _says_only(node, _SAID.get(type(node)))


def _is_answerable(reading: _Reading) -> bool:
    """Return whether a SELECT makes the same use of all rows of the table that agree in ``by``."""
    select = reading.select
    calls = [node for node in select.walk() if _is_aggregate(node)]
    joins = select.args.get("joins") or []
    joined_by = {folded(column.name) for join in joins for column in join.args.get("using") or ()}
    return (
        _drops_repetitions(select)
        and all(_keeps_the_table(join, reading) for join in joins)
        and all(name in reading.by or name not in reading.columns for name in joined_by)
        and all(_is_held(call, reading) for call in calls)
        and all(_is_used_well(column, reading) for column in select.find_all(exp.Column))
        and all(_keeps_its_name(call) for call in calls if _counts_rows(call))
    )


def _drops_repetitions(select: exp.Select) -> bool:
    """Return whether a SELECT gives no row for each row that it reads.

    GROUP BY ALL alone does not say so: of nothing but constants it groups nothing.
    """
    group = select.args.get("group")
    adds_up = (group and group.expressions) or any(map(_has_aggregate, select.expressions))
    return bool(adds_up or select.args.get("distinct"))


def _keeps_the_table(join: exp.Join, reading: _Reading) -> bool:
    """Return whether a join gives no row in which the table is missing."""
    keeps_left = join.side == "LEFT" and join.this is not reading.table
    return join.kind in ("", "INNER", "CROSS", "OUTER") and (not join.side or keeps_left)


def _is_held(call: exp.Expr, reading: _Reading) -> bool:
    """Return whether an aggregate can be had from sums and numbers of rows, or does without both."""
    arguments = [call.this] if isinstance(call, exp.Min | exp.Max) else call.expressions
    of = arguments[0] if len(arguments) == 1 else None
    if isinstance(call, exp.Min | exp.Max):
        return not isinstance(of, exp.Order)
    if folded(call.name) == "sum":
        return isinstance(of, exp.Column) and reading.may_own(of) and folded(of.name) in reading.sums
    return isinstance(of, exp.Distinct) or (_counts_rows(call) and reading.rows is not None)


def _is_used_well(column: exp.Column, reading: _Reading) -> bool:
    """Return whether a column is of another table or of ``by``, is held and summed, or is a result's name."""
    name, qualifier = folded(column.name), folded(column.table)
    if column.args.get("db") or (qualifier and qualifier not in {reading.alias, *reading.others}):
        return False
    if not reading.may_own(column):
        return bool(qualifier) or name not in {reading.alias, *reading.others}  # that would be a whole row
    if name in reading.by:
        return True
    result = reading.results.get(name)
    if name not in reading.sums or (result is not None and not _has_aggregate(result)):
        return False
    summed = isinstance(column.parent, exp.Anonymous) and folded(column.parent.name) == "sum"
    return summed or (result is not None and _stands_for_a_result(column))


def _stands_for_a_result(column: exp.Column) -> bool:
    """Return whether a name that both a column and a result have stands for the result.

    It does in HAVING, where a column that is not grouped by would be an error, and alone in ORDER BY.
    """
    if column.table or any(_is_aggregate(call) for call in _around(column)):
        return False
    return isinstance(column.parent, exp.Ordered) or column.find_ancestor(exp.Having) is not None


def _ask_there(reading: _Reading, aggregate: str) -> None:
    """Put the aggregate in the table's place, under the names of the table's columns.

    So every name in the SELECT means what it meant. The number of rows comes under a name that it has not.
    """
    select, mentioned = reading.select, _mentioned(reading.select)
    lines = next(name for i in range(len(mentioned) + 1) if (name := f"rows_{i}") not in mentioned)
    shown = {theirs: own for theirs, own in {**reading.sums, **reading.by}.items() if theirs in mentioned}
    shown = shown or dict([next(iter(reading.by.items()))])
    alias = exp.to_identifier(reading.table.alias_or_name, quoted=True)
    for count in [node for node in select.find_all(exp.Anonymous) if _counts_rows(node)]:
        _replace_count(count, exp.column(lines, table=alias.copy(), quoted=True))
        shown |= {lines: reading.rows} if reading.rows else {}
    reading.table.replace(_renamed(reading.table, aggregate, shown).subquery(alias))


def _renamed(table: exp.Table, aggregate: str, shown: Mapping[str, str]) -> exp.Select:
    """Return a query of columns of an aggregate, in the version in which the table is asked for."""
    source = table.copy()
    source.set("alias", None)
    source.set("this", exp.to_identifier(aggregate.partition(".")[2], quoted=True))
    columns = [exp.column(own, quoted=True).as_(theirs, quoted=True) for theirs, own in shown.items()]
    return exp.select(*columns).from_(source)


def _replace_count(count: exp.Anonymous, lines: exp.Column) -> None:
    """Put the sum of the numbers of rows in the place of a count, with its filter, type and name."""
    is_result = isinstance(count.parent, exp.Select)
    counted: exp.Expr = count.parent if isinstance(count.parent, exp.Filter) else count
    added: exp.Expr = exp.Anonymous(this="sum", expressions=[lines])
    if isinstance(counted, exp.Filter):
        added = exp.Filter(this=added, expression=counted.expression.copy())
    given = exp.Anonymous(this="coalesce", expressions=[added, exp.Literal.number(0)])
    whole = exp.cast(given, exp.DType.BIGINT)
    counted.replace(whole.as_("count_star()", quoted=True) if is_result else whole)


def _keeps_its_name(count: exp.Expr) -> bool:
    """Return whether the result that a count stands in is called the same without it."""
    result: exp.Expr = count
    while not isinstance(result.parent, exp.Select):
        result = result.parent or result
    is_star = not count.expressions or isinstance(count.expressions[0], exp.Star)
    return result.arg_key != "expressions" or isinstance(result, exp.Alias) or (result is count and is_star)


def _counts_rows(call: exp.Expr) -> bool:
    """Return whether it is ``count(*)``, ``count()`` or ``count(1)``."""
    if not isinstance(call, exp.Anonymous) or folded(call.name) != "count":
        return False
    return len(call.expressions) < 2 and all(
        isinstance(of, exp.Star) or of.is_number for of in call.expressions
    )


def _has_aggregate(tree: exp.Expr) -> bool:
    return any(map(_is_aggregate, tree.walk()))


def _is_aggregate(node: exp.Expr) -> bool:
    by_name = isinstance(node, exp.Anonymous) and folded(node.name) in _BY_NAME
    return by_name or isinstance(node, exp.Min | exp.Max)


def _around(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what a node stands in, the innermost first."""
    while node.parent is not None:
        node = node.parent
        yield node


def _mentioned(tree: exp.Expr) -> frozenset[str]:
    """Return every name that stands in a query."""
    return frozenset(folded(each.name) for each in tree.find_all(exp.Identifier))


def _says_only(node: exp.Expr, allowed: frozenset[str] | None) -> bool:
    """Return whether nothing is said of a node but what is allowed."""
    return allowed is None or all(name in allowed for name, value in node.args.items() if value)


_BY_NAME = frozenset({"sum", "count"})
"""The aggregates that are parsed like any call; ``min`` and ``max`` have a grammar of their own."""
_FUNCTIONS = _BY_NAME | NUMBERS | TEXTS | DATES | CONDITIONS
_PLAIN: frozenset[type[exp.Expr]] = frozenset(
    {
        *(exp.Select, exp.From, exp.Join, exp.Table, exp.Identifier, exp.Column, exp.Alias),
        *(exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Filter),
        *(exp.Var, exp.Literal, exp.Boolean, exp.Null, exp.Placeholder, exp.Interval),
        *(exp.Paren, exp.Tuple, exp.And, exp.Or, exp.Not, exp.Is, exp.Between, exp.In, exp.Like, exp.ILike),
        *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Ceil, exp.Floor, exp.DPipe),
        *(exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam),
        *(exp.Extract, exp.Trim, exp.Substring, exp.Min, exp.Max),
    }
)
"""Windows and nested queries are not here: they may tell rows apart. So may what nobody has thought about."""
_SAID: Mapping[type[exp.Expr], frozenset[str]] = {
    exp.Select: frozenset(
        {"expressions", "distinct", "from_", "joins", "where", "group", "having", "order", "limit", "offset"}
    ),
    exp.Table: frozenset({"this", "db", "alias"}),
    exp.Join: frozenset({"this", "on", "using", "side", "kind"}),
    exp.Group: frozenset({"expressions", "all"}),
    exp.Min: frozenset({"this"}),
    exp.Max: frozenset({"this"}),
}
"""What may be said of these: no sample, no NATURAL, no ROLLUP, no list of the largest."""
