"""A contract held against the columns that its model yields."""

from collections.abc import Iterator, Mapping
from itertools import chain

from mart_platform.planning.grains import COARSER
from mart_platform.planning.plan import PlannedTable
from mart_platform.planning.resolving import ResolvedModel
from mart_platform.spec.checks import HoldsSums
from mart_platform.spec.columns import Column
from mart_platform.spec.problems import Place, Problem, nearest
from mart_platform.spec.types import declared_type, duckdb_type, have_equal_sums, is_groupable

Types = Mapping[str, str]
"""DuckDB types of columns by their names."""
Named = list[tuple[str, tuple[str | int, ...]]]
"""Columns that a contract names, each with the path of the field that names it."""


def changes_problems(model: ResolvedModel, yielded: Types) -> list[Problem]:
    """Return what is wrong with what a contract of kind upsert or scd2 says about the model's own columns."""
    contract = model.declared.contract
    named: Named = [(column, ("key",)) for column in contract.key]
    named += [(contract.order_by, ("order_by",))] if contract.order_by else []
    named += [(contract.deleted, ("deleted",))] if contract.deleted else []
    named += [(column, ("tracked", index)) for index, column in enumerate(contract.tracked)]
    problems = list(_unknown(model, named, yielded))
    if contract.deleted and yielded.get(contract.deleted, "BOOLEAN") != "BOOLEAN":
        found = f"'deleted' names '{contract.deleted}', which is {yielded[contract.deleted]}."
        place = model.declared.origin.place("deleted")
        problems.append(Problem(place, found, "Yield a BOOLEAN that is true where the row is gone."))
    return problems


def contract_problems(model: ResolvedModel, types: Types) -> list[Problem]:
    """Return what is wrong with what a contract says about the columns of its table."""
    contract = model.declared.contract
    named: Named = [(name, ("columns", name)) for name in contract.columns]
    named += [(column, ("key",)) for column in contract.key]
    if contract.partition:
        named.append((contract.partition.column, ("partition", "column")))
    if contract.downsample:
        named += [(name, ("downsample", "sum", i)) for i, name in enumerate(contract.downsample.sum)]
    unknown = _unknown(model, named, types)
    return [*_dotted(model, types), *unknown, *_partition(model, types), *_downsample(model, types)]


def holds_problems(
    held: HoldsSums, table: PlannedTable, tables: Mapping[str, PlannedTable], place: Place
) -> list[Problem]:
    """Return why a table cannot hold the sums of another one as its contract says.

    Only exact numbers add up to the same in any order, so that sums are over integers or decimals.
    """
    if problems := list(_not_held_from(held, table, place)):
        return problems
    other = tables.get(held.table)
    if other is None:
        return []
    own_named = [*(own for own, _ in (*held.by, *held.sums)), *([held.rows] if held.rows else [])]
    missing = [(table, column) for column in own_named if column not in table.types]
    missing += [(other, column) for _, column in (*held.by, *held.sums) if column not in other.types]
    if missing:
        return [
            Problem(place, f"'{lacking.name}' has no column '{column}'.", nearest(column, lacking.types))
            for lacking, column in missing
        ]
    return list(_not_alike(held, table, other, place))


def agreed_type(
    name: str, spec: Column, found: str, place: Place, model: ResolvedModel
) -> tuple[str, list[Problem]]:
    """Return the type of a column, and a problem when the SQL and the contract disagree about it."""
    file = model.declared.model.file
    try:
        yielded = declared_type(found)
    except ValueError:
        storable = duckdb_type(spec.type) if spec.type else _STORABLE.get(found, "VARCHAR")
        said = f"column '{name}' is {found}, which the lake cannot hold."
        return "string", [Problem(Place(file), said, f"Cast it in {file}: (…)::{storable}.")]
    if spec.type is not None and spec.type != yielded:
        said = f"column '{name}' is declared as {spec.type}, but the SQL yields {yielded}."
        remedy = f"Cast it in {file}: (…)::{duckdb_type(spec.type)}, or declare {yielded}."
        return yielded, [Problem(place, said, remedy)]
    return yielded, []


_STORABLE = {"HUGEINT": "BIGINT", "UBIGINT": "BIGINT", "UINTEGER": "BIGINT", "FLOAT": "DOUBLE"}
"""What a type that the lake cannot hold is best cast to; SUM over integers yields HUGEINT."""


def _dotted(model: ResolvedModel, types: Types) -> Iterator[Problem]:
    """Yield which names of columns would be taken for those of a table and a column."""
    file = model.declared.model.file
    for name in types:
        if "." in name:
            remedy = f"Name it otherwise in {file}: … AS {name.replace('.', '_')}."
            yield Problem(Place(file), f"the name of the column '{name}' holds a dot.", remedy)


def _unknown(model: ResolvedModel, named: Named, types: Types) -> Iterator[Problem]:
    for column, path in named:
        if column not in types:
            place = model.declared.origin.place(*path)
            yield Problem(place, f"'{model.name}' has no column '{column}'.", nearest(column, types))


def _not_held_from(held: HoldsSums, table: PlannedTable, place: Place) -> Iterator[Problem]:
    """Yield why one table cannot hold anything of the other one."""
    said = f"'{table.name}' cannot hold the sums of '{held.table}'"
    if table.kind == "view":
        yield Problem(place, f"{said}: it is a view, which holds nothing.", "Declare another kind.")
    if held.table == table.name:
        yield Problem(place, f"{said}: it is that table.", "Name the table that it adds up.")
    elif table.layer != "mart" or held.table.partition(".")[0] != table.schema_name:
        remedy = "Name a table of the mart, for both are read from one publication."
        yield Problem(place, f"{said}: the two are not of one mart.", remedy)


def _not_alike(held: HoldsSums, table: PlannedTable, other: PlannedTable, place: Place) -> Iterator[Problem]:
    """Yield which columns of two tables cannot stand for one another."""
    for own, theirs in held.by:
        kinds = table.types[own], other.types[theirs]
        if kinds[0] != kinds[1] or not is_groupable(kinds[0]):
            said = f"'by' pairs '{own}', which is {kinds[0]}, with '{theirs}' of {other.name}, {kinds[1]}."
            yield Problem(place, said, "Both are of one type, and not a double, list, struct or binary.")
    for own, theirs in held.sums:
        kinds = table.types[own], other.types[theirs]
        if not have_equal_sums(*kinds):
            said = f"'sums' pairs '{own}', which is {kinds[0]}, with '{theirs}' of {other.name}, {kinds[1]}."
            yield Problem(place, said, "Both are integers, or decimals with as many digits after the point.")
    if held.rows and table.types[held.rows] not in ("integer", "bigint"):
        said = f"'rows' names '{held.rows}', which is {table.types[held.rows]}."
        yield Problem(place, said, "Name an integer column that counts the rows.")


def _partition(model: ResolvedModel, types: Types) -> Iterator[Problem]:
    partition = model.declared.contract.partition
    found = types.get(partition.column) if partition else None
    if partition is None or found is None:
        return
    if found not in ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        said = f"partition column '{partition.column}' is {found}, not a date or time."
        yield Problem(model.declared.origin.place("partition", "column"), said)
    elif found == "DATE" and partition.grain == "hour":
        said = f"partition column '{partition.column}' is DATE, which has no hours."
        yield Problem(model.declared.origin.place("partition", "grain"), said, "Choose another grain.")


def _downsample(model: ResolvedModel, types: Types) -> Iterator[Problem]:
    """Yield why old rows cannot become sums over a coarser grain as the contract says."""
    contract, origin = model.declared.contract, model.declared.origin
    if contract.downsample is None or contract.partition is None:
        return
    if contract.kind != "incremental":
        said = f"'downsample' is declared on a table of kind {contract.kind}, which is not cut by time."
        yield Problem(origin.place("downsample"), said, "Declare 'kind: incremental', or leave it out.")
    grain, finer = contract.downsample.grain, contract.partition.grain
    if grain not in COARSER[finer]:
        said = f"'downsample' to the grain {grain} is not coarser than the partition's, {finer}."
        remedy = f"Choose one of {', '.join(COARSER[finer])}." if COARSER[finer] else "Leave it out."
        yield Problem(origin.place("downsample", "grain"), said, remedy)
    for index, column in enumerate(contract.downsample.sum):
        place, found = origin.place("downsample", "sum", index), types.get(column)
        if column in chain([contract.partition.column], contract.key):
            yield Problem(place, f"'{column}' says what a row is about, so it cannot be summed.")
        elif found is not None and not found.startswith(_NUMERIC):
            yield Problem(place, f"'{column}' is {found}, which cannot be summed.", "Name numeric columns.")


_NUMERIC = ("DECIMAL", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DOUBLE")
