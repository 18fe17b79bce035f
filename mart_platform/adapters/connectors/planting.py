"""Cuts what a source holds into one file for each day or hour, and plants what real deliveries have.

Every draw comes from a digest of the seed and of the row's place in the source, so that the same source and
the same settings give the same files on every machine, whenever they are asked for.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
from arro3.core import RecordBatchReader, Table

from mart_platform.adapters.connectors.intervals import Intervals
from mart_platform.adapters.connectors.lines import Lines
from mart_platform.adapters.connectors.options import FormatOptions
from mart_platform.adapters.connectors.pieces import TRUTH, Piece
from mart_platform.planning.quoting import identifier, literal
from mart_platform.ports import Delivered
from mart_platform.spec.problems import UserError
from mart_platform.spec.sources import DELIVERED_COLUMN, ROW_COLUMN, SourceTable
from mart_platform.spec.types import duckdb_type

_MOST = 20_000
_FURTHEST = 7  # deliveries that a planted row comes later than it should
_FILE = 1 << 40  # so many rows a file, to number the rows of all files in their order


def plant(
    contract: SourceTable, files: Iterable[tuple[str, Delivered]], options: FormatOptions, into: Path
) -> tuple[Piece, ...]:
    """Write the deliveries of a replay and TRUTH into an empty folder; return them in order.

    ``files`` are those that the source holds, by position, opened one after the other.

    TRUTH has a row for each planted row: ``kind`` (late, duplicated, corrected), ``key`` (a struct),
    ``event_time``, the positions ``due`` and ``delivered``, ``allowed`` (it still comes within the allowed
    lateness), and for corrected rows the ``wrong`` and the ``right`` number. Raises UserError for a source
    that cannot be played, and Unreadable as the formats do.
    """
    with closing(duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(into)})) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        planting = _Planting(connection, contract, options, into)
        planting.read(files)
        planting.draw()
        planting.deliver()
        planting.tell()
        return planting.write()


class _Planting:
    """The rows of a source in tables of one connection: ``raw``, ``plan``, and what is ``delivered`` when.

    ``raw`` and ``delivered`` have the columns of the source, which may have any names but landing's own.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: SourceTable,
        options: FormatOptions,
        into: Path,
    ) -> None:
        if contract.replay is None or contract.event_time is None:
            raise AssertionError("a table is played that declares no replay")
        self.sql, self.contract, self.options, self.into = connection, contract, options, into
        self.replay, self.event_time = contract.replay, contract.event_time
        self.intervals = Intervals(self.replay, self.event_time)
        self.as_text = False
        self.position = ""
        self.columns: dict[str, str] = {}
        self.broken: list[str] = []

    def read(self, files: Iterable[tuple[str, Delivered]]) -> None:
        """Fill ``raw`` with the rows of all files, numbered in the order in which they were delivered."""
        for number, (position, delivered) in enumerate(files):
            self.position, self.as_text = position, delivered.as_text
            for frame in delivered.frames:
                self._add(Table.from_arrow(frame), number * _FILE)
            self.broken += delivered.broken()["line"].to_list()
        if not self.columns:
            raise UserError(f"{self.position}: cannot be played, for it holds no row.")
        needed = [self.event_time.column, *self.contract.key]
        if missing := [name for name in needed if self._delivered_as(name) not in self.columns]:
            raise UserError(f"{self.position}: cannot be played, for it has no column '{missing[0]}'.")

    def draw(self) -> None:
        """Decide what becomes of each row: ``plan`` has one for each of ``raw`` that is played.

        A row comes ``first`` in the interval of its event, but never before an earlier row of its key, so
        that the last one of a key is the one that holds. Only that one is planted, for the same reason. Rows
        without a time come with the first interval, and what lies before it comes there as it is.
        """
        late, again = self.replay.late, self.replay.late + self.replay.duplicated
        self.sql.execute(
            f"CREATE TABLE drawn AS SELECT {ROW_COLUMN}, {self._local()} AS local, {self._wrong()} AS wrong,"
            f" {self._draw('what')} AS what, 1 + {self._digest('when')} % {_FURTHEST} AS later,"
            f" dense_rank() OVER (ORDER BY {self._keys()}) AS same FROM raw"
        )
        self.sql.execute(
            f"CREATE TABLE plan AS WITH timed AS ("
            f" SELECT *, greatest({self.intervals.number_of('local')}, {self._first()}) AS number,"
            f" {self.intervals.number_of('local')} < {self._first()} AS before FROM drawn"
            f" WHERE local IS NULL OR {self._is_played()}"
            "), due AS ("
            " SELECT *, coalesce(number, (SELECT min(number) FROM timed)) AS due FROM timed"
            "), ordered AS ("
            f" SELECT *, max(due) OVER earlier AS first, lead({ROW_COLUMN}) OVER earlier IS NULL AS last"
            f" FROM due WINDOW earlier AS (PARTITION BY same ORDER BY {ROW_COLUMN})"
            f") SELECT {ROW_COLUMN}, local, wrong, later, first, CASE"
            " WHEN NOT last OR local IS NULL OR before THEN NULL"
            f" WHEN what < {late} THEN 'late' WHEN what < {again} THEN 'duplicated'"
            f" WHEN what < {again + self.replay.corrected} AND wrong IS NOT NULL THEN 'corrected'"
            " END AS kind FROM ordered"
        )

    def deliver(self) -> None:
        """Fill ``delivered``: each row as often as it comes, with the number of its interval."""
        measure = self._measure()
        wrong = (
            f"REPLACE (CASE plan.kind WHEN 'corrected' THEN plan.wrong ELSE raw.{measure} END AS {measure})"
        )
        self.sql.execute(
            f"CREATE TABLE delivered AS SELECT raw.* {wrong if measure else ''},"
            f" plan.first + CASE plan.kind WHEN 'late' THEN plan.later ELSE 0 END AS {DELIVERED_COLUMN}"
            f" FROM plan JOIN raw USING ({ROW_COLUMN}) UNION ALL"
            f" SELECT raw.*, plan.first + plan.later AS {DELIVERED_COLUMN}"
            f" FROM plan JOIN raw USING ({ROW_COLUMN}) WHERE plan.kind IN ('duplicated', 'corrected')"
            f" ORDER BY {DELIVERED_COLUMN}, {ROW_COLUMN}"
        )
        self.sql.execute("SET threads = 1")  # small queries, and files of the same bytes on every machine

    def tell(self) -> None:
        """Write what was planted, in the order of delivery."""
        self.sql.execute(
            "CREATE TABLE positions (number BIGINT, position VARCHAR, complete_through TIMESTAMPTZ)"
        )
        self.sql.execute(f"INSERT INTO positions VALUES {', '.join(self._positions())}")
        key = ", ".join(
            f"{identifier(column)} := raw.{identifier(self._delivered_as(column))}"
            for column in self.contract.key
        )
        right = f"raw.{measure}::VARCHAR" if (measure := self._measure()) else "NULL"
        self._copy(
            f"SELECT plan.kind, struct_pack({key}) AS key, {self._moment()} AS event_time,"
            " at_first.position AS due, at_last.position AS delivered,"
            f" {self._moment()} >= before_last.complete_through AS allowed,"
            " CASE plan.kind WHEN 'corrected' THEN plan.wrong::VARCHAR END AS wrong,"
            f" CASE plan.kind WHEN 'corrected' THEN {right} END AS right"
            f" FROM plan JOIN raw USING ({ROW_COLUMN})"
            " JOIN positions AS at_first ON at_first.number = plan.first"
            " JOIN positions AS at_last ON at_last.number = plan.first + plan.later"
            " JOIN positions AS before_last ON before_last.number = plan.first + plan.later - 1"
            f" WHERE plan.kind IS NOT NULL ORDER BY plan.first + plan.later, {ROW_COLUMN}",
            self.into / TRUTH,
        )

    def write(self) -> tuple[Piece, ...]:
        """Write one file for each interval, from the first with events to the last that brings anything."""
        return tuple(self._piece(number) for number in self._numbers() if self._can_be_written(number))

    # Reading

    def _add(self, rows: Table, offset: int) -> None:
        coming = RecordBatchReader.from_batches(rows.schema, rows.to_batches())
        self.sql.register("coming", coming)  # a reader: for a table duckdb would import pyarrow, 0.5 s
        self.sql.execute("CREATE OR REPLACE TEMP TABLE piece AS FROM coming")
        self.sql.unregister("coming")
        source = f"(SELECT * REPLACE ({ROW_COLUMN} + {offset} AS {ROW_COLUMN}) FROM piece)"
        described = self.sql.execute("DESCRIBE piece").fetchall()
        found = {name: kind for name, kind, *_ in described if name != ROW_COLUMN}
        try:
            if not self.columns:
                self.sql.execute(f"CREATE TABLE raw AS FROM {source}")
            else:
                for name in found.keys() - self.columns.keys():
                    self.sql.execute(f"ALTER TABLE raw ADD COLUMN {identifier(name)} {found[name]}")
                self.sql.execute(f"INSERT INTO raw BY NAME FROM {source}")
        except duckdb.ConversionException as error:
            raise UserError(
                f"{self.position}: cannot be played, for its columns have other types than in the files "
                f"before it: {str(error).splitlines()[0]}"
            ) from error
        self.columns = {**found, **self.columns}

    def _delivered_as(self, column: str) -> str:
        return self.contract.columns[column].delivered_as or column

    def _measure(self) -> str | None:
        """Return the column in which wrong numbers are planted, where the source has it."""
        name = self._delivered_as(self.contract.measure) if self.contract.measure else None
        return identifier(name) if name in self.columns else None

    def _keys(self) -> str:
        return ", ".join(f"raw.{identifier(self._delivered_as(column))}" for column in self.contract.key)

    # Drawing

    def _local(self) -> str:
        """Return the SQL of a row's event time on the source's own clock; NULL where it cannot be read."""
        column, zone = identifier(self._delivered_as(self.event_time.column)), literal(self.event_time.zone)
        if self.contract.columns[self.event_time.column].type == "timestamptz":
            time = f"timezone({zone}, TRY_CAST({column} AS TIMESTAMPTZ))"
        else:
            time = f"TRY_CAST({column} AS TIMESTAMP)"
        return f"CASE WHEN isfinite({time}) THEN {time} END"

    def _moment(self) -> str:
        """Return the SQL of a row's event time as a moment in UTC."""
        column, zone = identifier(self._delivered_as(self.event_time.column)), literal(self.event_time.zone)
        if self.contract.columns[self.event_time.column].type == "timestamptz":
            return f"TRY_CAST(raw.{column} AS TIMESTAMPTZ)"
        return f"timezone({zone}, plan.local)"

    def _wrong(self) -> str:
        """Return the SQL of a wrong number for a row, one more or less within the bounds, or NULL."""
        name, measure = self._measure(), self.contract.measure
        if name is None or measure is None:
            return "NULL"
        column, found = self.contract.columns[measure], self.columns[self._delivered_as(measure)]
        number = f"TRY_CAST({name} AS {duckdb_type(column.type)})"
        most = [bound for bound in (column.at_most, column.below) if isinstance(bound, int | float)]
        more = f"{number} + 1 < {min(most)}" if most else "true"
        wrong = f"TRY(CASE WHEN {more} THEN {number} + 1 ELSE {number} - 1 END)"
        as_found = f"TRY_CAST(TRY_CAST({wrong} AS {duckdb_type(column.type)}) AS {found})"
        return f"CASE WHEN {as_found} IS DISTINCT FROM {name} THEN {as_found} END"

    def _digest(self, what: str) -> str:
        return f"md5_number_lower(concat({literal(f'{self.replay.seed} {what} ')}, {ROW_COLUMN}))"

    def _draw(self, what: str) -> str:
        """Return the SQL of a number from 0 to 1 that a row draws."""
        return f"({self._digest(what)} / {2**64}.0)::DOUBLE"

    def _first(self) -> str:
        return str(self.intervals.number_of_day(self.replay.since)) if self.replay.since else "NULL"

    def _is_played(self) -> str:
        """Return the SQL of whether a row with a time is played at all."""
        if self.replay.until is None:
            return "true"
        until = self.intervals.number_of_day(self.replay.until)
        return f"{self.intervals.number_of('local')} < {until}"

    # Writing

    def _numbers(self) -> range:
        first, last, earliest, latest = self.sql.execute(
            "SELECT min(first), max(first + CASE WHEN kind IS NULL THEN 0 ELSE later END),"
            " min(local), max(local) FROM plan"
        ).fetchall()[0]
        if first is None:
            raise UserError(
                f"{self.position}: cannot be played, for no row has an event time that can be read in the "
                f"column '{self.event_time.column}'."
            )
        if last - first >= _MOST:
            raise UserError(
                f"{self.position}: its events lie between {earliest} and {latest}, which makes "
                f"{last - first + 1:,} deliveries. Bound the replay with 'from' and 'until'."
            )
        return range(first, last + 1)

    def _positions(self) -> Iterator[str]:
        for number in self._numbers():
            position = literal(self.intervals.position(number, self._ending))
            complete = literal(self.intervals.complete_through(number).isoformat())
            yield f"({number}, {position}, TIMESTAMPTZ {complete})"

    def _can_be_written(self, number: int) -> bool:
        """Return whether a delivery has rows, or is of a format that knows a file without any."""
        if self._ending != ".jsonl":
            return True
        found = self.sql.execute(f"FROM delivered WHERE {DELIVERED_COLUMN} = {number} LIMIT 1")
        return bool(found.fetchall())

    def _piece(self, number: int) -> Piece:
        position = self.intervals.position(number, self._ending)
        file = self.into / position.replace("/", "-")
        rows = f"FROM delivered WHERE {DELIVERED_COLUMN} = {number} ORDER BY {ROW_COLUMN}"
        if self.as_text:
            self._write_text(file, rows)
        else:
            self._copy(f"SELECT * EXCLUDE ({ROW_COLUMN}, {DELIVERED_COLUMN}) {rows}", file)
        content = file.read_bytes()
        return Piece(
            position=position,
            file=file.name,
            ends=self.intervals.ends(number),
            complete_through=self.intervals.complete_through(number),
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def _copy(self, query: str, file: Path) -> None:
        self.sql.execute(f"COPY ({query}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)")

    def _write_text(self, file: Path, rows: str) -> None:
        """Write rows as they were delivered; the lines that are no rows come with the first of them."""
        form = Lines(self.columns, self.options, as_json=self._ending == ".jsonl")
        queries = [f"SELECT {form.header}"] if form.header else []
        found = (self.sql.execute(query).fetchall() for query in (*queries, f"SELECT {form.line} {rows}"))
        broken, self.broken = self.broken, []
        lines = (*(line for part in found for (line,) in part), *broken)
        file.write_bytes("".join(f"{line}\n" for line in lines).encode(self.options.encoding))

    @property
    def _ending(self) -> str:
        if not self.as_text:
            return ".parquet"
        told = any(ending in self.position.lower() for ending in (".json", ".ndjson"))
        as_json = self.options.format == "jsonl" or (self.options.format is None and told)
        return ".jsonl" if as_json else ".csv"
