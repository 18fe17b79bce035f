"""What a database says when it fails, as a sentence that names the ledger and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from mart_platform.spec.problems import UserError

_LOCKED = "is locked by another process that did not let go in time. "
_FULL = "cannot grow, because the disk is full. Make room and try again."

_SQLITE = {
    "locked": _LOCKED + "Wait for its run to end, or find it with `fuser`, and try again.",
    "unable to open": "cannot be opened. See that its folder exists and that you may write there.",
    "not a database": "is not an SQLite database. Move the file away, or give another place for the ledger.",
    "readonly": "may not be written. Give yourself the right to write the file and its folder.",
    "disk is full": _FULL,
    "malformed": "is damaged. Put the last backup in its place.",
    "already exists": "holds tables of something else. Give another place for the ledger.",
    "disk I/O error": "cannot be read or written: the disk reports an error. Look into the system's log.",
}
_POSTGRESQL = {
    "55P03": _LOCKED + "Wait for its run to end, or find it in pg_locks, and try again.",
    "53100": _FULL,
    "25006": "may not be written: its server takes no changes. Give the URL of the primary server.",
    "42501": "may not be written. Grant its user the right to create a schema in the database.",
}
"""By SQLSTATE."""


def shown(url: URL) -> str:
    """Return where the ledger is, without the password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    return url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn failures that somebody can act on into UserErrors; others pass as they are."""
    try:
        yield
    except DBAPIError as error:
        if remedy := _remedy(url, error):
            raise UserError(f"The ledger {shown(url)} {remedy}") from error
        raise


def _remedy(url: URL, error: DBAPIError) -> str | None:
    said = str(error.orig)
    if no_such_table(error):
        return "lacks a table that it should have. Put the last backup in its place."
    if url.get_backend_name() == "sqlite":
        return next((remedy for sign, remedy in _SQLITE.items() if sign in said), None)
    if known := _POSTGRESQL.get(_sqlstate(error)):
        return known
    if isinstance(error, OperationalError | InterfaceError):
        first_line = said.strip().splitlines()[0] if said.strip() else type(error.orig).__name__
        return f"cannot be reached ({first_line}). See that the server runs and that the URL is right."
    return None


def no_such_table(error: DBAPIError) -> bool:
    """Say whether a query failed because its table is not there."""
    return "no such table" in str(error.orig) or _sqlstate(error) == "42P01"


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
