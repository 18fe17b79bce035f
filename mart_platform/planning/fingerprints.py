"""Fingerprints: digests of the logic that gives a column its values and a table its rows.

They reach down to what sources deliver, so that equal fingerprints over equal deliveries mean equal content.
What cannot be told apart counts as changed.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from mart_platform.planning.plan import PlannedTable
from mart_platform.planning.queries import Query, Schemas
from mart_platform.planning.tracing import Columns, Relation, Traced, Untraceable, combined, trace
from mart_platform.spec.sources import EXTRA_COLUMN, Source
from mart_platform.spec.tables import KEYED, Contract
from mart_platform.spec.warehouse import DeclaredModel, PythonModel

Tables = Mapping[str, PlannedTable]

ENGINE = f"duckdb=={duckdb.__version__}"
"""What a table follows from as well where its intervals are hashes: another version may hash differently."""


@dataclass(frozen=True)
class Logic:
    """What the content of a table follows from.

    ``columns`` and ``row_set`` are fingerprints, ``layout`` is that of the order in which rows are written.
    ``origins`` are the columns ``schema.table.column`` that each column is made of, ``shown`` also those by
    which a subquery inside of its expression chooses: what its values may tell about. ``reads`` are the
    columns that are looked at of each input; all of them where it cannot be known.
    """

    columns: Mapping[str, str]
    row_set: str
    layout: str = ""
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def logic_of_landed(source: Source, table: str) -> Logic:
    """Return what decides the content of a landed table: its contract, and how its deliveries are read.

    Words for people have no part in it, nor has what is applied afterwards, whenever a version is made of
    the batches: which of them are read, and the allowed lateness.
    """
    contract, name = source.tables[table], f"{source.source}.{table}"
    reading = {key: value for key, value in source.options_of(table).items() if key not in _PLACES}
    judged = sorted(f"{check.fingerprint}{check.severity}" for check in contract.all_checks())
    delivered = {
        column: [spec.delivered_as or column, spec.type, spec.optional]
        for column, spec in contract.columns.items()
    }
    # A value that is not of its column's type sends the row to quarantine; any value is a text.
    refusing = sorted(how for how in delivered.values() if how[1] != "string")
    return Logic(
        columns={column: _digest([name, column, how, reading]) for column, how in delivered.items()},
        row_set=_digest([name, judged, refusing, reading]),
    )


_PLACES = ("glob", "package")
"""Options of a connector that say where files lie, and not how they are read."""


def logic_of_query(query: Query, types: Iterable[str], schemas: Schemas, tables: Tables) -> Logic:
    """Return what decides the content of a query with these output columns over these inputs."""
    names, inputs = tuple(types), _relations(schemas, tables)
    try:
        traced = trace(query.tree, inputs, schemas)
        _agree(names, traced)
    except Untraceable:
        text = query.tree.sql(dialect="duckdb", comments=False, normalize=True)
        traced = _made_of_everything([text], names, inputs)
    values = [value for _, value in traced.columns]
    layout = (traced.order,) if traced.order else ()
    read = frozenset[tuple[str, str]]().union(*(part.reads for part in (*traced.everything(), *layout)))
    return Logic(
        columns={name: _with_rows(value, traced) for name, value in zip(names, values, strict=True)},
        row_set=traced.rows.digest,
        layout=traced.order.digest if traced.order else "",
        origins={name: _names(value.origins) for name, value in zip(names, values, strict=True)},
        shown={name: _names(value.origins | value.reads) for name, value in zip(names, values, strict=True)},
        reads={name: _of(name, read, schemas) for name in schemas},
    )


def logic_of_python(
    declared: DeclaredModel, types: Mapping[str, str], schemas: Schemas, tables: Tables
) -> Logic:
    """Return what decides the content of a Python model: its code, what it imports, all of its inputs."""
    imports = declared.model.imports if isinstance(declared.model, PythonModel) else ()
    code = ast.dump(ast.parse(declared.model.text))
    inputs = sorted(declared.contract.inputs.items())
    traced = _made_of_everything([code, imports, inputs], types, _relations(schemas, tables))
    return Logic(
        columns={name: _digest([types[name], _with_rows(value, traced)]) for name, value in traced.columns},
        row_set=traced.rows.digest,
        origins={name: _names(value.origins) for name, value in traced.columns},
        shown={name: _names(value.origins) for name, value in traced.columns},
        reads={name: tuple(columns) for name, columns in schemas.items()},
    )


def landed_fingerprint(source: Source, table: str, logic: Logic) -> str:
    """Return the fingerprint of a landed table; another one makes it land again."""
    contract = source.tables[table]
    event_time = contract.event_time and [contract.event_time.column, contract.event_time.zone]
    return _digest([f"{source.source}.{table}", list(logic.columns.items()), logic.row_set, event_time])


def table_fingerprint(
    contract: Contract, types: Mapping[str, str], logic: Logic, interval: str | None
) -> str:
    """Return the fingerprint of a table: of its logic, its columns' types, and how it is cut and laid out."""
    keyed = [contract.key, contract.order_by, contract.deleted, contract.tracked, ENGINE]
    return _digest(
        [
            [(name, kind, logic.columns[name]) for name, kind in types.items()],
            [logic.row_set, logic.layout],
            [contract.kind, contract.partition and contract.partition.model_dump(), interval],
            keyed if contract.kind in KEYED else [],
        ]
    )


def _relations(schemas: Schemas, tables: Tables) -> dict[str, Relation]:
    return {name: _relation(tables[name], columns) for name, columns in schemas.items()}


def _relation(table: PlannedTable, columns: Iterable[str]) -> Relation:
    """Return an input as a query sees it, hidden columns of landing included where it names them."""
    known = {column.name: column.fingerprint for column in table.columns}
    # Which columns of a delivery are left over follows from those that are not.
    left_over = {EXTRA_COLUMN: _digest([table.name, sorted(known.values())])}
    values = {name: known.get(name) or left_over.get(name) or _digest([table.name, name]) for name in columns}
    traced = (
        (name.lower(), Traced(digest, frozenset({(table.name, name)}), frozenset({(table.name, name)})))
        for name, digest in values.items()
    )
    return Relation(Traced(table.row_set), tuple(traced))


def _made_of_everything(logic: list[Any], names: Iterable[str], inputs: Mapping[str, Relation]) -> Relation:
    """Return a relation of which it is not known what its columns are made of."""
    everything = combined(logic, [part for name in sorted(inputs) for part in inputs[name].everything()])
    return Relation(everything, tuple((name, combined([name], [everything])) for name in names))


def _agree(names: tuple[str, ...], traced: Relation) -> None:
    """Refuse a trace whose columns are not those that the engine found; it names some that have no name."""
    found = [name for name, _ in traced.columns]
    if len(found) != len(names):
        raise Untraceable(f"{len(names)} columns, and {len(found)} were found")
    for ours, theirs in zip(names, found, strict=True):
        if theirs != ours.lower() and not theirs.startswith("_col_"):
            raise Untraceable(f"{ours} was found as {theirs}")


def _with_rows(value: Traced, relation: Relation) -> str:
    return combined(["column"], [value, relation.rows]).digest


def _names(columns: Columns) -> tuple[str, ...]:
    return tuple(sorted(f"{table}.{column}" for table, column in columns))


def _of(table: str, read: Columns, schemas: Schemas) -> tuple[str, ...]:
    return tuple(column for column in schemas[table] if (table, column) in read)


def _digest(logic: list[Any]) -> str:
    return hashlib.sha256(json.dumps(logic, sort_keys=True, default=str).encode()).hexdigest()[:16]
