"""``mart new``: a complete folder for a mart, made from one canonical table."""

import sys
from pathlib import Path

import click
from rich.text import Text

from mart_platform.assembly import BUILT_IN, plan_of
from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.planning.plan import PlannedMart
from mart_platform.spec.problems import UserError
from mart_platform.stages.documenting import write_readmes
from mart_platform.stages.scaffolding import new_mart


@command()
@click.argument("name")
@click.option("--from", "from_table", metavar="TABLE", help="The canonical table that it is made from.")
@click.option("--owner-team", metavar="TEAM", help="Who decides about it; else the platform team.")
@click.option("--contact", metavar="ADDRESS", help="E-mail address or https link of the owner.")
@click.option("--on-call", metavar="WHO", help="Who is called when a promise breaks; else the owner.")
def new(
    session: Session,
    name: str,
    from_table: str | None,
    owner_team: str | None,
    contact: str | None,
    on_call: str | None,
) -> None:
    """Write a new mart that builds as it stands.

    NAME in snake_case. What is not given is asked for on a terminal, and has a sensible value elsewhere.
    """
    _refuse_installed(session.places.warehouse)
    plan = session.plan
    canonical = [table.name for table in plan.tables.values() if table.layer == "canonical"]
    if from_table is None and not canonical:
        raise UserError(
            "There is no canonical table yet; declare one in canonical/, then make a mart from it."
        )
    from_table = from_table or _asked("Made from which canonical table", canonical[0])
    owner = owner_team or _asked("Owned by which team", plan.settings.platform_team)
    contact = contact or _asked("Contact of the owner", f"{owner}@example.com")
    on_call = on_call or _asked("Who is on call", f"{owner}-on-call")
    files = new_mart(plan, session.places.warehouse, name, from_table, owner, contact, on_call)
    planned = plan_of(session.places)
    files += write_readmes(planned, session.places.warehouse)
    if not session.quiet:
        _tell(session, planned.marts[name], files)


def _asked(question: str, otherwise: str) -> str:
    """Ask whoever sits at a terminal; nobody else is kept waiting."""
    if not sys.stdin.isatty():
        return otherwise
    answer: str = click.prompt(question, default=otherwise, err=True)
    return answer


def _refuse_installed(warehouse: Path) -> None:
    """Refuse to write among installed packages, where the next upgrade would remove it."""
    if warehouse == BUILT_IN and {"site-packages", "dist-packages"}.intersection(warehouse.parts):
        raise UserError(
            "The built-in warehouse belongs to the installed package, where an upgrade would undo what is "
            "written. Name a folder of your own with --warehouse DIR; `mart init DIR` writes one."
        )


def _tell(session: Session, mart: PlannedMart, files: list[Path]) -> None:
    console = terminal.results()
    for file in files:
        console.print(Text(f"  {file}", style="dim"), soft_wrap=True)
    console.print(Text(f"Mart {mart.spec.mart} is written and valid. What next:"))
    for step, gives in {
        f"build {mart.spec.mart}": "build, check and publish it",
        f'query "SELECT * FROM {mart.tables[0]} LIMIT 5"': "see its rows",
        "readme": "after each change of the folder",
    }.items():
        console.print(
            Text.assemble("  ", (session.spelled(step), "bold"), (f"   {gives}", "dim")), soft_wrap=True
        )
