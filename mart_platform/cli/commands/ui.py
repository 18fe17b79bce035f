"""``mart ui``: Dagster's own UI on this machine, over the same folders."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from mart_platform.assembly import Places
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.spec.layout import DataFolder

_PACKAGE = Path(__file__).parents[2]
_WORKSPACES = (_PACKAGE.parent / "workspace.yaml", _PACKAGE / "workspace.yaml")
"""That of a checkout, and the copy of it that a wheel carries."""
_LOOPBACK = "127.0.0.1"


@command()
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port on 127.0.0.1; else 3000, or a free one near it."
)
def ui(session: Session, port: int | None) -> None:
    """Open the Dagster UI on this machine.

    It listens on 127.0.0.1 only, since whoever reaches it may start runs. It shows the runs of `mart build`
    too, and carries schedules and the freshness sensor as long as it runs. Ctrl-C ends it.
    """
    session.plan  # noqa: B018 - wrong declarations are told here, not in Dagster's log
    home = _home(session.places)
    if not session.quiet:
        click.echo(f"Dagster's home is {home}; it starts in some seconds. Ctrl-C ends it.", err=True)
    sys.stderr.flush()
    # A script starts its background jobs deaf to interrupts, and Dagster would then be deaf to SIGTERM too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    environment = environment_of(session.places, home, os.environ)
    os.execve(sys.executable, dagster_dev(port), environment)  # noqa: S606 - our own interpreter, no shell


def dagster_dev(port: int | None) -> list[str]:
    """Return the command that starts Dagster over our definitions, reachable from this machine only."""
    workspace = next(file for file in _WORKSPACES if file.exists())
    where = ["--host", _LOOPBACK, *(["--port", str(port)] if port else [])]
    # The command that should replace `dagster dev` wants a project of its own making around the definitions.
    quiet = ["-W", "ignore:Function `dev_command` is superseded"]
    return [sys.executable, *quiet, "-m", "dagster", "dev", "-w", str(workspace), *where]


def environment_of(places: Places, home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which Dagster finds these places and its home."""
    return {**environment, **places.as_environment(), "DAGSTER_HOME": str(home)}


def _home(places: Places) -> Path:
    """Return Dagster's home, made before two of its processes could make it at the same time."""
    from mart_platform.orchestration.home import home_of, make_home

    home = home_of(DataFolder(places.data), os.environ)
    make_home(home)
    return home
