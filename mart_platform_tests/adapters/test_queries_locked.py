"""Nothing but the publications of a query can be reached, whatever gets past the gate and the parser."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from mart_platform.adapters.queries.adbc import Connection, Database, Failed
from mart_platform.adapters.queries.instances import Instance, Limits
from mart_platform.adapters.queries.publications import Publications
from mart_platform.ports import Relation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two publications, each of a small table and one that stays in its file, and a folder for spilling."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "spill").mkdir()
    duckdb.connect(str(folder / "empty.duckdb")).close()
    for name, rows in (("small", 10), ("large", 100_000), ("other_small", 10), ("other_large", 100_000)):
        duckdb.sql(f"SELECT i, md5(i::VARCHAR) AS text FROM range({rows}) t(i)").write_parquet(
            str(folder / f"{name}.parquet")
        )
    return folder


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[Instance]:
    """An instance of the first publication, as a worker opens it."""
    publications = Publications(folder / "serving", in_memory=1_000_000)
    for mart in ("sales", "other"):
        prefix = "" if mart == "sales" else "other_"
        tables = [
            Relation(
                f"{mart}.{name}", {"i": "bigint", "text": "string"}, (folder / f"{prefix}{name}.parquet",)
            )
            for name in ("small", "large")
        ]
        publications.prepare(mart, 1, tables)
    with publications.reading([("sales", 1)]) as held:
        instance = Instance(held, Limits(200_000_000, 2, folder / "spill"), folder / "empty.duckdb")
        yield instance
        instance.close()


@pytest.fixture
def connection(instance: Instance) -> Iterator[Connection]:
    with instance.connect() as connection:
        yield connection


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(file): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and "spill" not in file.parts
    }


def test_what_is_published_can_be_read(connection: Connection) -> None:
    both = 'SELECT (SELECT count(*) FROM "sales@1".main.small), (SELECT count(*) FROM "sales@1".main.large)'
    assert connection.execute(both) == [(10, 100_000)]


READING = """
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob('/etc/passwd')
SELECT * FROM '/etc/passwd'
SELECT * FROM glob('/etc/*')
SELECT * FROM glob('{folder}/*')
SELECT * FROM read_text('/proc/self/environ')
SELECT * FROM read_csv('/dev/stdin')
SELECT * FROM read_json('{folder}/x.json')
SELECT * FROM read_parquet('{folder}/small.parquet')
SELECT * FROM read_parquet('{folder}/other_large.parquet')
SELECT * FROM read_parquet('{folder}/*.parquet')
SELECT * FROM '{folder}/other_large.parquet'
SELECT * FROM parquet_metadata('{folder}/other_large.parquet')
SELECT * FROM parquet_schema('{folder}/other_large.parquet')
SELECT * FROM read_blob('{other}')
SELECT * FROM read_duckdb('{other}', table_name = 'small')
SELECT * FROM '{other}'
ATTACH '{other}' AS other (READ_ONLY)
ATTACH '{folder}/new.duckdb' AS new
ATTACH ':memory:' AS memory
SELECT * FROM sqlite_scan('{folder}/ledger.sqlite', 'grants')
ATTACH '{folder}/ledger.sqlite' AS ledger (TYPE sqlite)
SELECT * FROM postgres_scan('', 'public', 'grants')
SELECT * FROM 'http://127.0.0.1:9/x.parquet'
SELECT * FROM read_text('https://127.0.0.1:9/x')
SELECT * FROM read_parquet('s3://bucket/x.parquet')
SELECT getenv('HOME')
SELECT * FROM frame
SELECT * FROM pandas_scan(1)
SELECT * FROM python_map_function(1)
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM seq_scan('small')
""".strip().splitlines()

WRITING = """
COPY (SELECT 1) TO '{folder}/stolen.csv'
COPY (SELECT 1) TO '{folder}/large.parquet'
COPY (SELECT 1) TO '{database}'
COPY (SELECT 1) TO '/dev/stdout'
EXPORT DATABASE '{folder}/export'
IMPORT DATABASE '{folder}/export'
CREATE TABLE t (i INTEGER)
CREATE TABLE main.t (i INTEGER)
CREATE TABLE "sales@1".main.t (i INTEGER)
CREATE VIEW v AS SELECT 1
CREATE OR REPLACE VIEW "sales@1".main.large AS SELECT 1
CREATE SCHEMA s
CREATE SCHEMA "sales@1".s
CREATE MACRO m() AS 1
CREATE SEQUENCE s
CREATE TYPE t AS INTEGER
CREATE INDEX i ON "sales@1".main.small (i)
CREATE SECRET s (TYPE s3)
CREATE PERSISTENT SECRET s (TYPE s3)
INSERT INTO "sales@1".main.small VALUES (1, 'x')
UPDATE "sales@1".main.small SET i = 1
DELETE FROM "sales@1".main.small
DROP TABLE "sales@1".main.small
DROP VIEW "sales@1".main.large
ALTER TABLE "sales@1".main.small ADD COLUMN c INTEGER
TRUNCATE "sales@1".main.small
COMMENT ON TABLE "sales@1".main.small IS 'x'
""".strip().splitlines()

UNLOCKING = """
SET enable_external_access = true
SET GLOBAL enable_external_access = true
RESET enable_external_access
SET lock_configuration = false
RESET lock_configuration
SET allowed_paths = ['/etc/passwd']
SET allowed_directories = ['/']
SET memory_limit = '100GB'
SET threads = 64
SET temp_directory = '/tmp'
SET max_temp_directory_size = '100GB'
SET TimeZone = 'Europe/Berlin'
SET autoload_known_extensions = true
SET autoinstall_known_extensions = true
SET allow_unsigned_extensions = true
SET allow_community_extensions = true
SET python_enable_replacements = true
SET extension_directory = '{folder}'
SET secret_directory = '{folder}'
SET home_directory = '{folder}'
SET log_query_path = '{folder}/log'
SET profiling_output = '{folder}/profile'
PRAGMA profiling_output = '{folder}/profile'
PRAGMA memory_limit = '100GB'
INSTALL httpfs
INSTALL httpfs FROM community
FORCE INSTALL sqlite
LOAD httpfs
LOAD sqlite_scanner
LOAD '{folder}/evil.duckdb_extension'
UPDATE EXTENSIONS
DETACH "sales@1"
""".strip().splitlines()


@pytest.mark.parametrize("attack", [*READING, *WRITING, *UNLOCKING])
def test_the_engine_itself_refuses(
    connection: Connection, instance: Instance, folder: Path, attack: str
) -> None:
    frame = duckdb.sql("SELECT 'of the server' AS secret")  # which a replacement scan of Python would find
    before = everything_in(folder)
    [database] = (folder / "serving").glob("sales@*")
    [other] = (folder / "serving").glob("other@*")
    if attack.startswith("DETACH"):
        connection.execute('USE "sales@1"')
    with pytest.raises(Failed):
        connection.execute(attack.format(folder=folder, database=database, other=other))
    assert everything_in(folder) == before
    assert frame
    with instance.connect() as fresh:
        assert fresh.execute('SELECT count(*) FROM "sales@1".main.large') == [(100_000,)]


NEVER = [
    "SELECT * FROM enable_logging(storage = 'file', storage_path = '/tmp/log')",
    """WITH log AS (SELECT * FROM "Enable_Logging"('QueryLog')) SELECT (SELECT count(*) FROM log)""",
    "SELECT * FROM disable_logging()",
    "SELECT * FROM query('SELECT * FROM enable_logging()')",
    "SELECT * FROM query_table('small')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
    "SELECT write_log('x')",
    "CALL enable_logging()",
    "SELECT 1; SELECT * FROM enable_logging()",
    "SELECT 1) ; CALL enable_logging() ; (SELECT 1",
    "PRAGMA enable_profiling",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT * FROM (PIVOT small ON i USING count(*))",
    "COPY (SELECT 1) TO '/tmp/x'",
    "",
]


@pytest.mark.parametrize("attack", NEVER)
def test_what_no_lock_forbids_does_not_reach_the_engine(
    connection: Connection, instance: Instance, attack: str
) -> None:
    with pytest.raises(Failed):
        instance.shapes.of(connection, attack, None)


def test_the_name_of_a_function_in_a_text_is_no_call(connection: Connection, instance: Instance) -> None:
    sql = """SELECT '"function_name":"enable_logging"' AS text, 1 AS enable_logging"""
    assert instance.shapes.of(connection, sql, None).columns == {
        "text": "VARCHAR",
        "enable_logging": "INTEGER",
    }


STATE = [
    "CREATE TEMP TABLE left_behind AS SELECT 1 AS i",
    "CREATE TEMP VIEW left_behind AS SELECT 1 AS i",
    "CREATE TEMP MACRO left_behind() AS TABLE SELECT 1",
    "PREPARE left_behind AS SELECT 1",
    'USE "sales@1"',
    "SET VARIABLE left_behind = 'x'",
    "BEGIN",
]


@pytest.mark.parametrize("statement", STATE)
def test_what_a_connection_holds_for_itself_ends_with_it(instance: Instance, statement: str) -> None:
    with instance.connect() as first:
        first.execute(statement)
    with instance.connect() as second:
        for gone in ("SELECT * FROM left_behind", "EXECUTE left_behind", "SELECT * FROM small", "COMMIT"):
            with pytest.raises(Failed):
                second.execute(gone)
        assert second.execute("SELECT getvariable('left_behind')") == [(None,)]


def test_a_sort_that_does_not_fit_spills_into_its_folder_and_leaves_nothing_there(
    folder: Path, tmp_path: Path
) -> None:
    before = everything_in(folder)
    instance = Instance([], Limits(50_000_000, 1, tmp_path), folder / "empty.duckdb")
    wide = "SELECT i, repeat(md5(i::VARCHAR), 4) AS text FROM range(400000) t(i) ORDER BY text"
    with instance.connect() as connection:
        assert connection.execute(f"SELECT count(*) FROM (FROM ({wide}) OFFSET 1)") == [(399_999,)]
    instance.close()
    assert not list(tmp_path.iterdir())
    assert everything_in(folder) == before


def test_without_a_folder_for_it_nothing_can_be_written_anywhere(folder: Path) -> None:
    instance = Instance([], Limits(50_000_000, 1), folder / "empty.duckdb")
    before = everything_in(folder)
    with instance.connect() as connection:
        for path in (
            folder / "x.csv",
            folder / "spill" / "x.csv",
            Path("x.csv"),
            folder / "empty.duckdb.tmp" / "x",
        ):
            with pytest.raises(Failed):
                connection.execute(f"COPY (SELECT 1) TO '{path}'")
        with pytest.raises(Failed, match="Out of Memory"):
            connection.execute(
                "SELECT count(*) FROM (SELECT md5(i::VARCHAR) FROM range(5000000) t(i) ORDER BY 1 OFFSET 1)"
            )
    instance.close()
    assert everything_in(folder) == before


def test_an_instance_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="does not exist"):
        Instance([], Limits(50_000_000, 1), tmp_path / "gone.duckdb")


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(Failed, match="nonsense"):
        Database({"path": ":memory:", "nonsense": "1"})
