"""A model proved as the planner does it, from its text and the columns of its inputs."""

from collections.abc import Mapping

from mart_platform.planning import incremental
from mart_platform.planning.describing import EmptyTables
from mart_platform.planning.kinds import wrapped
from mart_platform.planning.plan import PlannedColumn, PlannedTable
from mart_platform.planning.queries import Query, parse_query
from mart_platform.planning.resolving import ResolvedModel
from mart_platform.spec.problems import Origin, Place
from mart_platform.spec.tables import Contract, Partition
from mart_platform.spec.types import duckdb_type
from mart_platform.spec.warehouse import DeclaredModel, SqlText

Inputs = Mapping[str, PlannedTable]

BY_DAY = Contract(
    table="mart.made", description="", kind="incremental", partition=Partition(column="day", grain="day")
)


def table(
    name: str, partition: Partition | None = None, key: tuple[str, ...] = (), **columns: str
) -> PlannedTable:
    """Return an input table with columns of declared types; with a partition it is incremental."""
    return PlannedTable(
        name=name,
        layer="canonical",
        description="",
        owner="team",
        fingerprint="f",
        path=name,
        file=f"{name}.sql",
        kind="incremental" if partition else "full",
        partition=partition,
        key=key,
        columns=tuple(PlannedColumn(name=column, type=kind) for column, kind in columns.items()),
    )


EVENTS = table(
    "shop.ev",
    Partition(column="d"),
    id="bigint",
    cust="bigint",
    ts="timestamp",
    d="date",
    amt="double",
    st="string",
)
PAYMENTS = table("shop.pay", Partition(column="d"), pid="bigint", id="bigint", d="date", v="double")
CUSTOMERS = table("shop.cust", None, ("cust",), cust="bigint", nation="string")


def proved(
    sql: str, *inputs: PlannedTable, contract: Contract = BY_DAY, empty: EmptyTables | None = None
) -> incremental.Proof:
    """Return the proof of a model over inputs: by default of ``day`` over events, payments and customers."""
    tables = {t.name: t for t in inputs or (EVENTS, PAYMENTS, CUSTOMERS)}
    query = parse_query("made.sql", sql)
    assert isinstance(query, Query), query
    declared = DeclaredModel(contract, Origin("made.yaml"), SqlText("made.sql", sql))
    model = ResolvedModel(declared, query, dict.fromkeys(tables, Place("made.sql")))
    schemas = {n: {c: duckdb_type(kind) for c, kind in t.types.items()} for n, t in tables.items()}
    with EmptyTables() as fresh:
        known = empty or fresh
        for t in tables.values():
            known.add(t.name, t.types)
        run = wrapped(sql, contract, known.describe(sql))
        return incremental.prove(model, run, contract, tables, schemas, known)
