"""``mart access secret``, ``token``, ``tokens``, ``revoke-token``: by what principals prove who they are."""

import sys
from datetime import timedelta

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.commands.access.spans import Span
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.spec.entries import Credential
from mart_platform.spec.problems import UserError


@command(json=True)
@click.argument("principal")
@click.option("--remove", is_flag=True, help="Take the secret away, and give no other.")
def secret(session: Session, principal: str, remove: bool) -> None:
    """Give a principal a secret, in the place of the one before.

    It is asked for, or read as a line of standard input; it never stands on the command line, where others
    see it. Only a salted hash of it is kept.
    """
    from mart_platform.runs.access.credentials import remove_secret, set_secret
    from mart_platform.runs.access.principals import principal_named

    platform = session.platform()
    if remove:
        credential = remove_secret(platform, principal, terminal.whoami())
    else:
        principal_named(platform, session.plan, principal)  # told before anybody types a secret
        credential = set_secret(platform, session.plan, principal, _asked_for(), terminal.whoami())
    if session.as_json:
        terminal.print_json(_shown(credential))
    elif not session.quiet:
        now = "no secret any more" if remove else "a new secret"
        terminal.results().print(Text(f"{principal} has {now}."))


@command(json=True)
@click.argument("principal")
@click.option("--scope", multiple=True, metavar="MART", help="Good for this mart only. May be repeated.")
@click.option(
    "--for",
    "lasting",
    type=Span(),
    default="90d",
    show_default=True,
    metavar="SPAN",
    help="How long it lasts.",
)
def token(session: Session, principal: str, scope: tuple[str, ...], lasting: timedelta) -> None:
    """Make a token for a principal, and print it, this once.

    Only a salted hash of it is kept; who loses it makes another one.
    """
    from mart_platform.runs.access.credentials import issue_token

    issued = issue_token(
        session.platform(), session.plan, principal, scope=scope, lasting=lasting, by=terminal.whoami()
    )
    if session.as_json:
        terminal.print_json({"token": issued.token, **_shown(issued.credential)})
        return
    click.echo(issued.token)
    if not session.quiet:
        ends = f"Good for {_scope(issued.credential)} until {terminal.moment(issued.credential.expires)} UTC"
        terminal.messages().print(Text(f"{ends}. It is not shown again."))


@command(json=True)
@click.argument("principal", required=False)
def tokens(session: Session, principal: str | None) -> None:
    """Show the tokens of a principal, or of all; never what they are."""
    from mart_platform.runs.access.credentials import tokens as known_tokens

    found = known_tokens(session.platform(), principal)
    if session.as_json:
        terminal.print_json({"tokens": [_shown(each) for each in found]})
        return
    if not found:
        terminal.results().print("There is no token.")
        return
    table = terminal.table_of("token", "principal", "for", "since (UTC)", "until (UTC)", "by", "")
    now = session.platform().clock.wall()
    for each in found:
        over = "revoked" if each.revoked_at else "expired" if each.expires and each.expires <= now else ""
        moments = (terminal.moment(each.at), terminal.moment(each.expires))
        table.add_row(each.id, each.principal, _scope(each), *moments, each.by, over)
    terminal.results().print(table)


@command(json=True)
@click.argument("token")
def revoke_token(session: Session, token: str) -> None:
    """End a token at once, by the name that `mart access tokens` shows."""
    from mart_platform.runs.access.credentials import revoke_token as revoke

    revoked = revoke(session.platform(), token, terminal.whoami())
    if session.as_json:
        terminal.print_json(_shown(revoked))
    elif not session.quiet:
        terminal.results().print(Text(f"{token} of {revoked.principal} opens nothing any more."))


def _asked_for() -> str:
    if sys.stdin.isatty():
        asked: str = click.prompt("Secret", hide_input=True, confirmation_prompt=True)
        return asked
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise UserError("No secret was given: type it when asked for, or give it on standard input.")
    return given


def _shown(credential: Credential) -> dict[str, object]:
    return credential.model_dump(mode="json", exclude={"hash"})


def _scope(credential: Credential) -> str:
    return ", ".join(credential.scope) or "all marts"
