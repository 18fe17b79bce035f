"""The planner: a warehouse folder in, a frozen plan out, or everything that is wrong with the folder."""

from collections.abc import Iterable

from mart_platform.planning.access import principals_problems
from mart_platform.planning.checks import plan_checks
from mart_platform.planning.describing import EmptyTables
from mart_platform.planning.landed import landed_checks_problems, plan_landed
from mart_platform.planning.marts import circle_problems, mart_problems, plan_mart
from mart_platform.planning.models import plan_model
from mart_platform.planning.plan import Layer, Plan, PlannedTable, plan_digest
from mart_platform.planning.queries import Query
from mart_platform.planning.resolving import Names, ResolvedModel, in_build_order, resolve
from mart_platform.planning.rights import rights_of
from mart_platform.planning.views import inlined
from mart_platform.spec.problems import InvalidDeclarations, Place, Problem
from mart_platform.spec.warehouse import Warehouse


def make_plan(warehouse: Warehouse, known_problems: Iterable[Problem] = ()) -> Plan:
    """Return the plan of a warehouse.

    Raises InvalidDeclarations with all problems at once, ``known_problems`` among them.
    """
    names = Names.of(warehouse)
    models, problems = _resolved(warehouse, names)
    problems += known_problems
    ordered, cycles = in_build_order(models)
    problems += cycles
    with EmptyTables() as empty:
        tables, found = _planned_tables(warehouse, ordered, empty)
        problems += found
        tables, found = _with_checks(tables, ordered, names.all(), empty)
        problems += found
        marts = {mart.spec.mart: plan_mart(mart, tables) for mart in warehouse.marts}
        for mart in warehouse.marts:
            problems += mart_problems(mart, tables, marts, warehouse.principals, empty)
        problems += circle_problems(marts, tables)
    problems += principals_problems(warehouse)
    if problems:
        raise InvalidDeclarations(problems)
    return Plan(
        digest=plan_digest(warehouse.digest),
        root=str(warehouse.root),
        settings=warehouse.settings,
        sources={source.spec.source: source.spec for source in warehouse.sources},
        tables=tables,
        marts=marts,
        principals=dict(warehouse.principals),
        rights={name: rights_of(mart, tables, warehouse.principals) for name, mart in marts.items()},
    )


def _resolved(warehouse: Warehouse, names: Names) -> tuple[list[ResolvedModel], list[Problem]]:
    models, problems = [], []
    for declared in warehouse.models():
        model, found = resolve(declared, names)
        problems += found
        if model is not None:
            models.append(model)
    return models, problems


def _planned_tables(
    warehouse: Warehouse, models: Iterable[ResolvedModel], empty: EmptyTables
) -> tuple[dict[str, PlannedTable], list[Problem]]:
    """Plan every table whose inputs could be planned; what hangs on a broken one is left out in silence."""
    tables: dict[str, PlannedTable] = {}
    problems: list[Problem] = []
    for source in warehouse.sources:
        for name in source.spec.tables:
            landed, found = plan_landed(source, name)
            tables[landed.name] = landed
            problems += found
            empty.add(landed.name, {column.name: column.type for column in landed.columns})
            problems += [] if found else landed_checks_problems(source, name, empty)
    owners = {mart.spec.mart: mart.spec.owner.team for mart in warehouse.marts}
    views: dict[str, Query] = {}
    for model in models:
        if not all(name in tables for name in model.inputs):
            continue
        schema = model.name.split(".", 1)[0]
        layer: Layer = "mart" if schema in owners else "canonical"
        owner = owners.get(schema, warehouse.settings.platform_team)
        table, found = plan_model(model, layer, owner, tables, views, empty)
        problems += found
        if table is not None:
            tables[table.name] = table
            if table.kind == "view" and model.query is not None:
                views[table.name] = inlined(model.query, views)
            empty.add(table.name, {column.name: column.type for column in table.columns})
    return tables, problems


def _with_checks(
    tables: dict[str, PlannedTable],
    models: Iterable[ResolvedModel],
    known: frozenset[str],
    empty: EmptyTables,
) -> tuple[dict[str, PlannedTable], list[Problem]]:
    """Add the checks to the tables, and order these so that each comes after what it is checked against."""
    problems: list[Problem] = []
    checked = dict(tables)
    for model in models:
        if model.name in tables:
            planned, found = plan_checks(model, tables[model.name], known, tables, empty)
            problems += found
            checked[model.name] = tables[model.name].model_copy(update={"checks": planned})
    ordered: dict[str, PlannedTable] = {}
    while ready := [t for n, t in checked.items() if n not in ordered and _all_there(t, ordered, checked)]:
        ordered.update((table.name, table) for table in ready)
    waiting = checked.keys() - ordered.keys()
    for name in waiting:
        against = waiting & {read for check in checked[name].checks for read in check.reads}
        if against:
            problems.append(
                Problem(
                    Place(checked[name].file),
                    f"'{name}' is checked against {', '.join(sorted(against))}, which is made from it.",
                    "Move the check to the table further down.",
                )
            )
    return ordered or checked, problems


def _all_there(table: PlannedTable, ordered: dict[str, PlannedTable], known: dict[str, PlannedTable]) -> bool:
    return all(name in ordered or name not in known for name in table.after)
