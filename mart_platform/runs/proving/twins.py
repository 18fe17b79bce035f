"""Two lakes that differ in nothing but what somebody may not see."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mart_platform.planning.quoting import digest_sql, identifier, literal, quoted
from mart_platform.ports import EngineSession, Platform, Relation
from mart_platform.runs.proving.alterations import CANARY, altered, altered_within, left_by
from mart_platform.runs.proving.declared import (
    Person,
    Sight,
    looked_up,
    masks_of,
    read_by_filters,
    sights_of,
)
from mart_platform.spec.problems import UserError
from mart_platform.spec.rights import MartRights

Lake = Mapping[str, Relation]
"""The tables of a mart by their names ``mart.table``."""

_REMOVED, _ADDED = 5, 4
"""One of so many hidden rows is removed, and one of so many stands twice, the second time altered anew."""


@dataclass(frozen=True)
class Twins:
    """Two lakes; ``alike`` names the tables in which no difference could be hidden from the one who asks."""

    one: Lake
    other: Lake
    alike: tuple[str, ...]


def twins_for(platform: Platform, lake: Lake, rights: MartRights, person: Person, seed: str) -> Twins:
    """Return two lakes between which somebody must see no difference, by the rights of a mart.

    In the first, texts that are shown as keyed hashes alone are made canaries. The second holds the same,
    but hidden rows are altered, removed or added, hidden columns hold other values, and masked ones such as
    look the same behind their masks. That nothing which may be seen differs is checked, not believed.
    """
    maker = _Maker(platform, rights, person, seed)
    one = maker.with_canaries(lake)
    other = maker.altered(one)
    while seen := maker.seen_differently(one, other):
        other = {name: one[name] if name in seen else table for name, table in other.items()}
    return Twins(one, other, tuple(name for name in one if other[name] is one[name]))


def written(
    platform: Platform, session: EngineSession, sql: str, name: str, columns: Mapping[str, str]
) -> Relation:
    """Return the rows of a query as a relation of its own, in files below the temporary folder."""
    folder = platform.data.temporary / "proving" / name.replace(".", "_")
    files = session.write(sql, columns, folder)
    return Relation(name, columns, tuple(platform.data.absolute(file.path) for file in files))


class _Maker:
    """Makes the lakes for one person."""

    def __init__(self, platform: Platform, rights: MartRights, person: Person, seed: str) -> None:
        self._platform, self._rights, self._person, self._seed = platform, rights, person, seed
        self._sights = {name: sights_of(rights, person, name) for name in rights.types}
        roles = [role for role in person.roles if role in rights.roles]
        self._filtered_by, self._looked_up = read_by_filters(rights, roles), looked_up(rights, roles)

    def with_canaries(self, lake: Lake) -> Lake:
        hashed = {name: [*self._only_hashed(name, table)] for name, table in lake.items()}
        if not any(hashed.values()):
            return lake
        with self._platform.engine.session(lake.values()) as session:
            return {
                name: written(
                    self._platform, session, _with_canaries(table, hashed[name]), name, table.columns
                )
                if hashed[name]
                else table
                for name, table in lake.items()
            }

    def altered(self, lake: Lake) -> Lake:
        with self._platform.engine.session(lake.values()) as session:
            return {name: self._altered(session, table) for name, table in lake.items()}

    def seen_differently(self, one: Lake, other: Lake) -> frozenset[str]:
        """Return the tables that are not alike, of those that make a difference to what is seen."""
        changed = {name for name in one if other[name] is not one[name]}
        before, after = self._digests(one), self._digests(other)
        seen = {name for name in one if before[name] != after[name]}
        return frozenset(changed & (seen | self._looked_up if seen else seen))

    def _only_hashed(self, name: str, table: Relation) -> Iterator[str]:
        """Yield the columns that are seen by keyed hashes alone, and by which no row filter chooses."""
        for column in table.columns:
            masks = {mask for _, mask in masks_of(self._sights[name], column)}
            if masks == {"hmac"} and column not in self._filtered_by.get(name, ()):
                yield column

    def _altered(self, session: EngineSession, table: Relation) -> Relation:
        """Return a table altered where nobody sees it, as far as its row filters bear it."""
        for choices in (("wide", "narrow", "same"), ("narrow", "same")):
            try:
                sql = _Alteration(
                    table,
                    self._sights[table.name],
                    kept=self._filtered_by.get(table.name, frozenset()),
                    keeps_all=table.name in self._looked_up,
                    seed=self._seed,
                ).sql(choices)
                return written(self._platform, session, sql, table.name, table.columns)
            except UserError:  # a row filter that fails on the values: those that it looks at stay
                continue
        return table

    def _digests(self, lake: Lake) -> dict[str, object]:
        with self._platform.engine.session(lake.values()) as session:
            return {name: session.rows(_seen(table, self._sights[name])) for name, table in lake.items()}


@dataclass(frozen=True)
class _Alteration:
    """How a table is altered: each row becomes the first of some candidates that is seen as the row is.

    ``wide`` alters what it may, ``narrow`` leaves the columns that row filters look at, ``same`` is the row
    itself. Where ``keeps_all``, row filters of other tables look at this one: what they look at stays, and so
    do its rows.
    """

    table: Relation
    sights: Sequence[Sight]
    kept: Collection[str]
    keeps_all: bool
    seed: str

    def sql(self, choices: Sequence[str]) -> str:
        name = self.table.name.partition(".")[2]
        columns = ", ".join(map(identifier, self.table.columns))
        candidates = " UNION ALL ".join(self._candidates(choices))
        seen = [identifier(f"seen {number}") for number in range(len(self.sights))]
        before = [identifier(f"seen before {number}") for number in range(len(self.sights))]
        as_seen = ", ".join(
            f"{sight.condition} AS {flag}" for flag, sight in zip(before, self.sights, strict=True)
        )
        now_seen = ", ".join(
            f"{sight.condition} AS {flag}" for flag, sight in zip(seen, self.sights, strict=True)
        )
        same = " AND ".join(f"{now} = {then}" for now, then in zip(seen, before, strict=True)) or "TRUE"
        return (
            f'WITH rows_seen AS (SELECT row_number() OVER () AS "#", *{_and(as_seen)} '
            f"FROM {quoted(self.table.name)} AS {identifier(name)}), "
            f"candidates AS ({candidates}), "
            f"held AS (SELECT *{_and(now_seen)} FROM candidates AS {identifier(name)}) "
            f"SELECT {columns} FROM held WHERE {same} "
            f'QUALIFY row_number() OVER (PARTITION BY "#" ORDER BY choice) = 1 ORDER BY "#"'
        )

    def _candidates(self, choices: Sequence[str]) -> Iterator[str]:
        hidden = " AND ".join(f'NOT "seen before {number}"' for number in range(len(self.sights))) or "TRUE"
        draw = self._draw("which")
        stays = "TRUE" if self.keeps_all else f"NOT ({hidden} AND {draw} % {_REMOVED} = 0)"
        for number, choice in enumerate(choices):
            yield self._candidate(number, choice, '"#"', "", stays)
            if not self.keeps_all:
                added = f"{hidden} AND {draw} % {_ADDED} = 1"
                yield self._candidate(number, choice, '"#" + 0.5', "added", added)

    def _candidate(self, number: int, choice: str, at: str, salt: str, where: str) -> str:
        given = [self._value(column, choice, salt) for column in self.table.columns]
        values = ", ".join(
            f"{value} AS {identifier(column)}"
            for value, column in zip(given, self.table.columns, strict=True)
        )
        flags = "".join(f', "seen before {number}"' for number in range(len(self.sights)))
        return f'SELECT {at} AS "#", {number} AS choice, {values}{flags} FROM rows_seen WHERE {where}'

    def _value(self, column: str, choice: str, salt: str) -> str:
        stays = column in self.kept and (choice == "narrow" or self.keeps_all)
        if choice == "same" or stays:
            return identifier(column)
        declared, draw = self.table.columns[column], self._draw(f"{column} {salt}")
        flag = {sight.condition: f'"seen before {number}"' for number, sight in enumerate(self.sights)}
        arms = "".join(
            f" WHEN {flag[condition]} THEN {altered_within(mask, column, declared, draw)}"
            for condition, mask in masks_of(self.sights, column)
        )
        hidden = altered(declared, draw)
        return f"CASE{arms} ELSE {hidden} END" if arms else hidden

    def _draw(self, what: str) -> str:
        return f'hash("#", {literal(f"{self.seed} {self.table.name} {what}")})'


def _seen(table: Relation, sights: Sequence[Sight]) -> str:
    """Return a query for the digest of what is seen of a table, in the order of its rows."""
    columns = {"#": 'row_number() OVER () AS "#"'}
    for column in table.columns:
        arms = " ".join(
            f"WHEN {condition} THEN CAST({left_by(mask, identifier(column))} AS VARCHAR)"
            for condition, mask in masks_of(sights, column)
        )
        if arms:
            columns[column] = f"CASE {arms} END AS {identifier(column)}"
    visible = " OR ".join(f"({sight.condition})" for sight in sights) or "FALSE"
    short = identifier(table.name.partition(".")[2])
    rows = f"SELECT * FROM {quoted(table.name)} AS {short} WHERE {visible}"
    shown = f"SELECT {', '.join(columns.values())} FROM ({rows}) AS {short}"
    return f"SELECT count(*) AS rows, {digest_sql(columns)} AS digest FROM ({shown})"


def _with_canaries(table: Relation, hashed: Collection[str]) -> str:
    canaries = ", ".join(
        f"CASE WHEN {column} IS NOT NULL THEN {literal(CANARY)} || hash({column}) END AS {column}"
        for column in map(identifier, hashed)
    )
    return f"SELECT * REPLACE ({canaries}) FROM {quoted(table.name)}"


def _and(columns: str) -> str:
    return f", {columns}" if columns else ""
