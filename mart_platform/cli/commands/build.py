"""``mart build``: decides what is to do before anything heavy is imported, and does it."""

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import allow_wider_access, command
from mart_platform.cli.session import Session
from mart_platform.runs.deciding import Todo, chosen, what_to_do

if TYPE_CHECKING:  # what imports Dagster is imported when there is something to do
    from mart_platform.orchestration.running import BuildOutcome
    from mart_platform.ports import Platform
    from mart_platform.runs.foreseeing import Foreseen


@command(json=True)
@click.argument("targets", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Tell what would be done and why, and do nothing.")
@click.option(
    "--shadow",
    is_flag=True,
    help="Land nothing, and publish beside the live version: to compare with it by `mart diff`.",
)
@allow_wider_access
def build(
    session: Session, targets: tuple[str, ...], dry_run: bool, shadow: bool, allow_wider_access: bool
) -> int:
    """Bring marts and tables up to date: land, build, check, publish.

    TARGETS are marts, or tables as schema.table; without any, all marts. What they are made from is brought
    up to date first, and only what changed is built again. Where a check fails, the table and all that is
    made from it stay as they are; so does a mart of which somebody would see more than before by the declared
    rights, unless that is allowed.
    """
    platform = session.platform()
    todo = what_to_do(platform, session.plan, targets)
    if shadow:
        todo = todo.without(name for name, table in session.plan.tables.items() if table.layer == "landing")
    if dry_run:
        _tell_plan(session, platform, targets, todo)
        return 0
    if not todo:
        _tell_nothing_to_do(session, platform, targets, todo)
        return 0
    began = time.monotonic()
    outcome = _run(session, todo, shadow=shadow, allow_wider=allow_wider_access)
    _tell_outcome(session, targets, todo, outcome, time.monotonic() - began)
    if shadow and outcome.succeeded and not (session.quiet or session.as_json):
        for mart in todo.marts:
            compare = session.spelled(f"diff {mart} shadow")
            terminal.results().print(f"`{compare}` compares what is live with the shadow.", soft_wrap=True)
    return 0 if outcome.succeeded else 1


def _run(session: Session, todo: Todo, *, shadow: bool, allow_wider: bool) -> "BuildOutcome":
    console = terminal.messages()
    with console.status("Starting …") if console.is_terminal and not session.quiet else nullcontext():
        from mart_platform.cli.progress import watched
        from mart_platform.orchestration.running import build as run
    steps = len(todo.tables) + len(todo.marts)
    with watched(console, steps, quiet=session.quiet) as progress:
        platform = session.platform(progress)
        return run(
            platform,
            session.plan,
            session.places,
            tuple(todo.tables),
            tuple(todo.marts),
            cause="mart build --shadow" if shadow else "mart build",
            shadow=shadow,
            allow_wider=allow_wider,
        )


def _tell_plan(session: Session, platform: "Platform", targets: tuple[str, ...], todo: Todo) -> None:
    from mart_platform.runs.foreseeing import foresee
    from mart_platform.runs.rights import change_of

    foreseen = foresee(platform, session.plan, targets, todo) if todo else []
    wider = {mart: change_of(platform, session.plan, mart).wider for mart in todo.marts}
    if session.as_json:
        terminal.print_json(
            {"tables": todo.tables, "marts": todo.marts, "foreseen": foreseen, "wider_access": wider}
        )
        return
    if not todo:
        terminal.results().print("Nothing to do.")
        return
    table = terminal.table_of("table", "would be built, because", ("reads", "right"), ("takes", "right"))
    table.columns[0].no_wrap = True
    for found in foreseen:
        if found.action != "skip":
            size, seconds = terminal.size(found.bytes), found.seconds
            takes = "unknown" if seconds is None else terminal.took(seconds)
            why = Text.assemble(_extent(found), "\n", (found.reason, "dim"))
            table.add_row(found.table, why, f"{found.rows:,} rows\n{size}", takes)
    for mart, reason in todo.marts.items():
        table.add_row(f"publication of {mart}", Text(reason, "dim"), "", "")
    terminal.results().print(table)
    for mart, sentences in wider.items():
        for sentence in sentences:
            terminal.results().print(Text(f"{mart}: {sentence}.", "yellow"))
    if any(wider.values()):
        terminal.results().print(Text("Publishing that would be refused without --allow-wider-access."))


def _extent(found: "Foreseen") -> str:
    """Return how much of a table would be built, in words."""
    if found.action == "intervals":
        shown = ", ".join(found.intervals[:3])
        more = f" and {len(found.intervals) - 3} more" if len(found.intervals) > 3 else ""
        return f"{shown}{more}"
    return {"full": "all of it", "open": "at most all of it"}.get(found.action, found.action)


def _tell_nothing_to_do(session: Session, platform: "Platform", targets: tuple[str, ...], todo: Todo) -> None:
    if session.as_json:
        nothing: dict[str, list[str]] = {"tables": [], "marts": [], "failures": []}
        terminal.print_json({"run": "", "succeeded": True, **nothing})
    elif not session.quiet:
        from mart_platform.cli.outcome import show_marts

        console = terminal.results()
        marts, _ = chosen(session.plan, targets)
        held = [mart for mart in marts if platform.ledger.hold_of(mart)]
        but = f" and built; held back: {', '.join(held)}." if held else ", built and live."
        console.print(f"Nothing to do: all that was delivered is landed{but}")
        show_marts(console, session, platform, targets, todo)


def _tell_outcome(
    session: Session, targets: tuple[str, ...], todo: Todo, outcome: "BuildOutcome", seconds: float
) -> None:
    from mart_platform.cli.outcome import show_failures, show_outcome

    if session.as_json:
        terminal.print_json(outcome)
    elif not session.quiet:
        show_outcome(session, targets, outcome, seconds)
    show_failures(session, outcome, todo.marts)
