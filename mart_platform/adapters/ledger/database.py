"""How the ledger's tables are read and written: short transactions, records as JSON."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Select, Table
from sqlalchemy.dialects import sqlite

from mart_platform.adapters.ledger.failures import explained
from mart_platform.spec.records import Record

R = TypeVar("R", bound=Record)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Database:
    """The engine, used by several threads, and by a process after a fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._process = os.getpid()
        self._of_parent: object = None

    def close(self) -> None:
        """Close all connections."""
        self._engine_here().dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that writes, and commit it unless the block raises."""
        engine = self._engine_here().execution_options(writes=True)
        with explained(engine.url), engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a transaction that reads."""
        engine = self._engine_here()
        with explained(engine.url), engine.connect() as connection:
            yield connection

    def first(self, model: type[R], query: Select[str]) -> R | None:
        """Return the first record that a query finds."""
        with self.reading() as connection:
            record = connection.execute(query).scalar()
        return None if record is None else model.model_validate_json(record)

    def all(self, model: type[R], query: Select[str]) -> list[R]:
        """Return the records that a query finds."""
        with self.reading() as connection:
            records = connection.execute(query).scalars().all()
        return [model.model_validate_json(record) for record in records]

    def insert(self, table: Table) -> sqlite.Insert:
        """Return an INSERT that can say what to do on conflict; both databases spell it alike."""
        if self._engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 (20 ms that SQLite need not pay)

        return cast(sqlite.Insert, postgresql.insert(table))

    def put(
        self, connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write rows over those with the same key, all by one statement."""
        if rows:
            insert = self.insert(table)
            others = {name: insert.excluded[name] for name in rows[0] if name not in key}
            connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=others), rows)

    def _engine_here(self) -> Engine:
        """Return the engine; after a fork without the connections of the parent, which are left to it."""
        if self._process != os.getpid():
            self._of_parent = self._engine.pool  # kept, for SQLite must not be closed here
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine


def microseconds(moment: datetime) -> int:
    """Return a moment as it is kept in a column."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(count: int) -> datetime:
    """Return the moment that a column holds."""
    return _EPOCH + timedelta(microseconds=count)
