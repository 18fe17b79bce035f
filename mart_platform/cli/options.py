"""The options that all commands share, and the kinds of commands that take them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Command(click.Command):
    """A command that takes the options of ``mart`` itself too, since people write them at the end."""

    def __init__(self, *args: Any, json: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [*([_json_option()] if json else []), *shared_options()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shared = {option.name for option in shared_options()} | {"help"}
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "Options of every command": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                title = "Options of every command" if parameter.name in shared else "Options"
                sections[title].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Group(click.Group):
    """A command of commands, told in the order of their declaration, each with its whole sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            told = [(name, each.get_short_help_str(limit=500)) for name, each in self.commands.items()]
            formatter.write_dl(told)


def command(*, json: bool = False) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command; it is given the session first. ``json`` adds the option ``--json``."""

    def declare(function: Callable[..., Any]) -> Command:
        return click.command(cls=Command, json=json)(click.pass_obj(function))

    return declare


def allow_wider_access(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option by which a publication may show somebody more than before."""
    return click.option(
        "--allow-wider-access",
        is_flag=True,
        help="Let the declared rights hold also where somebody would see more than before.",
    )(function)


def shared_options() -> list[click.Parameter]:
    """Return the options that ``mart`` and each of its commands take; they are kept in the session.

    None is bound to its variable of the environment here: after the command's name that would override what
    was said before it.
    """
    return [
        click.Option(
            ["--warehouse"],
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="DIR",
            expose_value=False,
            callback=_remember,
            help="Folder of the declarations (or MART_WAREHOUSE); else the built-in one.",
        ),
        click.Option(
            ["--data"],
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            expose_value=False,
            callback=_remember,
            help="Folder for all that is written (or MART_DATA); else ./data.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Print results and errors only.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_remember,
            help="Show the log; twice for all of it.",
        ),
    ]


def _json_option() -> click.Option:
    return click.Option(
        ["--json", "as_json"],
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Print one JSON document.",
    )


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep what an option says; one that is not given leaves what was said before."""
    if value and parameter.name:
        setattr(ctx.obj, parameter.name, value)
