"""``mart watch``: the promises about freshness, judged once, now."""

from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.watching import spoken
from mart_platform.runs.watching import watch as judge
from mart_platform.spec.records import FreshnessState

_COLOURS = {"kept": "green", "broken": "red", "unknown": "dim"}


@command(json=True)
def watch(session: Session) -> None:
    """Judge the promises about freshness, and tell whom it concerns.

    On the business clock. What changed since the last time is recorded, and told to those on call; the
    Dagster sensor does the same every 30 seconds.
    """
    states = judge(session.platform(), session.plan)
    if session.as_json:
        terminal.print_json(states)
        return
    table = terminal.table_of(
        "mart", "promise", "state", "since (UTC)", ("age", "right"), ("promised", "right"), "late first"
    )
    for state in states:
        table.add_row(*_row(state))
    terminal.results().print(table if states else "No mart promises anything about its freshness.")


def _row(state: FreshnessState) -> tuple[str | Text, ...]:
    return (
        state.mart,
        state.objective,
        Text(state.state, style=_COLOURS[state.state]),
        terminal.moment(state.since),
        spoken(state.staleness) if state.staleness is not None else "-",
        spoken(state.promised),
        state.late_first or "",
    )
