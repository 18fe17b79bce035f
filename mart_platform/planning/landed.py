"""A landed table planned: what its source's contract says, and the logic that this is."""

from mart_platform.planning.check_sql import compile_check
from mart_platform.planning.checks import does_not_run, unknown_columns
from mart_platform.planning.describing import EmptyTables
from mart_platform.planning.fingerprints import landed_fingerprint, logic_of_landed
from mart_platform.planning.plan import PlannedColumn, PlannedTable
from mart_platform.spec.problems import Problem
from mart_platform.spec.warehouse import DeclaredSource


def plan_landed(declared: DeclaredSource, table: str) -> tuple[PlannedTable, list[Problem]]:
    """Return a source's table; its fingerprint is its contract's, so a changed contract lands it again."""
    source, contract = declared.spec, declared.spec.tables[table]
    name = f"{source.source}.{table}"
    problems = []
    for check in contract.all_checks():
        known = dict.fromkeys(contract.columns, "")
        problems += unknown_columns(check, known, declared.origin.place("tables", table, "checks"))
    logic = logic_of_landed(source, table)
    fingerprint = landed_fingerprint(source, table, logic)
    planned = PlannedTable(
        name=name,
        layer="landing",
        description=contract.description,
        owner=source.owner.team,
        fingerprint=fingerprint,
        path=physical_path(name, fingerprint),
        file=declared.origin.file,
        key=contract.key,
        row_set=logic.row_set,
        columns=tuple(
            PlannedColumn(
                name=column,
                type=spec.type,
                meaning=spec.meaning,
                unit=spec.unit,
                labels=spec.labels,
                fingerprint=logic.columns[column],
            )
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
            problems += does_not_run(compiled, name, place, empty)
    return problems


def physical_path(name: str, fingerprint: str) -> str:
    """Return where a table lies below the lake folder: new logic means a new folder beside the old one."""
    return f"{name.replace('.', '/')}/{fingerprint}"
