"""``mart publish``: a mart's newest tables, or those of a shadow, shown to its readers."""

from uuid import uuid4

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import allow_wider_access, command
from mart_platform.cli.session import Session
from mart_platform.runs import starting
from mart_platform.runs.publishing import publish_mart, publish_shadow
from mart_platform.runs.reporting import MartReport
from mart_platform.runs.versions import known_mart
from mart_platform.spec.problems import UserError


@command(json=True)
@click.argument("mart")
@click.option("--release", is_flag=True, help="End the hold that a rollback put on the mart, then publish.")
@click.option("--version", "number", type=click.IntRange(min=1), metavar="N", help="Publish this shadow.")
@allow_wider_access
def publish(session: Session, mart: str, release: bool, number: int | None, allow_wider_access: bool) -> None:
    """Show a mart's newest tables to its readers.

    `mart build` does so by itself; this is for a mart that was held, one whose check was mended, or a shadow
    that was compared and is found to be good. Refused when a blocking check on exactly these tables failed or
    is missing, or where somebody would see more than before by the declared rights, unless that is allowed;
    the live version and its rights stay then.
    """
    known_mart(session.plan, mart)
    report = _published(session, mart, number, release=release, allow_wider=allow_wider_access)
    if session.as_json:
        terminal.print_json(report)
    else:
        _show(session, report)


def _published(
    session: Session, mart: str, shadow: int | None, *, release: bool, allow_wider: bool
) -> MartReport:
    """Publish a shadow, or what is newest in a run of its own.

    Raises PublicationRefused, and UserError when the mart is held.
    """
    platform, plan, run = session.platform(), session.plan, str(uuid4())
    if not release and (hold := platform.ledger.hold_of(mart)):
        raise UserError(
            f"{mart} is held since {terminal.moment(hold.since)} by {hold.by}: {hold.reason}. "
            f"`{session.spelled(f'publish {mart} --release')}` ends the hold."
        )
    if shadow is not None:
        return publish_shadow(
            platform, plan, mart, shadow, by=terminal.whoami(), release=release, allow_wider=allow_wider
        )
    starting.begin(platform, plan, run, "mart publish", [mart])
    succeeded = False
    try:
        report = publish_mart(
            platform, plan, run, mart, by=terminal.whoami(), release=release, allow_wider=allow_wider
        )
        succeeded = True
    finally:
        starting.end(platform, run, succeeded=succeeded)
    return report


def _show(session: Session, report: MartReport) -> None:
    live, console = report.live, terminal.results()
    if report.published:
        told = (
            f"{report.mart} is published as {live.number}, complete up to {terminal.moment(live.watermark)}."
        )
    else:
        told = f"{report.mart} stays at publication {live.number}: {report.reason}."
    if not session.quiet:
        console.print(Text(told))
