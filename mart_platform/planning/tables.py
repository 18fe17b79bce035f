"""One table planned: its types, lineage, labels, fingerprint and checks."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mart_platform.planning.check_sql import compile_check
from mart_platform.planning.describing import CannotDescribe, EmptyTables, visible_columns
from mart_platform.planning.plan import Layer, PlannedCheck, PlannedColumn, PlannedModel, PlannedTable
from mart_platform.planning.queries import (
    Schemas,
    canonical_text,
    column_lineage,
    has_volatile_call,
    names_hidden_columns,
    parse_query,
    unique_by_construction,
)
from mart_platform.planning.resolving import ResolvedModel, unknown_table
from mart_platform.spec import checks
from mart_platform.spec.checks import Check
from mart_platform.spec.columns import Column
from mart_platform.spec.problems import Origin, Place, Problem, nearest
from mart_platform.spec.sources import Source
from mart_platform.spec.tables import Contract
from mart_platform.spec.types import declared_type, duckdb_type
from mart_platform.spec.warehouse import DeclaredSource, PythonModel

Tables = Mapping[str, PlannedTable]


def plan_landed(declared: DeclaredSource, table: str) -> tuple[PlannedTable, list[Problem]]:
    """Return a source's table; its fingerprint is its contract's, so a changed contract lands it again."""
    source, contract = declared.spec, declared.spec.tables[table]
    name = f"{source.source}.{table}"
    problems = []
    for check in contract.all_checks():
        known = dict.fromkeys(contract.columns, "")
        problems += _unknown_columns(check, known, declared.origin.place("tables", table, "checks"))
    fingerprint = _digest(_contract_logic(source, table))
    planned = PlannedTable(
        name=name,
        layer="landing",
        description=contract.description,
        owner=source.owner.team,
        fingerprint=fingerprint,
        path=_path(name, fingerprint),
        file=declared.origin.file,
        key=contract.key,
        columns=tuple(
            PlannedColumn(name=column, type=spec.type, meaning=spec.meaning, unit=spec.unit, label=spec.label)
            for column, spec in contract.columns.items()
        ),
    )
    return planned, problems


def landed_checks_problems(declared: DeclaredSource, table: str, empty: EmptyTables) -> list[Problem]:
    """Return what is wrong with the checks on the rows of a source's table, which is among the empty ones."""
    name = f"{declared.spec.source}.{table}"
    problems = []
    for check in declared.spec.tables[table].all_checks():
        column = getattr(check, "column", None)
        place = declared.origin.place("tables", table, "columns" if column else "checks", column or 0)
        compiled = compile_check(check, name)
        if compiled.predicate is not None:
            problems += _does_not_run(compiled, name, place, empty)
    return problems


def plan_model(
    model: ResolvedModel, layer: Layer, owner: str, tables: Tables, empty: EmptyTables
) -> tuple[PlannedTable | None, list[Problem]]:
    """Return a model's table, or None when its columns cannot be known, and all that is wrong with it."""
    contract, origin = model.declared.contract, model.declared.origin
    schemas = {name: _visible(model, tables[name], empty) for name in model.inputs}
    try:
        types = _output_types(model, empty)
    except CannotDescribe as error:
        return None, [Problem(Place(model.declared.model.file, error.line), error.found, error.remedy)]
    lineage = _lineage(model, types, schemas, tables)
    problems: list[Problem] = []
    columns = []
    for name, found in types.items():
        spec = contract.columns.get(name, Column())
        column_type, wrong = _agreed_type(name, spec, found, origin.place("columns", name), model)
        problems += wrong
        columns.append(
            PlannedColumn(
                name=name,
                type=column_type,
                meaning=spec.meaning or _inherited(lineage.get(name, ()), tables, "meaning"),
                unit=spec.unit or _inherited(lineage.get(name, ()), tables, "unit"),
                label=_label(spec, lineage.get(name, ()), tables),
                lineage=lineage.get(name, ()),
            )
        )
    problems += _columns_that_are_not_there(model, types)
    if problems:
        return None, problems
    fingerprint = _digest(_model_logic(model, columns, schemas, tables))
    table = PlannedTable(
        name=model.name,
        layer=layer,
        description=contract.description,
        owner=owner,
        fingerprint=fingerprint,
        path=_path(model.name, fingerprint),
        file=model.declared.model.file,
        kind=contract.kind,
        partition=contract.partition,
        key=contract.key,
        inputs=tuple(model.inputs),
        columns=tuple(columns),
        model=_planned_model(model),
    )
    return table, []


def plan_checks(
    model: ResolvedModel, table: PlannedTable, known: Iterable[str], tables: Tables, empty: EmptyTables
) -> tuple[tuple[PlannedCheck, ...], list[Problem]]:
    """Return a table's checks compiled, each tried on empty tables, and all that is wrong with them.

    ``known`` are all declared tables; a check that looks at one which could not be planned is not tried.
    """
    origin, known = model.declared.origin, frozenset(known)
    unique = unique_by_construction(model.query) if model.query else frozenset()
    planned: dict[str, PlannedCheck] = {}
    problems: list[Problem] = []
    for check, place in _located_checks(model.declared.contract, origin):
        if check.name in planned:
            problems.append(
                Problem(place, f"two checks of '{table.name}' are named '{check.name}'.", "Rename one.")
            )
            continue
        wrong = _unknown_columns(check, {c.name: c.type for c in table.columns}, place)
        wrong = wrong or _unknown_targets(check, place, known, tables)
        if not wrong:
            compiled = planned[check.name] = compile_check(check, table.name, unique)
            if all(name in tables for name in compiled.reads):
                wrong = _does_not_run(compiled, table.name, place, empty)
        problems += wrong
    return tuple(planned.values()), problems


def _visible(model: ResolvedModel, table: PlannedTable, empty: EmptyTables) -> dict[str, str]:
    """Return a table's columns as this model sees them, and make the empty table look the same."""
    hidden = table.layer == "landing" and model.query is not None and names_hidden_columns(model.query)
    declared = visible_columns({column.name: column.type for column in table.columns}, hidden=hidden)
    if table.layer == "landing":
        empty.add(table.name, declared)
    return {name: duckdb_type(kind) for name, kind in declared.items()}


def _output_types(model: ResolvedModel, empty: EmptyTables) -> dict[str, str]:
    if model.query is not None:
        return empty.describe(model.query.text)
    return {
        name: duckdb_type(column.type or "string") for name, column in model.declared.contract.columns.items()
    }


def _agreed_type(
    name: str, spec: Column, found: str, place: Place, model: ResolvedModel
) -> tuple[str, list[Problem]]:
    """Return the type of a column, and a problem when the SQL and the contract disagree about it."""
    try:
        yielded = declared_type(found)
    except ValueError:
        file = model.declared.model.file
        storable = duckdb_type(spec.type) if spec.type else _STORABLE.get(found, "VARCHAR")
        remedy = f"Cast it in {file}: (…)::{storable}."
        return "string", [
            Problem(Place(file), f"column '{name}' is {found}, which the lake cannot hold.", remedy)
        ]
    if spec.type is not None and spec.type != yielded:
        return yielded, [
            Problem(
                place,
                f"column '{name}' is declared as {spec.type}, but the SQL yields {yielded}.",
                f"Cast it in {model.declared.model.file}: (…)::{duckdb_type(spec.type)}, "
                f"or declare {yielded}.",
            )
        ]
    return yielded, []


_STORABLE = {"HUGEINT": "BIGINT", "UBIGINT": "BIGINT", "UINTEGER": "BIGINT", "FLOAT": "DOUBLE"}
"""What a type that the lake cannot hold is best cast to; SUM over integers yields HUGEINT."""


def _columns_that_are_not_there(model: ResolvedModel, types: Mapping[str, str]) -> list[Problem]:
    contract, origin = model.declared.contract, model.declared.origin
    named: list[tuple[str, tuple[str, ...]]] = [(column, ("columns", column)) for column in contract.columns]
    named += [(column, ("key",)) for column in contract.key]
    if contract.partition:
        named.append((contract.partition.column, ("partition", "column")))
    problems = [
        Problem(origin.place(*path), f"'{model.name}' has no column '{column}'.", nearest(column, types))
        for column, path in named
        if column not in types
    ]
    partition = contract.partition
    if partition and types.get(partition.column, "DATE") not in (
        "DATE",
        "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE",
    ):
        problems.append(
            Problem(
                origin.place("partition", "column"),
                f"partition column '{partition.column}' is {types[partition.column]}, not a date or time.",
            )
        )
    return problems


def _lineage(
    model: ResolvedModel, types: Iterable[str], schemas: Schemas, tables: Tables
) -> dict[str, tuple[str, ...]]:
    """Return what each output column is made of: all columns of the inputs, where it cannot be known.

    So that a label of sensitive data is rather carried too far than lost.
    """
    everything = tuple(
        f"{table}.{column.name}" for table in dict.fromkeys(model.inputs) for column in tables[table].columns
    )
    if model.query is not None:
        traced = column_lineage(model.query, schemas)
        return {name: traced.get(name.lower(), everything) for name in types}
    contract = model.declared.contract
    return {
        name: _declared_origins(column, contract.inputs) or everything
        for name, column in contract.columns.items()
    }


def _declared_origins(column: Column, inputs: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns of a ``from:``, written as alias.column, with the names of their tables."""
    if column.comes_from is None:
        return ()
    written = (column.comes_from,) if isinstance(column.comes_from, str) else column.comes_from
    pairs = [text.split(".", 1) for text in written]
    return tuple(f"{inputs[alias]}.{name}" for alias, name in pairs if alias in inputs)


def _label(spec: Column, lineage: Iterable[str], tables: Tables) -> str | None:
    """Return the declared label, else the one that comes with what the column is made of; 'none' drops it."""
    if spec.label is not None:
        return None if spec.label == "none" else spec.label
    label: str | None = _inherited(lineage, tables, "label")
    return label


def _inherited(lineage: Iterable[str], tables: Tables, what: str) -> Any:
    """Return a label from any origin; meaning and unit only when there is exactly one origin."""
    origins = list(lineage)
    found = []
    for origin in origins:
        table, column = origin.rsplit(".", 1)
        found += [
            getattr(c, what) for c in (tables[table].columns if table in tables else ()) if c.name == column
        ]
    present = [value for value in found if value]
    if what == "label":
        return present[0] if present else None
    return present[0] if len(origins) == 1 and present else ""


def _planned_model(model: ResolvedModel) -> PlannedModel:
    declared = model.declared
    if model.query is None:
        return PlannedModel(
            file=declared.model.file,
            parameters=dict(declared.contract.inputs),
            libraries=declared.model.imports if isinstance(declared.model, PythonModel) else (),
        )
    return PlannedModel(
        file=declared.model.file,
        sql=model.query.text.strip().rstrip(";"),
        names_hidden=names_hidden_columns(model.query),
    )


def _contract_logic(source: Source, table: str) -> list[Any]:
    """Return what decides which rows land, in which form and with which event time.

    Words for people have no part in it, nor has what is applied afterwards, whenever a version is made of
    the batches: which of them are read, and the allowed lateness.
    """
    contract = source.tables[table]
    event_time = contract.event_time and [contract.event_time.column, contract.event_time.zone]
    columns = [(name, column.type, column.delivered_as) for name, column in contract.columns.items()]
    judged = sorted(f"{check.fingerprint}{check.severity}" for check in contract.all_checks())
    reading = {
        key: value for key, value in source.options_of(table).items() if key not in ("glob", "package")
    }
    return [f"{source.source}.{table}", columns, judged, reading, event_time]


def _model_logic(
    model: ResolvedModel, columns: list[PlannedColumn], schemas: Schemas, tables: Tables
) -> list[Any]:
    """Return what decides which rows a model yields from the same inputs, and what its inputs are."""
    declared = model.declared
    own: list[str] = []
    if isinstance(declared.model, PythonModel):
        own = [declared.model.text, *declared.model.imports]
    elif model.query is not None:
        own = [canonical_text(model.query, schemas)]
    partition = declared.contract.partition.model_dump() if declared.contract.partition else None
    return [
        own,
        [(column.name, column.type) for column in columns],
        declared.contract.kind,
        partition,
        [(name, tables[name].fingerprint) for name in model.inputs],
    ]


def _digest(logic: list[Any]) -> str:
    return hashlib.sha256(json.dumps(logic, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _path(name: str, fingerprint: str) -> str:
    return f"{name.replace('.', '/')}/{fingerprint}"


def _located_checks(contract: Contract, origin: Origin) -> Iterator[tuple[Check, Place]]:
    """Yield each check with the place where it stands: at the key, at its column, or under ``checks``."""
    under_checks = [
        (check, origin.place("checks", index))
        for index, written in enumerate(contract.checks)
        for check in written.compile()
    ]
    places = dict(under_checks)
    for check in contract.all_checks():
        column = getattr(check, "column", None)
        beside = origin.place("columns", column) if column in contract.columns else origin.place("key")
        yield check, places.get(check, beside)


def _columns_of(check: Check) -> tuple[str, ...]:
    if isinstance(check, checks.Unique):
        return check.columns
    column = getattr(check, "column", None)
    return (column,) if column else ()


def _unknown_columns(check: Check, known: Mapping[str, str], place: Place) -> list[Problem]:
    return [
        Problem(place, f"check '{check.name}' names the unknown column '{column}'.", nearest(column, known))
        for column in _columns_of(check)
        if column not in known
    ]


def _unknown_targets(check: Check, place: Place, known: frozenset[str], tables: Tables) -> list[Problem]:
    """Return what is wrong with the tables and columns that a check looks at elsewhere."""
    if isinstance(check, checks.NoRow):
        parsed = parse_query(place.file, check.sql, place.line)
        if isinstance(parsed, Problem):
            return [parsed]
        if call := has_volatile_call(parsed):
            found = f"check '{check.name}' calls '{call}', whose value changes while the rows do not."
            return [Problem(place, found, "Use a check of the form 'fresh', or a moment from a column.")]
    problems = [p for name in compile_check(check, "t.t").reads for p in unknown_table(name, place, known)]
    if isinstance(check, checks.References | checks.SumEquals) and check.table in tables:
        columns = [column.name for column in tables[check.table].columns]
        if check.target not in columns:
            found = f"check '{check.name}' names the unknown column '{check.table}.{check.target}'."
            problems.append(Problem(place, found, nearest(check.target, columns)))
    return problems


def _does_not_run(check: PlannedCheck, table: str, place: Place, empty: EmptyTables) -> list[Problem]:
    asked = check.measure or f"SELECT {check.predicate} FROM {table}"
    try:
        empty.describe(asked)
    except CannotDescribe as error:
        return [Problem(place, f"check '{check.check.name}' cannot be run: {error.found}", error.remedy)]
    return []
