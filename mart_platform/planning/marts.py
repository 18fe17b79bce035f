"""A mart's own declarations held against its tables: questions, metrics, rights, promises, runbooks."""

from collections.abc import Iterable, Iterator, Mapping

from mart_platform.planning.access import access_problems
from mart_platform.planning.describing import CannotDescribe, EmptyTables
from mart_platform.planning.plan import PlannedMart, PlannedTable
from mart_platform.planning.queries import named_tables, parse_query
from mart_platform.planning.rights import Principals
from mart_platform.spec.problems import Place, Problem, nearest
from mart_platform.spec.warehouse import DeclaredMart

Tables = Mapping[str, PlannedTable]


def plan_mart(declared: DeclaredMart, tables: Tables) -> PlannedMart:
    """Return the mart with its tables in build order."""
    name = declared.spec.mart
    return PlannedMart(
        spec=declared.spec,
        folder=f"marts/{name}",
        tables=tuple(table for table in tables if table.split(".", 1)[0] == name),
        slos=tuple(slo.spec for slo in declared.slos),
        runbooks=tuple(runbook.spec for runbook in declared.runbooks),
        metrics=declared.metrics,
        access=declared.access,
    )


def mart_problems(
    declared: DeclaredMart,
    tables: Tables,
    marts: Iterable[str],
    principals: Principals,
    empty: EmptyTables,
) -> list[Problem]:
    """Return all that is wrong with a mart's declarations, given the tables that could be planned."""
    own = {t.short_name: t for t in tables.values() if t.schema_name == declared.spec.mart}
    if len(own) < len(declared.tables):
        return []  # what is wrong with a table is told already, and would be told again here
    return [
        *_tables_missing(declared),
        *_retention(declared, own),
        *_questions(declared, own, empty),
        *_metrics(declared, own, empty),
        *access_problems(declared, own, principals, empty),
        *_runbooks(declared, frozenset(marts)),
    ]


def circle_problems(marts: Mapping[str, PlannedMart], tables: Tables) -> Iterator[Problem]:
    """Yield a problem for each mart that waits for its own publication.

    A table of another mart is read as that mart is published, so marts that read each other would each wait
    for the other one.
    """
    waits_for = {name: _marts_read(name, marts, tables) for name in marts}
    for name in marts:
        reached: set[str] = set()
        ahead = set(waits_for[name])
        while ahead:
            reached |= ahead
            ahead = set[str]().union(*(waits_for[mart] for mart in ahead)) - reached
        if name in reached:
            circle = ", ".join(sorted(mart for mart in reached if mart != name))
            yield Problem(
                Place(f"{marts[name].folder}/mart.yaml"),
                f"mart '{name}' reads marts that read it in turn: {circle}.",
                "Move what they share to a canonical table.",
            )


def _marts_read(mart: str, marts: Mapping[str, PlannedMart], tables: Tables) -> set[str]:
    """Return the other marts whose tables a mart is made from or checked against."""
    read = {name.split(".", 1)[0] for table in marts[mart].tables for name in tables[table].after}
    return (read & marts.keys()) - {mart}


def _tables_missing(declared: DeclaredMart) -> Iterator[Problem]:
    if not declared.tables:
        yield Problem(
            declared.origin.place("mart"),
            f"mart '{declared.spec.mart}' has no table.",
            f"Add marts/{declared.spec.mart}/tables/<name>.sql and its YAML.",
        )


def _retention(declared: DeclaredMart, own: Tables) -> Iterator[Problem]:
    if declared.spec.retention.then == "downsample" and not any(t.downsample for t in own.values()):
        yield Problem(
            declared.origin.place("retention", "then"),
            "the mart's old rows become sums, but no table of it says which.",
            "Add 'downsample: {grain: …, sum: […]}' to a table of kind incremental, or choose another end.",
        )


def _questions(declared: DeclaredMart, own: Tables, empty: EmptyTables) -> Iterator[Problem]:
    for index, question in enumerate(declared.spec.questions):
        place = declared.origin.place("questions", index, "sql")
        parsed = parse_query(place.file, question.sql, place.line)
        if isinstance(parsed, Problem):
            yield parsed
            continue
        foreign = [t.name for t in named_tables(parsed) if t.name not in {o.name for o in own.values()}]
        if foreign:
            yield Problem(
                place,
                f"the question '{question.ask}' reads '{foreign[0]}', which is no table of this mart.",
                nearest(foreign[0], (table.name for table in own.values())),
            )
            continue
        try:
            empty.describe(question.sql)
        except CannotDescribe as error:
            yield Problem(place, f"the question '{question.ask}' has no answer: {error.found}", error.remedy)


def _metrics(declared: DeclaredMart, own: Tables, empty: EmptyTables) -> Iterator[Problem]:
    if declared.metrics is None or declared.metrics_origin is None:
        return
    for name, metric in declared.metrics.metrics.items():
        place = declared.metrics_origin.place("metrics", name)
        if metric.table not in own:
            yield Problem(
                place,
                f"metric '{name}' is over the unknown table '{metric.table}'.",
                nearest(metric.table, own),
            )
            continue
        try:
            empty.describe(f"SELECT {metric.expression} AS value FROM {own[metric.table].name}")
        except CannotDescribe as error:
            yield Problem(place, f"metric '{name}' cannot be computed: {error.found}", error.remedy)
        for dimension in metric.dimensions:
            yield from _dimension(name, metric.table, dimension, own, place)


def _dimension(metric: str, table: str, dimension: str, own: Tables, place: Place) -> Iterator[Problem]:
    """Check a dimension: a column of the metric's table, or ``table.column`` of another one of the mart."""
    named, _, column = dimension.rpartition(".")
    named = named or table
    if named not in own:
        yield Problem(
            place, f"metric '{metric}' is cut by '{dimension}', of no table of the mart.", nearest(named, own)
        )
    elif column not in (columns := _columns(own[named])):
        yield Problem(
            place, f"metric '{metric}' is cut by the unknown column '{dimension}'.", nearest(column, columns)
        )


def _runbooks(declared: DeclaredMart, marts: frozenset[str]) -> Iterator[Problem]:
    jobs = {f"build_{mart}" for mart in marts}
    for runbook in declared.runbooks:
        remediation = runbook.spec.remediation
        if remediation and remediation.job not in jobs:
            yield Problem(
                runbook.origin.place("remediation"),
                f"runbook '{runbook.spec.alert}' starts the unknown job '{remediation.job}'.",
                nearest(remediation.job, jobs),
            )


def _columns(table: PlannedTable) -> list[str]:
    return [column.name for column in table.columns]
