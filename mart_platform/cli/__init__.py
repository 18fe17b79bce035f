"""The command line ``mart``: one module a command, imported when that command is called."""

import sys


def main() -> None:
    """Run the command that the arguments of this process name, and exit with its code."""
    from mart_platform.cli.program import run

    sys.exit(run(sys.argv[1:]))
