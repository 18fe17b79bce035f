"""``mart serve``: the governed door over HTTP."""

from pathlib import Path

import click

from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import ServingSettings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command()
@click.option("--host", help="Address to listen on; else that of the settings, or 127.0.0.1.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port; 0 for a free one. Else that of the settings, or 8800.",
)
@click.option("--certificate", type=_FILE, help="Certificate chain for TLS, in PEM.")
@click.option("--key", type=_FILE, help="Its private key, in PEM.")
@click.option(
    "--behind-proxy",
    metavar="ADDRESS",
    help="A proxy at this address speaks TLS for it; nothing is answered that did not come over TLS.",
)
def serve(
    session: Session,
    host: str | None,
    port: int | None,
    certificate: Path | None,
    key: Path | None,
    behind_proxy: str | None,
) -> None:
    """Answer queries on published marts over HTTP, with rights, budgets and receipts.

    A new publication is seen within a second, changed declarations soon after; SIGHUP looks at once. Ctrl-C
    or SIGTERM ends it when the running queries have ended.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("Give --certificate and --key together.")
    from mart_platform.assembly import plan_of
    from mart_platform.runs.door.door import Door
    from mart_platform.serving.declared import Declared
    from mart_platform.serving.running import Listening, Server

    settings = session.plan.settings.serving
    if settings.tls and certificate is None:
        certificate, key = (
            session.places.warehouse / name for name in (settings.tls.certificate, settings.tls.key)
        )
    listening = Listening(
        host or settings.host, settings.port if port is None else port, certificate, key, behind_proxy
    )
    listening.refuse_plain_text()
    _refuse_plain_data(settings, session.places.data)
    _tell_lack_of_key(session, settings)
    declared = Declared(session.places.warehouse, lambda: plan_of(session.places))
    door = Door(session.platform(), declared)
    Server(door, declared, listening, lambda url: _announce(session, url)).run()


def _refuse_plain_data(settings: ServingSettings, data: Path) -> None:
    from mart_platform.serving.encrypted import is_encrypted

    if settings.encrypted_data and not is_encrypted(data):
        raise UserError(
            f"'serving: encrypted_data' is set, but the data folder {data} lies on no encrypted device or "
            "file system that the kernel knows of. Move it to one, such as LUKS, or take the setting back."
        )


def _tell_lack_of_key(session: Session, settings: ServingSettings) -> None:
    """Tell before the first query does it that a mask needs a key, and there is none."""
    roles = (role for rights in session.plan.rights.values() for role in rights.roles.values())
    tables = (table for role in roles for table in role.tables.values())
    if any("hmac" in table.columns.values() for table in tables):
        try:
            session.platform().secrets.secret(settings.mask_key)
        except UserError as error:
            click.echo(
                f"Masks of kind hmac need a key, and queries that meet one are refused: {error}", err=True
            )


def _announce(session: Session, url: str) -> None:
    if not session.quiet:
        click.echo(f"Marts are served at {url}; Ctrl-C ends it.", err=True)
