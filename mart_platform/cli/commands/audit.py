"""``mart audit``: the record of who asked what and who changed who may, and that nobody has changed it."""

from collections import deque
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.endings import FAILED
from mart_platform.cli.moments import Moment
from mart_platform.cli.options import Group, command, shared_options
from mart_platform.cli.session import Session
from mart_platform.spec.entries import AccessEntry, ConnectEntry, Entry, QueryEntry, Sealed

if TYPE_CHECKING:  # the path of a query takes sqlglot and DuckDB, which only a replay needs
    from mart_platform.runs.door.replaying import Replayed


@command(json=True)
def verify(session: Session) -> int:
    """Read the whole log, and tell what was changed, left out, or put in another order.

    Exit code 1 when anything was.
    """
    audit = session.platform().audit
    faults = audit.verify()
    if session.as_json:
        terminal.print_json({"whole": not faults, "faults": faults})
    elif faults:
        for fault in faults:
            where = f"{fault.file}: entry {fault.number}" if fault.file else f"entry {fault.number}"
            terminal.results().print(Text(f"{where} {fault.found}.", style="red"), soft_wrap=True)
    elif not session.quiet:
        terminal.results().print("The audit log is whole.")
    return FAILED if faults else 0


@command(json=True)
@click.option("--principal", help="Of this principal only.")
@click.option("--since", type=Moment(), metavar="MOMENT", help="From this moment on.")
@click.option("--kind", type=click.Choice(["query", "access", "connect"]), help="Of this kind only.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many of the newest."
)
def show(
    session: Session, principal: str | None, since: datetime | None, kind: str | None, limit: int
) -> None:
    """Show entries of the log, oldest first."""
    entries = session.platform().audit.entries(since=since)
    wanted = (each for each in entries if _is_wanted(each.entry, principal, kind))
    found = deque(wanted, maxlen=limit)
    if session.as_json:
        terminal.print_json({"entries": list(found)})
        return
    if not found:
        terminal.results().print("There is no such entry.")
        return
    table = terminal.table_of(("number", "right"), "at (UTC)", "who", "what", "outcome")
    for sealed in found:
        table.add_row(str(sealed.number), terminal.moment(sealed.entry.at), *_cells(sealed))
    terminal.results().print(table)


@command(json=True)
@click.option("--reason", required=True, help="Why, for those who read the log.")
def begin_anew(session: Session, reason: str) -> None:
    """Set a damaged log aside, and begin one that follows on what the ledger knows.

    For a log of which no good copy is left: without this nothing is answered any more. Stop `mart serve`
    first. What was found stays beside the new log, whose first entry says who did this and why.
    """
    sealed = session.platform().audit.begin_anew(terminal.whoami(), reason)
    if session.as_json:
        terminal.print_json(sealed)
    elif not session.quiet:
        terminal.results().print(Text(f"The log goes on with entry {sealed.number}."))


@command(json=True)
@click.argument("receipt")
def replay(session: Session, receipt: str) -> int:
    """Answer a query again, of the same version under the same policy, and compare the rows.

    RECEIPT is the id that came with the answer. Exit code 1 when the rows are not the same. An answer to
    which no receipt was asked for has no digest, so that only the number of its rows can be compared.
    """
    from mart_platform.runs.door.replaying import replay as replayed

    platform = session.platform()
    with closing(platform.queries):
        again = replayed(platform, session.plan, receipt)
    if session.as_json:
        terminal.print_json(again)
    elif not session.quiet:
        terminal.results().print(Text(_told(again)), soft_wrap=True)
    return FAILED if again.same is False else 0


def _told(again: "Replayed") -> str:
    versions = ", ".join(f"{mart} {number}" for mart, number in again.entry.versions.items())
    rows = f"{terminal.counted(again.rows, 'row')} of {versions or 'no mart'}"
    if again.same is None:
        return f"{rows}, {again.entry.rows} then; no receipt was asked for, so the rows cannot be compared."
    return f"{rows}: the same as then." if again.same else f"{rows}: NOT the same as then."


def _is_wanted(entry: Entry, principal: str | None, kind: str | None) -> bool:
    return (kind is None or entry.kind == kind) and (principal is None or entry.principal == principal)


def _cells(sealed: Sealed) -> tuple[Text, Text, Text]:
    entry = sealed.entry
    if isinstance(entry, QueryEntry):
        return Text(entry.principal), Text(" ".join(entry.text.split())), Text(entry.outcome)
    if isinstance(entry, ConnectEntry):
        failed = "failed, noise" if entry.noise else "failed"
        what = f"connect by {entry.how} from {entry.client or 'nowhere'}"
        return Text(entry.principal), Text(what), Text("connected" if entry.succeeded else failed)
    return Text(entry.by), Text(_change(entry)), Text("done")


def _change(entry: AccessEntry) -> str:
    parts = [entry.what.replace("_", " "), entry.principal, entry.role or entry.mart, entry.text]
    return " ".join(filter(None, parts))


audit = Group(
    "audit",
    commands={"verify": verify, "show": show, "replay": replay, "begin-anew": begin_anew},
    params=shared_options(),
    help="Show who asked what, and prove that nobody has changed the record.",
)
