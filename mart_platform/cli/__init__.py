"""The command line ``mart``: one module a command, imported when that command is called."""

import gc
import sys

_GARBAGE = 10_000
"""Objects between two looks for garbage. Imports make many objects and no garbage: with Python's own 700,
looking took 0.4 of the CPU seconds of a build."""


def main() -> None:
    """Run the command that the arguments of this process name, and exit with its code."""
    gc.set_threshold(_GARBAGE)
    from mart_platform.cli.program import run

    sys.exit(run(sys.argv[1:]))
