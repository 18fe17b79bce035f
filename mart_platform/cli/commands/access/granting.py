"""``mart access grant`` and ``revoke``: roles that a principal has beside those that the folder gives it."""

from datetime import date, timedelta

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.commands.access.spans import End, Span, end_of_span
from mart_platform.cli.options import command
from mart_platform.cli.session import Session


@command(json=True)
@click.argument("principal")
@click.argument("role")
@click.option("--until", type=End(), metavar="DAY", help="Its last day, or the moment at which it ends.")
@click.option("--for", "lasting", type=Span(), metavar="SPAN", help="How long it lasts, as 8h or 30d.")
@click.option("--reason", default="", help="Why, for those who review it.")
def grant(
    session: Session, principal: str, role: str, until: date | None, lasting: timedelta | None, reason: str
) -> None:
    """Give a principal a role, such as sales.manager.

    It holds at once, and until it is revoked, or ends by itself.
    """
    from mart_platform.runs.access.granting import grant_role, lacking

    platform, plan = session.platform(), session.plan
    end = end_of_span(plan, platform.clock.wall(), until, lasting)
    granted = grant_role(platform, plan, principal, role, until=end, reason=reason, by=terminal.whoami())
    if session.as_json:
        terminal.print_json(granted)
    elif not session.quiet:
        ends = f" until {terminal.moment(granted.until)} UTC" if granted.until else ""
        terminal.results().print(Text(f"{principal} has {role}{ends}."))
        for attribute in lacking(platform, plan, principal, role):
            said = f"Its rows are chosen by principal.{attribute}, which {principal} has not: it sees none."
            terminal.results().print(Text(said, "yellow"))


@command(json=True)
@click.argument("principal")
@click.argument("role")
@click.option("--reason", default="", help="Why, for those who review it.")
def revoke(session: Session, principal: str, role: str, reason: str) -> None:
    """Take a granted role away, from this moment on."""
    from mart_platform.runs.access.granting import revoke_role

    platform, plan = session.platform(), session.plan
    revoked = revoke_role(platform, plan, principal, role, reason=reason, by=terminal.whoami())
    declared = principal in plan.principals and role in plan.principals[principal].roles
    if session.as_json:
        terminal.print_json({"revoked": revoked, "still_declared": declared})
    elif declared:
        terminal.results().print(
            Text(f"The grant of {role} is revoked; {principal} still has it from principals.yaml.", "yellow")
        )
    elif not session.quiet:
        terminal.results().print(Text(f"{principal} no longer has {role}."))
