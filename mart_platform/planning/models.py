"""A model planned: its types, lineage, labels, fingerprints, and how its inputs lead to its intervals."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mart_platform.planning import incremental, kinds
from mart_platform.planning.contracts import agreed_type, changes_problems, contract_problems
from mart_platform.planning.describing import CannotDescribe, EmptyTables, visible_columns
from mart_platform.planning.fingerprints import (
    ENGINE,
    Logic,
    logic_of_python,
    logic_of_query,
    table_fingerprint,
)
from mart_platform.planning.incremental import Proof
from mart_platform.planning.labels import labels_of, labels_problems
from mart_platform.planning.landed import physical_path
from mart_platform.planning.plan import Layer, PlannedColumn, PlannedModel, PlannedTable
from mart_platform.planning.queries import Query, Schemas, named_tables, names_hidden_columns, parse_query
from mart_platform.planning.resolving import ResolvedModel
from mart_platform.planning.views import inlined
from mart_platform.spec.columns import Column
from mart_platform.spec.problems import Place, Problem, nearest
from mart_platform.spec.tables import KEYED
from mart_platform.spec.types import duckdb_type
from mart_platform.spec.warehouse import PythonModel

Tables = Mapping[str, PlannedTable]
Views = Mapping[str, Query]
"""The queries of the tables of kind view, which read no view themselves, by name."""


def plan_model(
    model: ResolvedModel, layer: Layer, owner: str, tables: Tables, views: Views, empty: EmptyTables
) -> tuple[PlannedTable | None, list[Problem]]:
    """Return a model's table, or None when its columns cannot be known, and all that is wrong with it."""
    if problems := list(_origins_problems(model, tables)):
        return None, problems
    try:
        yielded = _yielded(model, tables, empty)
        if problems := changes_problems(model, yielded):
            return None, problems
        runs = _what_runs(model, yielded, tables, views, empty)
    except CannotDescribe as error:
        return None, [Problem(Place(model.declared.model.file, error.line), error.found, error.remedy)]
    columns, problems = _columns(runs, tables)
    problems += contract_problems(model, runs.types)
    if problems:
        return None, problems
    return _table(runs, layer, owner, columns, tables, empty), list(_labels_problems(runs, tables))


@dataclass(frozen=True)
class Runs:
    """What the platform runs for a model: views inlined, and of kind upsert or scd2 over the changes.

    ``model`` reads tables alone. ``sql`` and ``query`` are None for Python. ``types`` are the DuckDB types of
    the table's columns, ``schemas`` those of the inputs; ``origins`` are the columns that each column is made
    of, ``shown`` all that its values may tell about, where a view is named as one.
    """

    model: ResolvedModel
    sql: str | None
    types: Mapping[str, str]
    schemas: Schemas
    logic: Logic
    origins: Mapping[str, tuple[str, ...]]
    shown: Mapping[str, tuple[str, ...]]


def _yielded(model: ResolvedModel, tables: Tables, empty: EmptyTables) -> dict[str, str]:
    """Return the columns that the model's own text yields, with their DuckDB types."""
    if model.query is not None:
        _seen(model.query, model.inputs, tables, empty)
        return empty.describe(model.query.text)
    columns = model.declared.contract.columns
    return {name: duckdb_type(column.type or "string") for name, column in columns.items()}


def _what_runs(
    model: ResolvedModel, yielded: Mapping[str, str], tables: Tables, views: Views, empty: EmptyTables
) -> Runs:
    """Return what the platform runs for a model. Raises CannotDescribe."""
    if model.query is None:
        return _python(model, yielded, tables, empty)
    written = _query(model, model.query, yielded, tables, empty)
    query = inlined(model.query, views)
    if query is model.query:
        return written
    place, named = Place(query.file), sorted({table.name for table in named_tables(query)})
    over_tables = replace(model, query=query, inputs={name: model.inputs.get(name, place) for name in named})
    # A label that a view declares is seen only where the view is named.
    runs = _query(over_tables, query, yielded, tables, empty)
    return replace(runs, origins=written.origins, shown=written.shown)


def _query(
    model: ResolvedModel, query: Query, yielded: Mapping[str, str], tables: Tables, empty: EmptyTables
) -> Runs:
    """Return a query as the platform runs it: of kind upsert or scd2 over the changes that it yields."""
    contract, text = model.declared.contract, query.text.strip().rstrip(";")
    schemas = _seen(query, model.inputs, tables, empty)
    sql = kinds.wrapped(text, contract, yielded)
    types = yielded if sql == text else empty.describe(sql)
    logic = logic_of_query(query if sql == text else _parsed(query.file, sql), types, schemas, tables)
    shown = dict(logic.shown)
    if contract.kind == "scd2":  # a row ends at a moment like that at which it began
        shown[kinds.VALID_TO] = shown[kinds.VALID_FROM]
    return Runs(model, sql, types, schemas, logic, logic.origins, shown)


def _python(model: ResolvedModel, types: Mapping[str, str], tables: Tables, empty: EmptyTables) -> Runs:
    """Return a Python model; where its contract says what a column is made of, that is believed."""
    contract = model.declared.contract
    schemas = _seen(None, model.inputs, tables, empty)
    logic = logic_of_python(model.declared, types, schemas, tables)
    declared = {name: _declared_origins(column, contract.inputs) for name, column in contract.columns.items()}
    origins = {name: declared[name] or logic.origins[name] for name in declared}
    return Runs(model, None, types, schemas, logic, origins, origins)


def _parsed(file: str, sql: str) -> Query:
    parsed = parse_query(file, sql)
    if isinstance(parsed, Problem):
        raise CannotDescribe(parsed.place.line, parsed.found, parsed.remedy)
    return parsed


def _seen(
    query: Query | None, inputs: Iterable[str], tables: Tables, empty: EmptyTables
) -> dict[str, dict[str, str]]:
    """Return the columns of the inputs as a query sees them, and make the empty tables look the same."""
    hidden = query is not None and names_hidden_columns(query)
    seen = {}
    for name in inputs:
        landed = tables[name].layer == "landing"
        declared = visible_columns(tables[name].types, hidden=hidden and landed)
        if landed:
            empty.add(name, declared)
        seen[name] = {column: duckdb_type(kind) for column, kind in declared.items()}
    return seen


def _columns(runs: Runs, tables: Tables) -> tuple[list[PlannedColumn], list[Problem]]:
    """Return the columns of a table, with what comes with those that they are made of."""
    contract, origin = runs.model.declared.contract, runs.model.declared.origin
    columns, problems = [], list[Problem]()
    for name, found in runs.types.items():
        spec, lineage = contract.columns.get(name, Column()), runs.origins.get(name, ())
        column_type, wrong = agreed_type(name, spec, found, origin.place("columns", name), runs.model)
        problems += wrong
        shown = runs.shown.get(name, ())
        labels, dropped = labels_of(spec, shown, tables)
        columns.append(
            PlannedColumn(
                name=name,
                type=column_type,
                meaning=spec.meaning or _inherited(lineage, tables, "meaning"),
                unit=spec.unit or _inherited(lineage, tables, "unit"),
                labels=labels,
                dropped=dropped,
                lineage=lineage,
                fingerprint=runs.logic.columns[name],
            )
        )
    return columns, problems


def _labels_problems(runs: Runs, tables: Tables) -> Iterator[Problem]:
    declared = runs.model.declared
    for name, spec in declared.contract.columns.items():
        yield from labels_problems(name, spec, runs.shown.get(name, ()), tables, declared.origin)


def _table(
    runs: Runs, layer: Layer, owner: str, columns: list[PlannedColumn], tables: Tables, empty: EmptyTables
) -> PlannedTable:
    model, contract = runs.model, runs.model.declared.contract
    interval = incremental.interval_of(contract, runs.types)
    proof = _proof(runs, interval, tables, empty)
    declared_types = {column.name: column.type for column in columns}
    fingerprint = table_fingerprint(contract, declared_types, runs.logic, interval)
    return PlannedTable(
        name=model.name,
        layer=layer,
        description=contract.description,
        owner=owner,
        fingerprint=fingerprint,
        path=physical_path(model.name, fingerprint),
        file=model.declared.model.file,
        kind=contract.kind,
        partition=contract.partition,
        key=contract.key,
        interval=interval,
        bindings=proof.bindings,
        lookups=proof.lookups,
        unbound=proof.unbound,
        reads=dict(runs.logic.reads),
        row_set=runs.logic.row_set,
        downsample=contract.downsample,
        inputs=tuple(model.inputs),
        columns=tuple(columns),
        model=_planned_model(runs),
    )


def _proof(runs: Runs, interval: str | None, tables: Tables, empty: EmptyTables) -> Proof:
    """Return how the inputs lead to the intervals of a table, which has none where it is of one piece."""
    if interval is None:
        return Proof({}, {}, {})
    if runs.sql is None:
        return Proof({}, {}, dict.fromkeys(runs.model.inputs, _NOT_PROVED))
    return incremental.prove(runs.model, runs.sql, runs.model.declared.contract, tables, runs.schemas, empty)


_NOT_PROVED = "what a Python model makes of a row cannot be proved, so all intervals are built again"


def _planned_model(runs: Runs) -> PlannedModel:
    declared = runs.model.declared
    if isinstance(declared.model, PythonModel):
        return PlannedModel(
            file=declared.model.file,
            parameters=dict(declared.contract.inputs),
            libraries=declared.model.imports,
        )
    return PlannedModel(
        file=declared.model.file,
        sql=runs.sql,
        names_hidden=runs.model.query is not None and names_hidden_columns(runs.model.query),
        libraries=(ENGINE,) if declared.contract.kind in KEYED else (),
    )


def _declared_origins(column: Column, inputs: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns of a ``from:``, written as alias.column, with the names of their tables."""
    pairs = (text.split(".", 1) for text in column.origins)
    return tuple(f"{inputs[alias]}.{name}" for alias, name in pairs)


def _origins_problems(model: ResolvedModel, tables: Tables) -> Iterator[Problem]:
    """Yield which columns a ``from:`` names that are none: their labels would be lost in silence."""
    contract, origin = model.declared.contract, model.declared.origin
    for column, spec in contract.columns.items():
        place = origin.place("columns", column, "from")
        if spec.origins and model.query is not None:
            said = f"'from' says what the column '{column}' is made of, which the SQL says itself."
            yield Problem(place, said, "Leave it out.")
            continue
        for written in spec.origins:
            alias, _, name = written.partition(".")
            if alias not in contract.inputs:
                said = f"'{written}' is of no input of the model."
                yield Problem(place, said, nearest(alias, contract.inputs))
            elif name not in (types := tables[contract.inputs[alias]].types):
                said = f"'{contract.inputs[alias]}' has no column '{name}'."
                yield Problem(place, said, nearest(name, types))


def _inherited(lineage: tuple[str, ...], tables: Tables, what: str) -> Any:
    """Return the meaning or the unit of the column that a column is made of, if it is a single one."""
    if len(lineage) != 1:
        return ""
    table, name = lineage[0].rsplit(".", 1)
    columns = tables[table].columns if table in tables else ()
    return next((getattr(column, what) for column in columns if column.name == name), "")
