"""Rewriting: each table becomes what the policy shows of it, and SQL is written anew from the tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from mart_platform.gate.bounding import is_bounded, is_volatile
from mart_platform.gate.columns import mentioned
from mart_platform.gate.inferring import Parameters, Types
from mart_platform.gate.leak_proof import is_leak_proof
from mart_platform.gate.moments import keep_days
from mart_platform.gate.names import folded
from mart_platform.gate.naming import keep_names
from mart_platform.gate.parsing import DUCKDB
from mart_platform.gate.policies import Policy
from mart_platform.gate.questions import Checked, Found, Named, Question, Refused, unknown_table
from mart_platform.gate.scopes import tables_read
from mart_platform.gate.statistics import hide_statistics
from mart_platform.gate.views import View


@dataclass(frozen=True)
class Reading:
    """A table where it stands in a query, what is shown of it, and the columns that may be touched."""

    node: exp.Table
    view: View
    columns: tuple[str, ...]


def rewrite(
    question: Question, policy: Policy, found: Mapping[Named, Found], parameters: Parameters = ()
) -> Checked:
    """Return the query that may run: every table in it is what the policy shows of the found version.

    ``found`` holds the tables that the question names. With the values of the ``parameters`` more queries are
    known to be leak-proof; values of other types may then need another rewriting. Raises Refused, with the
    same sentence for a table that the policy does not know as for none at all.
    """
    for named in question.named:
        if named.name not in policy.tables:
            raise unknown_table(named)
    versions = _versions(question.named, found)
    tree = question.tree.copy()
    _shorten_columns(tree)
    keep_names(tree)
    readings = _readings(tree, policy, found)
    types = Types(tree, [reading.view.types for reading in readings], parameters)
    keep_days(tree, types.of)
    hides_rows = any(reading.view.policy.hides_rows for reading in readings)
    fenced = hides_rows and not is_leak_proof(tree, types)
    if hides_rows:
        hide_statistics(tree)
    bounded = is_bounded(tree, {id(reading.node): reading.view.columns for reading in readings})
    for reading in readings:
        _replace(reading, fenced=fenced)
    return Checked(
        sql=_written(tree),
        versions=versions,
        reads=_reads(readings),
        filtered=tuple(sorted({r.view.policy.name for r in readings if r.view.policy.hides_rows})),
        masked=_masked(readings),
        fenced=fenced,
        bounded=bounded,
        ordered=_is_ordered(question.tree),
        keyed=any(reading.view.needs_key(name) for reading in readings for name in reading.columns),
        policies=policy.digest,
        volatile=is_volatile(question.tree),
    )


def _versions(needed: Sequence[Named], found: Mapping[Named, Found]) -> dict[str, int]:
    """Return the publication of each mart; a query reads one of each."""
    versions: dict[str, int] = {}
    for named in needed:
        if named not in found:
            raise _no_version(named)
        if versions.setdefault(named.mart, found[named].number) != found[named].number:
            raise Refused(
                "not_allowed",
                f"A query reads one version of {named.mart}.",
                "Ask for each by a query of its own.",
            )
    return versions


def _shorten_columns(tree: exp.Expr) -> None:
    """Have ``sales.orders.amount`` say ``orders.amount``: the table becomes a subquery of that name."""
    tables = {(folded(table.db), folded(table.name)) for table, _ in tables_read(tree)}
    for column in tree.find_all(exp.Column):
        parts = [folded(part.name) for part in column.parts]
        if tuple(parts[:2]) in tables and len(parts) > 2:
            column.set("catalog" if len(parts) > 3 else "db", None)


def _readings(tree: exp.Expr, policy: Policy, found: Mapping[Named, Found]) -> list[Reading]:
    names = mentioned(tree)
    readings = []
    for node, named in tables_read(tree):
        view = View(policy.tables[named.name], found[named])
        _check_version(view, named)
        readings.append(Reading(node, view, names.of(node, view.columns)))
    return readings


def _check_version(view: View, named: Named) -> None:
    """Refuse a version that has not the columns by which the policy decides."""
    deciding = {
        column for branch in view.policy.branches for table, column in branch.read if table == named.name
    }
    deciding |= {branch.smallest_group[0] for branch in view.policy.branches if branch.smallest_group}
    if not view.columns or not deciding <= view.found.types.keys():
        raise _no_version(named)


def _no_version(named: Named) -> Refused:
    return Refused("no_version", f"{named.name} cannot be read in this version.", "Ask for another.")


def _replace(reading: Reading, *, fenced: bool) -> None:
    node = reading.node
    alias = node.args.get("alias") or exp.TableAlias(this=node.this)
    node.replace(
        exp.Subquery(
            this=reading.view.select(reading.columns, fenced=fenced),
            alias=alias,
            joins=node.args.get("joins"),
        )
    )


def _written(tree: exp.Expr) -> str:
    """Return a tree as SQL. All names are quoted, so that none can be read as anything but a name."""
    try:
        return DUCKDB.generate(
            tree, identify=True, comments=False, copy=False, unsupported_level=ErrorLevel.RAISE
        )
    except UnsupportedError as error:
        raise Refused(
            "not_allowed", "The query holds what cannot be written anew.", detail=str(error)
        ) from error


def _reads(readings: Sequence[Reading]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table that may be touched, by the query and by the row filters."""
    reads: dict[str, set[str]] = {}
    for reading in readings:
        policy = reading.view.policy
        reads.setdefault(policy.name, set()).update(reading.columns)
        for branch in policy.branches:
            for table, column in branch.read:
                reads.setdefault(table, set()).add(column)
            if branch.smallest_group is not None:
                reads[policy.name].add(branch.smallest_group[0])
    return {table: tuple(sorted(columns)) for table, columns in sorted(reads.items())}


def _masked(readings: Sequence[Reading]) -> dict[str, str]:
    """Return how the columns that may be touched are masked, by ``mart.table.column``."""
    return {
        f"{reading.view.policy.name}.{name}": mask
        for reading in readings
        for name in reading.columns
        if (mask := reading.view.mask_of(name)) is not None
    }


def _is_ordered(tree: exp.Expr) -> bool:
    while isinstance(tree, exp.Subquery) and not tree.args.get("order"):
        tree = tree.this
    return tree.args.get("order") is not None
