"""Opens a ledger: finds it, creates it when there is none, brings an older one up to date."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from mart_platform.adapters.ledger.failures import explained, no_such_table, shown
from mart_platform.adapters.ledger.schema import POSTGRESQL_SCHEMA, REVISIONS, metadata
from mart_platform.adapters.ledger.sql_ledger import SqlLedger
from mart_platform.spec.problems import UserError

_ADVISORY_LOCK = 0x6D617274  # "mart": one process at a time creates or migrates on PostgreSQL


def open_ledger(url_or_path: str | Path, *, busy_seconds: float = 30) -> SqlLedger:
    """Open the ledger in a file, which is created when it is not there, or at a URL of SQLAlchemy.

    ``busy_seconds`` is how long to wait for another process that writes. Raises UserError naming the
    ledger when it cannot be reached, is no ledger, or was written by a newer release.
    """
    url = _url(url_or_path)
    engine = _engine(url, busy_seconds)
    try:
        with explained(url):
            if _revision(engine) != REVISIONS[-1]:
                _create_or_migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlLedger(engine)


def _url(url_or_path: str | Path) -> URL:
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return URL.create("sqlite", database=str(Path(url_or_path).absolute()))
    try:
        url = make_url(url_or_path)
    except (ArgumentError, ValueError):
        raise UserError(
            "The ledger's URL cannot be read; write it as postgresql://user:password@host/database."
        ) from None  # the cause may show the password
    if url.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise UserError(
            f"'{url.get_backend_name()}' cannot hold the ledger; use the path of a file for SQLite, or "
            "postgresql://user:password@host/database."
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UserError("A ledger in memory would forget everything; give the path of a file.")
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _engine(url: URL, busy_seconds: float) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": busy_seconds})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        _SameFile(Path(url.database or "")).watch(engine)
        return engine
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            connect_args={
                "options": f"-csearch_path={POSTGRESQL_SCHEMA} -clock_timeout={round(busy_seconds * 1000)}",
                "connect_timeout": 10,
            },
        )
    except ModuleNotFoundError as error:
        raise UserError(
            "A ledger on PostgreSQL needs a driver that is not installed: "
            "pip install 'mart-platform[postgres]'."
        ) from error


class _SameFile:
    """Sees to it that connections reach the file that is at its path, not one that was taken away from there.

    SQLite itself would go on in the file that nobody finds any more, or make an empty one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", self._before_connecting)
        event.listen(engine, "connect", self._when_connected)
        event.listen(engine, "checkout", self._before_use)

    def _before_connecting(self, *_arguments: object) -> None:
        self._inode()

    def _when_connected(self, _connection: object, record: ConnectionPoolEntry) -> None:
        record.info["inode"] = self._inode()

    def _before_use(self, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if record.info["inode"] != self._inode():
            raise InvalidatePoolError("another file was put in its place")  # connects anew

    def _inode(self) -> int:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError as error:
            raise UserError(
                f"The ledger {self._path} is gone: somebody has moved or removed it. Put it back, or the "
                "last backup in its place, and try again."
            ) from error


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """Leave transactions to us (sqlite3 would begin them late), and set what a connection does not keep."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    """Begin; a writer takes the lock at once, because one that reads first cannot wait for it later."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _revision(engine: Engine) -> str | None:
    """Return the revision of the tables that are there, or None when there are none.

    Asked in plain SQL: importing Alembic costs 0.3 s, which a command with nothing to do should not pay.
    """
    path = _file(engine)
    if path is not None and not path.exists():
        if not path.parent.is_dir():
            raise UserError(f"The ledger {path} cannot be made: create the folder {path.parent} first.")
        return None
    with engine.connect() as connection:
        try:
            revision: str | None = connection.execute(
                text("SELECT version_num FROM alembic_version")
            ).scalar()
        except DBAPIError as error:
            if no_such_table(error):
                return None
            raise
    if revision not in REVISIONS:
        raise UserError(
            f"The ledger {shown(engine.url)} has the revision {revision}, which this release does not know "
            f"(it knows up to {REVISIONS[-1]}): it was written by a newer release. Upgrade mart-platform."
        )
    return revision


def _create_or_migrate(engine: Engine) -> None:
    """Bring the tables to the newest revision, one process at a time; whoever comes second finds it done."""
    with _alone(engine):
        revision = _revision(engine)
        if revision == REVISIONS[-1]:
            return
        if (path := _file(engine)) is not None:
            path.touch(mode=0o600)  # hashes of secrets are in it; SQLite gives its other files the same mode
            with closing(sqlite3.connect(path)) as file:
                file.execute("PRAGMA journal_mode=WAL")  # kept in the file; not allowed in a transaction
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            if revision is None:
                _create(connection)
            else:
                migrate(connection)


def _create(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {POSTGRESQL_SCHEMA}"))
    metadata.create_all(connection, checkfirst=False)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": REVISIONS[-1]})


def migrate(connection: Connection) -> None:
    """Bring the tables that are there to the newest revision, in the transaction of ``connection``."""
    from alembic import command  # noqa: PLC0415 (0.3 s, which only a migration should pay)
    from alembic.config import Config  # noqa: PLC0415 (as above)

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    command.upgrade(config, "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Let one process at a time make or change the tables of this ledger."""
    path = _file(engine)
    if path is None:
        with engine.connect() as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            yield
    else:
        with _lock_file(path.with_name(f"{path.name}.lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lock_file(path: Path) -> TextIO:
    try:
        return path.open("w")
    except OSError as error:
        raise UserError(
            f"The ledger cannot be made, because {path} cannot be written ({error.strerror}). Give yourself "
            "the right to write in its folder."
        ) from error


def _file(engine: Engine) -> Path | None:
    """Return the file of a ledger in SQLite."""
    database = engine.url.database
    return Path(database) if engine.dialect.name == "sqlite" and database else None
