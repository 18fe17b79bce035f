"""``mart check``: the checks run again on what is there."""

from collections.abc import Sequence
from uuid import uuid4

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.progress import watched
from mart_platform.cli.session import Session
from mart_platform.runs.rechecking import Rechecked, recheck, tables_to_check
from mart_platform.runs.reporting import told_of


@command(json=True)
@click.argument("targets", nargs=-1)
def check(session: Session, targets: tuple[str, ...]) -> int:
    """Run the checks again on what is there.

    TARGETS are marts, or tables as schema.table; without any, all tables. Nothing is built; the verdicts are
    recorded, so a publication refused for a check that passes by now can go through.
    """
    tables = tables_to_check(session.plan, targets)
    with watched(terminal.messages(), len(tables), quiet=session.quiet) as progress:
        platform = session.platform(progress)
        rechecked = recheck(platform, session.plan, str(uuid4()), tables)
    if session.as_json:
        terminal.print_json(rechecked)
    else:
        _show(rechecked, quiet=session.quiet)
    return 1 if any(table.problem for table in rechecked) else 0


def _show(rechecked: Sequence[Rechecked], *, quiet: bool) -> None:
    console = terminal.results()
    table = terminal.table_of("table", ("passed", "right"), ("warned", "right"), ("failed", "right"))
    for one in rechecked:
        passed = sum(verdict.passed for verdict in one.verdicts)
        failed = sum(verdict.blocks for verdict in one.verdicts)
        warned = len(one.verdicts) - passed - failed
        table.add_row(one.table, str(passed), _loud(warned, "yellow"), _loud(failed, "red"))
    if rechecked and not quiet:
        console.print(table)
    for one in rechecked:
        for verdict in one.verdicts:
            if not verdict.passed:
                colour = "red" if verdict.blocks else "yellow"
                console.print(Text(f"{one.table}: {verdict.check}: {told_of(verdict)}", style=colour))
        if one.problem and not one.verdicts:
            console.print(Text(one.problem, style="red"))
    if not rechecked:
        console.print("There is no check to run.")


def _loud(count: int, colour: str) -> Text:
    return Text(str(count), style=colour if count else "")
