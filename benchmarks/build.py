"""What a build by the platform costs over a bare DuckDB script that writes the same tables.

TPC-H as a warehouse folder (benchmarks/tpch): eight landed tables become a star fact and two aggregates, with
checks. The platform's whole process is measured, ``mart build`` with Dagster, and bare.py's whole process.
They take turns, so that what the machine does besides falls on both. Landing is counted apart.

    python benchmarks/build.py
    python benchmarks/build.py --sf10
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.measuring import MB, Cost, cost_of, machine, middle
from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.planning.plan import Plan
from mart_platform.runs.deciding import what_to_do
from mart_platform.runs.publishing import versions_of

HERE = Path(__file__).parent
MART = "trade"
UNITS = {"MB": MB, "GB": 1000 * MB}


@dataclass(frozen=True)
class Bench:
    """One scale factor: its warehouse folder with the delivered files, and what was made of it."""

    scale: float
    folder: Path
    memory: str
    cap: int

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    @property
    def landed(self) -> Path:
        """A data folder in which everything is landed, and nothing built."""
        return self.folder / "landed"

    @property
    def data(self) -> Path:
        """The data folder of the round. It stays at one place, whatever remembers its path."""
        return self.folder / "data"

    @property
    def bare(self) -> Path:
        return self.folder / "bare"

    @property
    def places(self) -> Places:
        return Places(self.warehouse, self.data)

    def mart(self, *words: str) -> list[str]:
        """Return the command line of ``mart`` for this folder."""
        places = ["--warehouse", str(self.warehouse), "--data", str(self.data)]
        return [sys.executable, "-m", "mart_platform.cli", *places, *words]


# The way of a scale factor: delivered, landed, built by both in turns


def deliver(bench: Bench) -> None:
    """Copy the declarations, and generate the files beside them unless they are there already."""
    shutil.copytree(HERE / "tpch" / "warehouse", bench.warehouse, dirs_exist_ok=True)
    settings = f"currency: USD\nengine: {{memory: {bench.memory}}}\n"
    (bench.warehouse / "settings.yaml").write_text(settings, encoding="utf-8")
    delivered = bench.warehouse / "delivered"
    if delivered.exists():
        return
    half_done = bench.folder / "delivering"
    say(f"SF {bench.scale:g}: generating")
    wanted = ["--scale-factor", f"{bench.scale:g}", "--output-dir", str(half_done), "--overwrite"]
    cost_of([_generator(), "parquet", *wanted, "--quiet"], log=bench.folder / "generate.log")
    half_done.rename(delivered)


def land(bench: Bench) -> Cost:
    """Land all tables into an empty data folder, and keep it as the start of each round."""
    for folder in (bench.data, bench.landed):
        shutil.rmtree(folder, ignore_errors=True)
    tables = [table.name for table in plan_of(bench.places).landed()]
    cost = cost_of(bench.mart("build", *tables), log=bench.folder / "land.log")
    bench.data.rename(bench.landed)
    return cost


def rounds(bench: Bench, count: int) -> Iterator[tuple[Cost, Cost]]:
    """Yield what the platform and the bare script cost, in turns; a first round warms up and is left out."""
    for number in range(count + 1):
        pair = platform_round(bench), bare_round(bench)
        named = f"round {number}" if number else "warm-up"
        say(f"SF {bench.scale:g} {named:>8}: platform {pair[0]} | bare {pair[1]}")
        if number:
            yield pair
        else:
            compare(bench)


def platform_round(bench: Bench) -> Cost:
    """Build, check and publish the mart from what is landed."""
    shutil.rmtree(bench.data, ignore_errors=True)
    shutil.copytree(bench.landed, bench.data, copy_function=_link_or_copy)
    return cost_of(bench.mart("build", MART), log=bench.folder / "platform.log")


def bare_round(bench: Bench) -> Cost:
    """Write the same tables by the bare script."""
    shutil.rmtree(bench.bare, ignore_errors=True)
    plan = plan_of(bench.places)
    job = {
        "landed": _landed_files(bench, plan),
        "models": {
            name: str(bench.warehouse / model.file)
            for name in plan.marts[MART].tables
            if (model := plan.tables[name].model)
        },
        "into": str(bench.bare),
        "memory": bench.memory,
    }
    described = bench.folder / "bare.json"
    described.write_text(json.dumps(job, indent=2), encoding="utf-8")
    command = [sys.executable, str(HERE / "bare.py"), str(described)]
    return cost_of(command, log=bench.folder / "bare.log")


def compare(bench: Bench) -> None:
    """See that both wrote the same rows. Raises SystemExit for tables that differ."""
    platform = Assembled(bench.places, plan_of(bench.places).settings)
    live = platform.ledger.live(MART)
    versions = versions_of(platform, live) if live else {}
    for table in plan_of(bench.places).marts[MART].tables:
        files = [str(platform.data.absolute(file.path)) for file in versions[table].files]
        ours, theirs = _digest(files), _digest([str(bench.bare / f"{table}.parquet")])
        if ours != theirs:
            raise SystemExit(f"{table}: the platform wrote {ours}, the bare script {theirs}")
        say(f"SF {bench.scale:g}   {table}: {ours[0]:,} rows, the same by both")


def idle(bench: Bench, count: int) -> tuple[list[Cost], list[Cost]]:
    """Return what ``mart build`` costs that finds nothing to do, and what ``python -c pass`` does."""
    nothing, python = [], []
    for _ in range(count):
        nothing.append(cost_of(bench.mart("build", MART), log=bench.folder / "idle.log"))
        python.append(cost_of([sys.executable, "-c", "pass"], log=bench.folder / "pass.log"))
    return nothing, python


def _generator() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("tpchgen-cli", path=beside) or shutil.which("tpchgen-cli")
    if found is None:
        raise SystemExit("tpchgen-cli is not installed; it comes with: pip install 'mart-platform[bench]'")
    return found


def _link_or_copy(source: str, target: str) -> None:
    """Link what never changes, copy what does: the ledger, Delta's logs, Dagster's home."""
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _landed_files(bench: Bench, plan: Plan) -> dict[str, list[str]]:
    platform = Assembled(bench.places, plan.settings)
    files = {}
    for table in plan.landed():
        build = platform.ledger.latest_build(table.name, table.fingerprint)
        if build is None:
            raise SystemExit(f"{table.name} was not landed")
        version = platform.ledger.version(table.name, table.fingerprint, build.version)
        files[table.name] = [str(platform.data.absolute(file.path)) for file in version.files]
    return files


def _digest(files: Sequence[str]) -> tuple[int, int]:
    with closing(duckdb.connect()) as connection:
        answer = connection.execute(
            f"SELECT count(*), sum(hash(hash(rows))) FROM read_parquet({files}) AS rows"
        ).fetchone()
    assert answer is not None
    return answer[0], answer[1]


# What is told


@dataclass(frozen=True)
class Figure:
    """A line of the result; ``reached`` is None where there is no goal."""

    what: str
    platform: str
    bare: str
    ratio: str
    goal: str = ""
    reached: bool | None = None

    def __str__(self) -> str:
        reached = {None: "", True: "reached", False: "MISSED"}[self.reached]
        columns = (
            f"{self.what:<46}{self.platform:>10}{self.bare:>10}  {self.ratio:<22}{self.goal:<16}{reached}"
        )
        return columns.rstrip()


HEADINGS = Figure("", "platform", "bare", "ratio (least to most)", "goal")


def compared(
    what: str, pairs: Sequence[tuple[Cost, Cost]], of: Callable[[Cost], float], limit: float | None = None
) -> Figure:
    """Compare one figure of the rounds; the ratio is the median of the ratios of the rounds."""
    ratios = [of(platform) / of(bare) for platform, bare in pairs]
    ratio = median(ratios)
    return Figure(
        what,
        f"{median(of(platform) for platform, _ in pairs):.2f}",
        f"{median(of(bare) for _, bare in pairs):.2f}",
        f"{ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f})",
        f"<= {limit:.2f}x" if limit else "",
        ratio <= limit if limit else None,
    )


def figures_of_rounds(bench: Bench, pairs: Sequence[tuple[Cost, Cost]], limit: float | None) -> list[Figure]:
    """Return wall, CPU and memory of a scale factor."""
    name = f"SF {bench.scale:g}"
    peaks = [max(cost.peak for cost in costs) for costs in zip(*pairs, strict=True)]
    return [
        compared(f"{name}: wall, s", pairs, lambda cost: cost.wall, limit),
        compared(f"{name}: CPU, s", pairs, lambda cost: cost.cpu),
        Figure(
            f"{name}: highest peak of memory, MB",
            f"{peaks[0] / MB:,.0f}",
            f"{peaks[1] / MB:,.0f}",
            f"{peaks[0] / peaks[1]:.2f}x",
            f"<= {bench.cap / MB:,.0f} MB",
            peaks[0] <= bench.cap,
        ),
    ]


def landing_figure(bench: Bench, cost: Cost) -> Figure:
    """Return what landing cost, which is counted apart."""
    what = f"SF {bench.scale:g}: landing, wall s / CPU s / peak MB"
    return Figure(what, f"{cost.wall:.1f}", "", f"/ {cost.cpu:.1f} / {cost.peak / MB:,.0f}")


def marginal_figure(
    small: Sequence[tuple[Cost, Cost]], large: Sequence[tuple[Cost, Cost]], what: str
) -> Figure:
    """Return the CPU of the rows that the larger scale factor has more."""
    platform, bare = (
        middle([pair[side] for pair in large]).cpu - middle([pair[side] for pair in small]).cpu
        for side in (0, 1)
    )
    ratio = platform / bare
    return Figure(what, f"{platform:.2f}", f"{bare:.2f}", f"{ratio:.2f}x", "<= 1.25x", ratio <= 1.25)


def idle_figure(nothing: Sequence[Cost], python: Sequence[Cost]) -> Figure:
    """Return what a build that finds nothing to do costs over the interpreter's own start."""
    more = middle(nothing).cpu - middle(python).cpu
    return Figure(
        "no-op build: CPU s over `python -c pass`",
        f"{middle(nothing).cpu:.2f}",
        f"{middle(python).cpu:.2f}",
        f"{more:.2f} s more, {middle(nothing).wall:.2f} s wall",
        "<= 1.5 s",
        more <= 1.5,
    )


def say(line: object) -> None:
    print(line, flush=True)


def main() -> None:
    asked = _asked()
    say(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    say(f"engine memory {asked.memory}, cap of the whole process {asked.cap}\n")
    figures = []
    bench = _bench(asked, asked.sf)
    figures += _prepared(bench, asked)
    pairs = list(rounds(bench, asked.rounds))
    figures += figures_of_rounds(bench, pairs, limit=1.5)
    figures.append(idle_figure(*idle(bench, 5)))
    if asked.sf10:
        large = _bench(asked, 10 * asked.sf)
        figures += _prepared(large, asked)
        large_pairs = list(rounds(large, asked.large_rounds))
        figures += figures_of_rounds(large, large_pairs, limit=None)
        what = f"marginal CPU, SF {large.scale:g} less SF {bench.scale:g}, s"
        figures.append(marginal_figure(pairs, large_pairs, what))
    say("")
    for figure in (HEADINGS, *figures):
        say(figure)


def _prepared(bench: Bench, asked: argparse.Namespace) -> list[Figure]:
    bench.folder.mkdir(parents=True, exist_ok=True)
    deliver(bench)
    if asked.landed and _is_landed(bench):
        return []
    cost = land(bench)
    say(f"SF {bench.scale:g} landing : platform {cost}")
    return [landing_figure(bench, cost)]


def _is_landed(bench: Bench) -> bool:
    """Tell whether an earlier call landed all that the declarations and the code of now would land."""
    if not bench.landed.exists():
        return False
    plan = plan_of(bench.places)
    platform = Assembled(Places(bench.warehouse, bench.landed), plan.settings)
    return not what_to_do(platform, plan, [table.name for table in plan.landed()])


def _bench(asked: argparse.Namespace, scale: float) -> Bench:
    cap = int(asked.cap[:-2]) * UNITS[asked.cap[-2:]]
    return Bench(scale, asked.scratch.absolute() / f"sf{scale:g}", asked.memory, cap)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sf", type=float, default=1, help="scale factor (1)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each of the two is run (5)")
    parser.add_argument("--sf10", action="store_true", help="also the tenfold, for the marginal CPU")
    parser.add_argument("--large-rounds", type=int, default=2, help="rounds at the tenfold (2)")
    parser.add_argument("--memory", default="2GB", help="memory of the engine, for both (2GB)")
    parser.add_argument("--cap", default="3GB", help="memory that a whole process may take (3GB)")
    parser.add_argument("--landed", action="store_true", help="take what an earlier call landed")
    scratch = HERE.parent / "data" / "benchmarks"
    parser.add_argument("--scratch", type=Path, default=scratch, help="where to work (data/benchmarks)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
