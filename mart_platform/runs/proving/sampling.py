"""A small lake of real rows: small tables whole, of large ones some rows, taken so that they still join."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mart_platform.planning.quoting import identifier, literal, quoted
from mart_platform.ports import EngineSession, Platform, Relation
from mart_platform.runs.proving.declared import Person, sights_of
from mart_platform.runs.proving.twins import Lake, written
from mart_platform.spec.rights import MartRights

ROWS = 1000
"""Rows of a table in the sample, about."""


def sample(
    platform: Platform, relations: Sequence[Relation], rights: MartRights, people: Sequence[Person], seed: str
) -> Lake:
    """Return a sample of the tables of a mart, half of each table such rows as the people may see.

    A table is sampled by the column that most tables share, and of which there are most values: all take the
    rows of the same values. One without that column takes rows that join to what was sampled before.
    """
    with platform.engine.session(relations) as session:
        sizes = {table.name: _count(session, table) for table in relations}
        large = [table for table in relations if sizes[table.name] > ROWS]
        key = _key(session, relations, large)
        lake: dict[str, Relation] = {}
        for table in sorted(relations, key=lambda table: (key not in table.columns, sizes[table.name])):
            chosen = _Chosen(table, key, lake, seed)
            conditions = _conditions(table, rights, people) if table in large else []
            sql = chosen.sql(conditions) if table in large else f"SELECT * FROM {quoted(table.name)}"
            lake[table.name] = written(platform, session, sql, table.name, table.columns)
            session.define(
                Relation(f"sampled.{table.name.replace('.', '_')}", table.columns, lake[table.name].files)
            )
        return {table.name: lake[table.name] for table in relations}


@dataclass(frozen=True)
class _Chosen:
    """Which rows of a large table are taken."""

    table: Relation
    key: str
    sampled: Mapping[str, Relation]
    seed: str

    def sql(self, conditions: Sequence[str]) -> str:
        """Return a query for them: some by each condition, as many by none, in the table's order."""
        share = ROWS // (len(conditions) + 1)
        short = identifier(self.table.name.partition(".")[2])
        picks = " UNION ".join(
            f'(SELECT "#" FROM numbered AS {short} WHERE {where} ORDER BY {self._first()}, "#" LIMIT {share})'
            for where in [*conditions, "TRUE"]
        )
        columns = ", ".join(map(identifier, self.table.columns))
        return (
            f'WITH numbered AS MATERIALIZED (SELECT row_number() OVER () AS "#", * '
            f"FROM {quoted(self.table.name)}) "
            f'SELECT {columns} FROM numbered WHERE "#" IN ({picks}) ORDER BY "#"'
        )

    def _first(self) -> str:
        """Return the order in which rows are taken."""
        if self.key in self.table.columns:
            return f"hash({identifier(self.key)}, {literal(self.seed)})"
        for name, other in self.sampled.items():
            for column in self.table.columns:
                if column in other.columns and other.columns[column] == self.table.columns[column]:
                    of = f"SELECT {identifier(column)} FROM sampled.{identifier(name.replace('.', '_'))}"
                    return f'{identifier(column)} NOT IN ({of}), hash("#", {literal(self.seed)})'
        return f'hash("#", {literal(self.seed)})'


def _key(session: EngineSession, tables: Sequence[Relation], large: Sequence[Relation]) -> str:
    """Return the column that most of the large tables share, and of them the one with most values."""
    shared: dict[str, int] = {}
    for table in large:
        for column in table.columns:
            if any(column in other.columns for other in tables if other is not table):
                shared[column] = shared.get(column, 0) + 1
    most = max(shared.values(), default=0)
    best = {column: 0 for column, count in shared.items() if count == most}
    for table in large:
        for column in best.keys() & table.columns.keys():
            best[column] = max(best[column], _distinct(session, table, column))
    return max(sorted(best), key=lambda column: best[column], default="")


def _conditions(table: Relation, rights: MartRights, people: Sequence[Person]) -> list[str]:
    sights = (sights_of(rights, person, table.name) for person in people)
    conditions = {sight.condition: None for each in sights for sight in each if sight.condition != "TRUE"}
    return [*conditions]


def _count(session: EngineSession, table: Relation) -> int:
    return int(session.rows(f"SELECT count(*) AS n FROM {quoted(table.name)}")[0]["n"])


def _distinct(session: EngineSession, table: Relation, column: str) -> int:
    sql = f"SELECT approx_count_distinct({identifier(column)}) AS n FROM {quoted(table.name)}"
    return int(session.rows(sql)[0]["n"])
