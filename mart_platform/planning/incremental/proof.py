"""Is a model safe to rebuild by interval? The optimiser shows it, and random rows confirm it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mart_platform.planning.describing import EmptyTables
from mart_platform.planning.incremental.binding import binding_of
from mart_platform.planning.incremental.intervals import interval_column, interval_of, interval_type_of
from mart_platform.planning.incremental.lookups import lookups_of
from mart_platform.planning.incremental.markers import markers_of
from mart_platform.planning.incremental.reach import reached_inputs
from mart_platform.planning.incremental.self_test import CannotTry, Failed, Trial, failures
from mart_platform.planning.lints import order_lints
from mart_platform.planning.plan import Binding, Lookup, PlannedTable
from mart_platform.planning.queries import Query, Schemas, has_volatile_call, named_tables, parse_query
from mart_platform.planning.resolving import ResolvedModel
from mart_platform.spec.tables import Contract


@dataclass(frozen=True)
class Proof:
    """How each input leads to intervals of a table: by a binding or a lookup; ``unbound`` says why to all."""

    bindings: dict[str, Binding]
    lookups: dict[str, Lookup]
    unbound: dict[str, str]


def prove(
    model: ResolvedModel,
    sql: str,
    contract: Contract,
    tables: Mapping[str, PlannedTable],
    schemas: Schemas,
    empty: EmptyTables,
) -> Proof:
    """Return how the inputs of a model lead to the intervals of its table, which has some.

    ``sql`` is what the platform runs: views are inlined, and the kinds upsert and scd2 wrapped. ``schemas``
    and ``tables`` hold the inputs, and ``empty`` must hold them as the model sees them. A build of some
    intervals restricts the bound inputs to ``expression IN (keys)``, and must restrict what the model then
    yields as well: an unbound input may give rows of all intervals. Raises CannotDescribe.
    """
    query = parse_query(model.declared.model.file, sql)
    column = interval_column(contract)
    if not isinstance(query, Query) or column is None:
        raise ValueError(f"{model.name} has no SELECT, or no intervals")
    names = sorted({table.name for table in named_tables(query)})
    columns = empty.describe(sql)
    if because := _unprovable(query, column, columns[column]):
        return Proof({}, {}, dict.fromkeys(names, f"{because}: every change rebuilds all intervals"))
    schemas = {name: schemas[name] for name in names}
    reached = reached_inputs(sql, query.tree, column, columns[column], schemas, empty)
    bindings = {
        name: binding_of(expression, contract, columns[column], tables[name])
        for name, expression in reached.items()
    }
    unbound = {
        name: f"the filter on {column} does not reach {name}: every change of it rebuilds all intervals"
        for name in names
        if name not in bindings
    }
    lookups = lookups_of(query.tree, schemas, bindings, unbound) if bindings and unbound else {}
    trial = Trial(
        sql=sql,
        tree=query.tree,
        columns=columns,
        interval=interval_of(contract, columns) or "",
        interval_type=interval_type_of(contract),
        grain=contract.partition.grain if contract.partition else "day",
        schemas=schemas,
        keys={name: tables[name].key for name in names},
        landed=frozenset(name for name in names if tables[name].layer == "landing"),
    )
    return _confirmed(Proof(bindings, lookups, unbound), trial, empty)


def _unprovable(query: Query, column: str, type_name: str) -> str | None:
    """Return why nothing can be shown of a model, or None."""
    if call := has_volatile_call(query):
        return f"{call} gives another value at every run"
    if lints := order_lints(query):
        return lints[0].removesuffix(".")
    if markers_of(type_name, query.tree) is None:
        return f"nothing can be shown for {column}, which is {type_name}"
    return None


def _confirmed(proof: Proof, trial: Trial, empty: EmptyTables) -> Proof:
    """Return what is left of a proof after it was tried on random rows."""
    if not proof.bindings:
        return replace(proof, lookups={})
    try:
        failed = failures(trial, proof.bindings, proof.lookups, empty)
    except CannotTry as error:
        because = f"the model cannot be tried on random rows ({error}): every change rebuilds all intervals"
        return Proof({}, {}, proof.unbound | dict.fromkeys(proof.bindings, because))
    return _without(proof, failed)


def _without(proof: Proof, failed: Failed) -> Proof:
    because = (
        "its rows depend on the order in which they are read, as where ORDER BY leaves a tie"
        if failed.unsteady
        else "intervals built alone held other rows than when all were built"
    )
    refused = dict.fromkeys(
        failed.bindings, f"on random rows, {because}: every change rebuilds all intervals"
    )
    lookups = {name: lookup for name, lookup in proof.lookups.items() if name not in failed.lookups}
    return Proof(
        bindings={name: kept for name, kept in proof.bindings.items() if name not in failed.bindings},
        lookups=lookups,
        unbound={name: why for name, why in proof.unbound.items() if name not in lookups} | refused,
    )
