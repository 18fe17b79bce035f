"""The program ``mart``: its commands by name, and what is said about each before it is imported."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from mart_platform.cli.options import shared_options
from mart_platform.cli.session import Session

COMMANDS = {
    "build": "Bring marts and tables up to date: land, build, check, publish.",
    "backfill": "Build a range of intervals in pieces, and publish once.",
    "check": "Run the checks again on what is there.",
    "publish": "Show a mart's newest tables to its readers.",
    "rollback": "Take a mart back to an earlier publication, and hold it there.",
    "versions": "Show the publications of a mart, and what is kept of them.",
    "diff": "Show what differs between two publications of a mart.",
    "status": "Show each mart as its readers see it.",
    "explain": "Tell everything about one table: why, from what, how good.",
    "quarantine": "Show the delivered rows that broke their contract.",
    "query": "Answer SQL over what is live, or was once.",
    "export": "Write a mart into one file that can be copied anywhere.",
    "maintain": "Keep the lake small and quick: retire old rows, join small files, remove what nobody needs.",
    "restore": "Bring archived rows of a table back, and publish its mart.",
    "legal-hold": "Keep rows that nothing may remove until somebody releases them.",
    "init": "Write a first warehouse folder that builds as it stands.",
    "new": "Write a new mart that builds as it stands.",
    "validate": "Report all that is wrong with the declarations.",
    "schema": "Print the JSON Schemas of the declarations, for editors.",
    "readme": "Write each mart's README.md from its declarations.",
    "clock": "Show or set the business clock.",
    "watch": "Judge the promises about freshness, and tell whom it concerns.",
    "serve": "Answer queries on published marts over HTTP, with rights, budgets and receipts.",
    "access": "Say who may ask, prove it by secrets and tokens, and review who may see what.",
    "audit": "Show who asked what, and prove that nobody has changed the record.",
    "ui": "Open the Dagster UI on this machine.",
}
"""All commands in the order of ``mart --help``; each stands in the module of its name below ``commands``."""

EXIT_CODES = {
    0: "done",
    1: "failed: a build, a check or a publication did not succeed",
    2: "wrong use of the command line",
    3: "the declarations are wrong; `mart validate` tells where",
    70: "a bug of ours; the message names a log to send us",
    130: "interrupted",
}


class Commands(click.Group):
    """The group of all commands. ``--help`` imports none of them, a command only itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            raise click.NoSuchCommand(cmd_name, possibilities=COMMANDS, ctx=ctx)
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"mart_platform.cli.commands.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; whatever goes wrong is told, not raised."""
    session = Session(arguments)
    try:
        code = mart.main(list(arguments), prog_name="mart", standalone_mode=False, obj=session)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told, and kept in a log if it is a bug
        from mart_platform.cli.endings import ended_by

        return ended_by(error, session)
    return code if isinstance(code, int) else 0


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"mart {version('mart-platform')}")
    except PackageNotFoundError:
        click.echo("mart, run from its source folder")
    ctx.exit()


def _declared_program() -> click.Group:
    version = click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_version,
        help="Print the version.",
    )
    return Commands(
        "mart",
        help="Data marts as products: declared in a folder, built from changes, published only when checked.",
        params=[*shared_options(), version],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        no_args_is_help=True,
    )


mart: Any = _declared_program()
