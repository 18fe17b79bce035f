"""The same year, day by day, through dbt-duckdb, SQLMesh and the platform.

Each tool gets the file of a day, lands it, and brings a table of exact lines, a fact and three daily
aggregates up to date. They take turns. What is marginal is measured in one process that plays day after day:
the CPU of a day less that of a call that finds nothing to do. Beside it stands a day by the command line,
start-up included.

    python -m benchmarks.peers --days 30
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.measuring import machine
from benchmarks.peers.deliveries import deliver
from benchmarks.peers.environments import default_place, environment_of, lock
from benchmarks.peers.playing import Calls
from benchmarks.peers.tools import Dbt, Folders, Platform, SqlMesh, Tool

COLD = 3
"""How many days, after those in one process, are played by the command line."""


@dataclass(frozen=True)
class Round:
    """What one tool cost in one round, in CPU seconds."""

    start_up: float
    no_op: float
    days: tuple[float, ...]
    cold_day: float
    cold_no_op: float

    @property
    def day(self) -> float:
        return median(self.days)

    @property
    def marginal(self) -> float:
        return self.day - self.no_op


def main() -> None:
    asked = _asked()
    if asked.lock:
        lock()
        return
    say(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    scratch: Path = asked.scratch.absolute()
    days = list(deliver(scratch / "delivered", asked.days + COLD))
    tools = _tools(scratch, asked.environments)
    rounds: dict[str, list[Round]] = {tool.name: [] for tool in tools}
    for number in range(asked.rounds):
        for tool in tools:
            found = played(tool, days)
            rounds[tool.name].append(found)
            say(f"round {number + 1} {tool.name:<12}{found.marginal:.3f} CPU s a day, {len(found.days)} days")
        compare(tools)
    say("")
    for line in lines(rounds):
        say(line)


def played(tool: Tool, days: Sequence[str]) -> Round:
    """Play all days through a tool, the last ones by its command line."""
    cost, calls = tool.play(list(days[:-COLD]))
    cold = [tool.day(day).cpu for day in days[-COLD:]]
    nothing = [tool.nothing().cpu for _ in range(COLD)]
    return Round(cost.cpu - calls.all, _no_op(calls), calls.play, median(cold), median(nothing))


def _no_op(calls: Calls) -> float:
    return median(calls.nothing)


def compare(tools: Sequence[Tool]) -> None:
    """See that all tools made the same rows. Raises SystemExit for tables that differ."""
    first, *others = tools
    expected = first.digests()
    for other in others:
        if (found := other.digests()) != expected:
            wrong = [table for table in expected if found[table] != expected[table]]
            raise SystemExit(f"{first.name} and {other.name} made different rows of {', '.join(wrong)}")


def lines(rounds: dict[str, list[Round]]) -> list[str]:
    """Return the result as a table; ratios are medians of the ratios of the rounds."""
    figures: list[tuple[str, Callable[[Round], float]]] = [
        ("CPU s: one more day, marginal", lambda found: found.marginal),
        ("CPU s: one more day, in a warm process", lambda found: found.day),
        ("CPU s: nothing to do, in a warm process", lambda found: found.no_op),
        ("CPU s: start-up of the process", lambda found: found.start_up),
        ("CPU s: one more day by the command line", lambda found: found.cold_day),
        ("CPU s: nothing to do by the command line", lambda found: found.cold_no_op),
        ("last tenth of the days over the first", lambda found: _growth(found.days)),
    ]
    told = [f"{'':<44}" + "".join(f"{name:>12}" for name in rounds) + f"{'over the better':>18}"]
    for what, of in figures:
        values = "".join(f"{median(map(of, found)):>12.3f}" for found in rounds.values())
        told.append(f"{what:<44}{values}{_ratio(rounds, of):>17.2f}x")
    return told


def _ratio(rounds: dict[str, list[Round]], of: Callable[[Round], float]) -> float:
    """Return the platform's figure over the better one of the others, in the middle of the rounds."""
    ours, *others = (list(map(of, found)) for found in (rounds[Platform.name], *_without(rounds)))
    return float(median(one / min(other) for one, *other in zip(ours, *others, strict=True)))


def _without(rounds: dict[str, list[Round]]) -> list[list[Round]]:
    return [found for name, found in rounds.items() if name != Platform.name]


def _growth(days: Sequence[float]) -> float:
    tenth = max(1, len(days) // 10)
    return median(days[-tenth:]) / median(days[:tenth])


def _tools(scratch: Path, environments: Path) -> list[Tool]:
    def folders(name: str) -> Folders:
        return Folders(scratch / name, scratch / "delivered")

    return [
        Platform(folders("platform")),
        Dbt(environment_of("dbt", environments), folders("dbt")),
        SqlMesh(environment_of("sqlmesh", environments), folders("sqlmesh")),
    ]


def say(line: object) -> None:
    print(line, flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--days", type=int, default=30, help="days in one process; 361 is the year (30)")
    parser.add_argument("--rounds", type=int, default=3, help="how often all of them play the days (3)")
    parser.add_argument("--lock", action="store_true", help="write the pins of the tools anew, and end")
    parser.add_argument(
        "--environments", type=Path, default=default_place(), help=f"of the tools ({default_place()})"
    )
    scratch = Path(__file__).parents[2] / "data" / "benchmarks" / "peers"
    parser.add_argument("--scratch", type=Path, default=scratch, help="where to work (data/benchmarks/peers)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
