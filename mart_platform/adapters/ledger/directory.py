"""The Directory port over SQL, in the ledger's database: every change is one transaction, and is counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select, update

from mart_platform.adapters.ledger import schema
from mart_platform.adapters.ledger.database import Database
from mart_platform.spec.entries import Approval, Credential, Grant, KnownPrincipal

_COUNTER = "directory"
_STAMP = select(schema.counters.c.value).where(schema.counters.c.name == _COUNTER)


class SqlDirectory:
    """A directory in SQLite or PostgreSQL; may be used by several threads, and by a process after a fork.

    Any method raises UserError, naming the ledger, when the database cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_principal(self, principal: KnownPrincipal) -> None:
        row = {"name": principal.name, "record": principal.model_dump_json()}
        with self._changing() as connection:
            self._database.put(connection, schema.principals, ["name"], [row])

    def principals(self) -> list[KnownPrincipal]:
        principals = schema.principals.c
        return self._database.all(KnownPrincipal, select(principals.record).order_by(principals.name))

    def add_grant(self, grant: Grant) -> None:
        with self._changing() as connection:
            connection.execute(self._database.insert(schema.grants), _row(grant))

    def revoke_grant(self, grant: str, at: datetime, by: str) -> None:
        grants = schema.grants
        with self._changing() as connection:
            found = Grant.model_validate_json(_record(connection, grants, grant))
            if found.revoked_at is None:
                revoked = found.model_copy(update={"revoked_at": at, "revoked_by": by})
                connection.execute(update(grants).where(grants.c.id == grant).values(**_row(revoked)))

    def grants(self, principal: str | None = None) -> list[Grant]:
        grants = schema.grants.c
        query = select(grants.record).order_by(grants.seq)
        return self._database.all(Grant, query.where(grants.principal == principal) if principal else query)

    def put_credential(self, credential: Credential) -> None:
        with self._changing() as connection:
            self._database.put(connection, schema.credentials, ["id"], [_row(credential)])

    def credentials(self, principal: str | None = None) -> list[Credential]:
        credentials = schema.credentials.c
        query = select(credentials.record).order_by(credentials.seq)
        return self._database.all(
            Credential, query.where(credentials.principal == principal) if principal else query
        )

    def credential(self, identity: str) -> Credential | None:
        credentials = schema.credentials.c
        return self._database.first(Credential, select(credentials.record).where(credentials.id == identity))

    def revoke_credential(self, identity: str, at: datetime) -> None:
        credentials = schema.credentials
        with self._changing() as connection:
            found = Credential.model_validate_json(_record(connection, credentials, identity))
            if found.revoked_at is None:
                revoked = _row(found.model_copy(update={"revoked_at": at}))
                connection.execute(update(credentials).where(credentials.c.id == identity).values(**revoked))

    def approve(self, approval: Approval) -> None:
        row = {"mart": approval.rights.mart, "record": approval.model_dump_json()}
        with self._changing() as connection:
            connection.execute(self._database.insert(schema.approvals), row)

    def approval(self, mart: str) -> Approval | None:
        approvals = schema.approvals.c
        newest = select(approvals.record).where(approvals.mart == mart).order_by(approvals.seq.desc())
        return self._database.first(Approval, newest.limit(1))

    def approvals(self, mart: str) -> list[Approval]:
        approvals = schema.approvals.c
        query = select(approvals.record).where(approvals.mart == mart)
        return self._database.all(Approval, query.order_by(approvals.seq.desc()))

    def stamp(self) -> int:
        with self._database.reading() as connection:
            return connection.execute(_STAMP).scalar() or 0

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """Give a transaction that writes, and count it; whoever reads the new count sees what it wrote."""
        counters = schema.counters
        first = self._database.insert(counters).values(name=_COUNTER, value=1)
        counted = first.on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + 1})
        with self._database.writing() as connection:
            yield connection
            connection.execute(counted)


def _row(record: Grant | Credential) -> dict[str, Any]:
    return {"id": record.id, "principal": record.principal, "record": record.model_dump_json()}


def _record(connection: Connection, table: Table, identity: str) -> str:
    """Return the record with this id, locked for a change. Raises LookupError when there is none."""
    query = select(table.c.record).where(table.c.id == identity).with_for_update()
    record: str | None = connection.execute(query).scalar()
    if record is None:
        raise LookupError(f"the directory knows no '{identity}'")
    return record
