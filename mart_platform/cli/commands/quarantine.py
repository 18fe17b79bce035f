"""``mart quarantine``: the delivered rows that broke their contract."""

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.inspecting import quarantined


@command(json=True)
@click.argument("table")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows to show.")
def quarantine(session: Session, table: str, limit: int) -> None:
    """Show the delivered rows that broke their contract.

    TABLE is a landed one, as source.table. Each row is shown with every reason, the newest deliveries first.
    """
    platform = session.platform()
    rows = quarantined(platform, session.plan, table, limit).to_dicts()
    if session.as_json:
        terminal.print_json(rows)
        return
    console = terminal.results()
    if not rows:
        console.print(f"{table} has no row in quarantine.")
        return
    for row in rows:
        console.print(Text.assemble((f"{row['position']}", "bold"), f", row {row['_row']}"))
        for reason in row["reasons"]:
            console.print(Text(f"  {reason}", style="red"))
        console.print(Text(f"  {row['record']}", style="dim"))
    total = sum(batch.quarantined for batch in platform.ledger.batches(table))
    if total > len(rows) and not session.quiet:
        console.print(f"{len(rows)} of {terminal.counted(total, 'row')}; --limit shows more.")
