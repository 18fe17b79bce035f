"""What a change costs: one more day, none, a year of days; over what the full build of the same data costs.

Everything runs in this process through the use cases, so that no start-up is counted; what Dagster adds to a
day stands beside it. The parts that are compared take turns.

    python -m benchmarks.change                     # about half an hour on 2 cores
    python -m benchmarks.change --only day no-op    # some of it: day, no-op, backfill, months, publish
    python -m benchmarks.change --year              # every day for itself, with maintenance each week
"""

import argparse
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks.driving import Driven
from benchmarks.measuring import machine
from benchmarks.peers.deliveries import deliver
from benchmarks.replayed import ALL_IS_OVER, FIRST, LAST, Year
from benchmarks.twenty import MartOfTwenty
from mart_platform.assembly import BUILT_IN, Places
from mart_platform.runs.backfilling import backfill

HERE = Path(__file__).parent
DAYS_A_ROUND = 4
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """A line of the result; ``reached`` is None where there is no goal."""

    what: str
    found: str
    goal: str = ""
    reached: bool | None = None

    def __str__(self) -> str:
        reached = {None: "", True: "reached", False: "MISSED"}[self.reached]
        return f"{self.what:<52}{self.found:<32}{self.goal:<30}{reached}".rstrip()


# One more day on top of a year


def one_more_day(scratch: Path, rounds: int) -> Iterator[Figure]:
    """Compare one more day, by the use cases and by Dagster in turns, with the full build of the year.

    No line comes late, so that a day changes what a day changes: one week, or two on a Monday.
    """
    year = Year(scratch / "year", share=0)
    year.ends(LAST - timedelta(days=DAYS_A_ROUND * rounds + 4))
    say(f"the year until {year.today} is landed and built at once")
    year.driven.build()
    year.next_day()
    year.next_day(dagster=True)  # from here on nothing is imported any more
    full, plain, by_dagster, changed = list[float](), list[float](), list[float](), list[int]()
    for number in range(rounds):
        full.append(full_build(scratch / "full"))
        for _ in range(DAYS_A_ROUND // 2):
            spent, built = cpu_of(year.next_day)
            plain.append(spent)
            changed.append(len(built.changed))
            by_dagster.append(cpu_of(lambda: year.next_day(dagster=True))[0])
        say(f"round {number + 1}: full build {full[-1]:.1f} CPU s, one more day {plain[-1]:.2f}")
    nothing = median(cpu_of(year.driven.build)[0] for _ in range(5))
    year.driven.close()
    day, whole, tables = median(plain) - nothing, median(full), round(median(changed))
    allowed = 0.01 * whole + 0.030 * tables
    yield Figure("full build, CPU s", f"{whole:.1f}")
    yield Figure(
        f"one more day ({tables} tables change), CPU s",
        f"{day:.2f} ({min(plain):.2f} to {max(plain):.2f}), {day / whole:.1%}",
        f"<= {allowed:.2f}: 1 % and 30 ms each",
        day <= allowed,
    )
    yield Figure("  what Dagster adds to it, CPU s", f"{median(by_dagster) - median(plain):.2f}")
    yield Figure("nothing to do, in a warm process, CPU s", f"{nothing:.3f}")


def full_build(data: Path) -> float:
    """Land, build, check and publish the built-in warehouse from nothing; return the CPU seconds."""
    shutil.rmtree(data, ignore_errors=True)
    driven = Driven(Places(BUILT_IN, data))
    spent, _ = cpu_of(driven.build)
    driven.close()
    return spent


# Nothing to do


def nothing_to_do(scratch: Path, rounds: int) -> Iterator[Figure]:
    """Count the files that ``mart build`` opens below the data folder when nothing was delivered."""
    data = scratch / "full"
    if not (data / "lake").exists():
        full_build(data)
    build = [sys.executable, "-m", "mart_platform.cli", "--data", str(data), "--quiet", "build"]
    subprocess.run(build, check=True)
    opened = opened_below(data, build, scratch / "opened.txt")
    rows = sum(count for kind, count in opened.items() if kind == "rows")
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(opened.items())) or "none"
    yield Figure("no-op: files of rows opened", str(rows), "0", rows == 0)
    yield Figure("  all files opened in the data folder", told)


def opened_below(folder: Path, command: Sequence[str], trace: Path) -> Counter[str]:
    """Run a command and count the files below a folder that it opened, by their kind."""
    if shutil.which("strace") is None:
        raise SystemExit("strace is needed to see which files are opened")
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", str(trace), *command], check=True)
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    found = {match[1] for line in lines if (match := re.search(r'"([^"]+)".*= \d+', line))}
    below = [Path(path) for path in found if path.startswith(f"{folder}/") and Path(path).is_file()]
    return Counter(_kind(path.relative_to(folder)) for path in below)


def _kind(path: Path) -> str:
    if "_delta_log" in path.parts:
        return "Delta log"
    if path.suffix in (".parquet", ".duckdb"):
        return "rows"
    return "ledger" if path.name.startswith("ledger") else path.parts[0]


# A year of intervals


def year_by_backfill(scratch: Path, rounds: int) -> Iterator[Figure]:
    """Compare a backfill of 365 days, interval by interval, with the full build of the same tables."""
    landed = scratch / "landed"
    folder = _landed_year(scratch, landed)
    ratios, plain, pieced = list[float](), list[float](), list[float]()
    for number in range(rounds + 1):
        full, _ = cpu_of(lambda: _built_from(landed, folder, Driven.build))
        by_interval, _ = cpu_of(lambda: _built_from(landed, folder, _backfilled))
        if number:  # the first round warms up
            plain.append(full)
            pieced.append(by_interval)
            ratios.append(by_interval / full)
            say(f"round {number}: full {full:.1f} CPU s, interval by interval {by_interval:.1f}")
    ratio = median(ratios)
    yield Figure(
        "365 days interval by interval over a full build",
        f"{ratio:.2f}x ({median(pieced):.1f} over {median(plain):.1f} CPU s)",
        "<= 1.60x",
        ratio <= 1.6,
    )


def _landed_year(scratch: Path, landed: Path) -> Path:
    """Land the year as a file a day into a data folder, for the tables that are compared with other tools."""
    shutil.rmtree(landed, ignore_errors=True)
    folder = scratch / "daily"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "peers" / "ours", folder)
    deliver(folder / "delivered", 365)
    driven = Driven(Places(folder, landed))
    driven.build(*(table.name for table in driven.plan.landed()))
    driven.close()
    return folder


def _built_from(landed: Path, warehouse: Path, build: Callable[[Driven], object]) -> None:
    data = landed.with_name("rebuilt")
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(landed, data)
    driven = Driven(Places(warehouse, data))
    build(driven)
    driven.close()


def _backfilled(driven: Driven) -> None:
    for target in ("canonical.sales_line", "daily"):
        backfill(driven.platform, driven.plan, target, FIRST.isoformat(), LAST.isoformat())


# First and last month


def first_and_last_month(scratch: Path, *, every_day: bool) -> Iterator[Figure]:
    """Play the days of the first and the last month, and with ``every_day`` all between them; see the costs.

    Maintenance runs each week. Else the months between are landed and built in one go.
    """
    year = Year(scratch / "months")
    year.driven.build()
    spent: dict[date, float] = {}
    while year.today < LAST:
        if not every_day and year.today.month == 2:
            year.ends(date(2017, 11, 30))
            year.driven.build()
        cpu, _ = cpu_of(year.next_day)
        spent[year.today] = cpu
        if year.today.weekday() == 6:
            maintained, _ = cpu_of(year.driven.maintain)
            say(f"{year.today}: {cpu:.2f} CPU s a day; maintenance {maintained:.2f}")
    year.ends(ALL_IS_OVER)
    year.driven.build()
    year.driven.close()
    first, last = (median(cpu for day, cpu in spent.items() if day.month == month) for month in (1, 12))
    yield Figure(
        "a day of December over a day of January",
        f"{last / first:.2f}x ({last:.2f} over {first:.2f} CPU s)",
        "<= 1.20x",
        last <= 1.2 * first,
    )
    yield Figure("  days played one by one, CPU s together", f"{len(spent)}, {sum(spent.values()):.0f}")


# Publish and roll back


def publish_and_roll_back(scratch: Path, rounds: int) -> Iterator[Figure]:
    """Measure how long a mart of 20 tables takes to move, with little and with much in it."""
    for rows in (1_000, 1_000_000):
        mart = MartOfTwenty(scratch / f"twenty_{rows}", rows)
        moves = [mart.moved() for _ in range(rounds + 2)][1:]
        mart.driven.close()
        for what, times in zip(("publish", "roll back"), zip(*moves, strict=True), strict=True):
            found = median(times)
            told = f"{what} 20 tables of {rows:,} rows each, wall ms"
            yield Figure(told, f"{found:.0f}", "<= 50", found <= 50)


# What is measured, and told


def cpu_of(call: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU seconds, user and system, that a call takes in this process, and its answer."""
    before = _cpu()
    answer = call()
    return _cpu() - before, answer


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(line: object) -> None:
    print(line, flush=True)


def main() -> None:
    asked = _asked()
    scratch: Path = asked.scratch.absolute()
    scratch.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], Iterator[Figure]]] = {
        "day": lambda: one_more_day(scratch, asked.rounds),
        "no-op": lambda: nothing_to_do(scratch, asked.rounds),
        "backfill": lambda: year_by_backfill(scratch, asked.rounds),
        "months": lambda: first_and_last_month(scratch, every_day=asked.year),
        "publish": lambda: publish_and_roll_back(scratch, asked.rounds),
    }
    say(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}\n")
    wanted = ["months"] if asked.year else (asked.only or list(parts))
    figures = [figure for part in wanted for figure in parts[part]()]
    say("")
    for figure in (Figure("", "found", "goal"), *figures):
        say(figure)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.change",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = ["day", "no-op", "backfill", "months", "publish"]
    parser.add_argument("--only", nargs="+", choices=known, help="these parts (all)")
    parser.add_argument("--year", action="store_true", help="play every day of the year for itself")
    parser.add_argument("--rounds", type=int, default=3, help="how often what is compared takes turns (3)")
    scratch = HERE.parent / "data" / "benchmarks" / "change"
    parser.add_argument(
        "--scratch", type=Path, default=scratch, help="where to work (data/benchmarks/change)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
