"""``mart access add``, ``disable`` and ``enable``: principals that the warehouse folder does not declare."""

from datetime import date
from typing import TYPE_CHECKING

import click
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.moments import Day
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.spec.principals import Attribute, Principal
from mart_platform.spec.problems import UserError
from mart_platform.spec.words import PrincipalName

if TYPE_CHECKING:
    from mart_platform.spec.entries import KnownPrincipal


@command(json=True)
@click.argument("principal")
@click.option("--service", is_flag=True, help="It is a program, not a person.")
@click.option("--name", default="", help="The name by which people know it.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=VALUE",
    help="What row filters see as principal.NAME: true, false, a number, a day, or text. May be repeated.",
)
@click.option("--until", type=Day(), metavar="DAY", help="Its last day; else it has none.")
def add(
    session: Session,
    principal: str,
    service: bool,
    name: str,
    attributes: tuple[str, ...],
    until: date | None,
) -> None:
    """Make a principal, or change one that was made so.

    It may ask nothing before it is granted a role, and proves who it is by a secret or a token. One that was
    made so is as if it were made anew, and may ask again if it was disabled: give all that shall hold. Its
    grants, its secret and its tokens stay.
    """
    from mart_platform.runs.access.principals import add_principal

    made = Principal(
        kind="service" if service else "person",
        name=name,
        attributes=dict(_attribute(each) for each in attributes),
        until=until,
    )
    added = add_principal(session.platform(), session.plan, _checked(principal), made, terminal.whoami())
    _tell(session, added, f"{principal} may connect once it has a secret or a token.")


@command(json=True)
@click.argument("principal")
def disable(session: Session, principal: str) -> None:
    """Let a principal ask no more, from this moment on.

    Also one that principals.yaml declares. Its roles and credentials stay as they are, for `enable`.
    """
    from mart_platform.runs.access.principals import disable_principal

    disabled = disable_principal(session.platform(), session.plan, principal, terminal.whoami())
    _tell(session, disabled, f"{principal} is disabled.")


@command(json=True)
@click.argument("principal")
def enable(session: Session, principal: str) -> None:
    """Let a principal that was disabled ask again."""
    from mart_platform.runs.access.principals import enable_principal

    enabled = enable_principal(session.platform(), session.plan, principal, terminal.whoami())
    _tell(session, enabled, f"{principal} may ask again.")


def _tell(session: Session, principal: "KnownPrincipal", sentence: str) -> None:
    if session.as_json:
        terminal.print_json(principal)
    elif not session.quiet:
        terminal.results().print(Text(sentence))


def _checked(name: str) -> str:
    try:
        checked: str = TypeAdapter(PrincipalName).validate_python(name)
    except ValidationError as error:
        found = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UserError(f"PRINCIPAL: {found}.") from None
    return checked


def _attribute(text: str) -> tuple[str, Attribute]:
    """Return the name and the value in ``name=value``.

    >>> _attribute("region=South"), _attribute("store=31"), _attribute("trainee=true")
    (('region', 'South'), ('store', 31), ('trainee', True))
    """
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise click.UsageError(f"--attribute: '{text}' says no name and value; write it as region=South.")
    known = {"true": True, "false": False}
    if value in known:
        return name, known[value]
    for kind in (int, float, date.fromisoformat):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value
