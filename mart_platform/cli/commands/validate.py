"""``mart validate``: all that is wrong with the declarations, before anything runs."""

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session


@command(json=True)
def validate(session: Session) -> None:
    """Report all that is wrong with the declarations.

    Each problem stands on one line with its place, what was found and what to do; nothing is run. The exit
    code is 3 when there is any.
    """
    plan = session.plan
    found = {
        "sources": len(plan.sources),
        "tables": len(plan.tables),
        "marts": len(plan.marts),
        "checks": sum(len(table.checks) for table in plan.tables.values())
        + sum(len(list(t.all_checks())) for source in plan.sources.values() for t in source.tables.values()),
    }
    if session.as_json:
        terminal.print_json({"valid": True, "problems": [], **found})
    elif not session.quiet:
        told = ", ".join(terminal.counted(count, things[:-1], things) for things, count in found.items())
        terminal.results().print(f"All is well in {plan.root}: {told}.")
