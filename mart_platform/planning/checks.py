"""The checks of a model planned: compiled, tried on empty tables, and held against what there is."""

from collections.abc import Iterable, Iterator, Mapping

from mart_platform.planning.check_sql import compile_check
from mart_platform.planning.contracts import holds_problems
from mart_platform.planning.describing import CannotDescribe, EmptyTables
from mart_platform.planning.plan import PlannedCheck, PlannedTable
from mart_platform.planning.queries import has_volatile_call, parse_query, unique_by_construction
from mart_platform.planning.resolving import ResolvedModel, unknown_table
from mart_platform.spec import checks
from mart_platform.spec.checks import Check
from mart_platform.spec.problems import Origin, Place, Problem, nearest
from mart_platform.spec.tables import KEYED, Contract

Tables = Mapping[str, PlannedTable]


def plan_checks(
    model: ResolvedModel, table: PlannedTable, known: Iterable[str], tables: Tables, empty: EmptyTables
) -> tuple[tuple[PlannedCheck, ...], list[Problem]]:
    """Return a table's checks compiled, each tried on empty tables, and all that is wrong with them.

    ``known`` are all declared tables; a check that looks at one which could not be planned is not tried.
    """
    origin, known = model.declared.origin, frozenset(known)
    unique = unique_by_construction(model.query) if model.query and table.kind not in KEYED else frozenset()
    planned: dict[str, PlannedCheck] = {}
    problems: list[Problem] = []
    for check, place in _located_checks(model.declared.contract, origin):
        if check.name in planned:
            problems.append(
                Problem(place, f"two checks of '{table.name}' are named '{check.name}'.", "Rename one.")
            )
            continue
        if isinstance(check, checks.HoldsSums):
            wrong = holds_problems(check, table, tables, place)
        else:
            wrong = unknown_columns(check, {c.name: c.type for c in table.columns}, place)
        wrong = wrong or _unknown_targets(check, place, known, tables)
        if not wrong:
            compiled = planned[check.name] = compile_check(check, table.name, unique)
            if all(name in tables for name in compiled.reads):
                wrong = does_not_run(compiled, table.name, place, empty)
        problems += wrong
    return tuple(planned.values()), problems


def unknown_columns(check: Check, known: Mapping[str, str], place: Place) -> list[Problem]:
    """Return what is wrong with the columns of its own table that a check names."""
    return [
        Problem(place, f"check '{check.name}' names the unknown column '{column}'.", nearest(column, known))
        for column in _columns_of(check)
        if column not in known
    ]


def does_not_run(check: PlannedCheck, table: str, place: Place, empty: EmptyTables) -> list[Problem]:
    """Return why a check cannot be run on its table, which is among the empty ones, if that is so."""
    asked = check.measure or f"SELECT {check.predicate} FROM {table}"
    try:
        empty.describe(asked)
    except CannotDescribe as error:
        return [Problem(place, f"check '{check.check.name}' cannot be run: {error.found}", error.remedy)]
    return []


def _located_checks(contract: Contract, origin: Origin) -> Iterator[tuple[Check, Place]]:
    """Yield each check with the place where it stands: at the key, at its column, or under ``checks``."""
    under_checks = [
        (check, origin.place("checks", index))
        for index, written in enumerate(contract.checks)
        for check in written.compile()
    ]
    under_holds = [(h.compile(), origin.place("holds", i)) for i, h in enumerate(contract.holds)]
    places: dict[Check, Place] = dict([*under_checks, *under_holds])
    for check in contract.all_checks():
        column = getattr(check, "column", None)
        beside = origin.place("columns", column) if column in contract.columns else origin.place("key")
        yield check, places.get(check, beside)


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


def _columns_of(check: Check) -> tuple[str, ...]:
    if isinstance(check, checks.Unique):
        return check.columns
    column = getattr(check, "column", None)
    return (column,) if column else ()
