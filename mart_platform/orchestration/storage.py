"""Dagster's databases, written to by connections that stay open.

Dagster opens its SQLite files anew for each event: 10 ms of CPU an event where 2 are enough, and a build
writes three events for each check.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData


class HomeStorage(DagsterSqliteStorage):
    """Dagster's own storage in SQLite with another way to reach its event log; the files are the same."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HomeStorage":
        """Return the storage that dagster.yaml describes."""
        return cls(config_value["base_dir"], inst_data)


class OpenEventLog(SqliteEventLogStorage):
    """The event log, which keeps one connection open to the index and one to the run that it was last at.

    A write is on disk when the operating system says so, which a loss of power may undo; the ledger, which
    decides what is built and what is live, never waits less than the disk does.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Any] = {}
        super().__init__(base_dir, inst_data)

    def dispose(self) -> None:
        """Close what is open."""
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Any]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard):
                pass
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> Any:
        if shard not in self._engines:
            for other in self._engines.keys() - {INDEX_SHARD_NAME}:
                self._engines.pop(other).dispose()
            self._engines[shard] = create_engine(
                self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            )
            with self._engines[shard].connect() as connection:
                connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
        return self._engines[shard]
