"""One call of ``mart``: what its options say, and what follows from them, each when it is first needed."""

import os
import shutil
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when a command first asks for its plan
    from mart_platform.assembly import Assembled, Places
    from mart_platform.planning.plan import Plan
    from mart_platform.ports import Progress


class Session:
    """The arguments and options given, and from these the places, the plan, the platform."""

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self.arguments = tuple(arguments)
        self.warehouse: Path | None = None
        self.data: Path | None = None
        self.quiet = False
        self.verbose = 0
        self.as_json = False

    @cached_property
    def places(self) -> "Places":
        """Where to read and write: the options, else the environment, else the defaults."""
        from mart_platform.assembly import Places

        given = {"MART_WAREHOUSE": self.warehouse, "MART_DATA": self.data}
        return Places.told_by({**os.environ, **{name: str(path) for name, path in given.items() if path}})

    @cached_property
    def plan(self) -> "Plan":
        """The plan of the warehouse folder. Raises InvalidDeclarations."""
        from mart_platform.assembly import plan_of
        from mart_platform.cli.logs import open_log

        open_log(self.places.data, self.verbose, self.arguments)
        return plan_of(self.places)

    def platform(self, progress: "Progress | None" = None, memory: str | None = None) -> "Assembled":
        """Return all ports with their adapters, of which each is made when it is first asked for.

        ``memory`` is what the engine may take, where it is not what the settings say.
        """
        from mart_platform.assembly import Assembled

        settings = self.plan.settings
        if memory is not None:
            engine = {**settings.engine.model_dump(), "memory": memory}
            settings = type(settings).model_validate({**settings.model_dump(), "engine": engine})
        return Assembled(self.places, settings, progress)

    def spelled(self, command: str) -> str:
        """Return ``mart <command>`` as it works when it is typed here, with the places of this call."""
        options = {"--warehouse": self.warehouse, "--data": self.data}
        given = [f"{option} {path}" for option, path in options.items() if path]
        return " ".join([_this_program(), *given, command])


def _this_program() -> str:
    """Return how this program is called: by its name where that finds it, else by its path."""
    called, found = Path(sys.argv[0]).absolute(), shutil.which("mart")
    if called.name != "mart" or (found and Path(found).absolute() == called):
        return "mart"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)
