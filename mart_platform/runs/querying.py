"""SQL on what is live, for whoever owns the files; the governed door has its own path."""

from typing import TYPE_CHECKING

from mart_platform.planning.plan import Plan
from mart_platform.planning.queries import named_tables, parse_query
from mart_platform.planning.resolving import unknown_table
from mart_platform.ports import Platform, Relation
from mart_platform.runs.building import relation, relation_of
from mart_platform.spec.problems import Place, Problem, UserError

if TYPE_CHECKING:
    import polars as pl


def query(platform: Platform, plan: Plan, sql: str) -> "pl.DataFrame":
    """Return the answer of one SELECT over tables as ``schema.table``.

    Tables of marts are read at their live publication, canonical and landed ones at their newest build.
    Raises UserError when the SQL does not parse, or names a table that does not exist or has no data yet.
    """
    parsed = parse_query("the query", sql)
    if isinstance(parsed, Problem):
        raise UserError(f"{parsed.found} {parsed.remedy}".strip())
    named = {table.name for table in named_tables(parsed)}
    for name in sorted(named):
        for problem in unknown_table(name, Place("the query"), plan.tables):
            raise UserError(f"{problem.found} {problem.remedy}".strip())
    with platform.engine.session([_live(platform, plan, name) for name in sorted(named)]) as session:
        return session.frame(sql.strip().rstrip(";"))


def _live(platform: Platform, plan: Plan, name: str) -> Relation:
    table = plan.tables[name]
    mart = plan.mart_of(name)
    if mart is None:
        build = platform.ledger.latest_build(name, table.fingerprint)
        if build is None:
            raise UserError(f"{name} has no data yet; run `mart build` first.")
        return relation(platform, build, hidden=table.layer == "landing")
    live = platform.ledger.live(mart.spec.mart)
    if live is None or name not in live.tables:
        raise UserError(f"{name} is not published yet; run `mart build {mart.spec.mart}` first.")
    published = live.tables[name]
    version = platform.ledger.version(name, published.fingerprint, published.version)
    return relation_of(platform, version)
