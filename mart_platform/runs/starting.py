"""A run begins: one snapshot of what it reads, kept under its id; and it ends, however it does."""

from collections.abc import Iterable

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.leasing import is_alive, this_process
from mart_platform.spec.records import Build, Publication, Run

LIVE = "live:"
"""Before a table's name in the pins: that table as its mart had published it when the run began."""


def begin(platform: Platform, plan: Plan, run: str, cause: str, targets: Iterable[str] = ()) -> None:
    """Record a run with its snapshot of input builds; a run that began already keeps the one it has.

    Every step of a run calls this, since nobody knows which of them comes first.
    """
    if platform.ledger.run(run) is not None:
        return
    pins = {
        name: build
        for (name, fingerprint), build in platform.ledger.latest_builds().items()
        if name in plan.tables and plan.tables[name].fingerprint == fingerprint
    }
    for mart in plan.marts:
        if live := platform.ledger.live(mart):
            pins |= {f"{LIVE}{name}": build for name, build in builds_of(platform, live).items()}
    record = Run(
        id=run,
        cause=cause,
        plan=plan.digest,
        targets=tuple(targets),
        began_at=platform.clock.wall(),
        holder=this_process(),
    )
    platform.ledger.begin_run(record, pins)


def end(platform: Platform, run: str, *, succeeded: bool) -> None:
    """Record how a run ended."""
    platform.ledger.end_run(run, "succeeded" if succeeded else "failed", platform.clock.wall())


def abandon_dead_runs(platform: Platform) -> list[str]:
    """Mark the runs whose process is gone as abandoned, and return their ids."""
    dead = [run.id for run in platform.ledger.runs() if run.outcome == "running" and not is_alive(run.holder)]
    for run in dead:
        platform.ledger.end_run(run, "abandoned", platform.clock.wall())
    return dead


def read_by(platform: Platform, plan: Plan, run: str, table: str) -> dict[str, Build]:
    """Return the builds that a step of a run reads for ``table``: its inputs, and what it is checked against.

    A table of another mart is read as that mart has published it: in this run, or before it began.
    """
    pins = platform.ledger.pins(run)
    return {
        name: build
        for name in plan.tables[table].after
        if (build := _pinned(platform, plan, run, pins, table, name))
    }


def builds_of(platform: Platform, publication: Publication) -> dict[str, Build]:
    """Return the builds that a publication is made of."""
    found = {}
    for name, table in publication.tables.items():
        builds = platform.ledger.builds(name, limit=1000)
        same = (b for b in builds if (b.fingerprint, b.version) == (table.fingerprint, table.version))
        if build := next(same, None):
            found[name] = build
    return found


def _pinned(
    platform: Platform, plan: Plan, run: str, pins: dict[str, Build], reader: str, name: str
) -> Build | None:
    mart = plan.mart_of(name)
    if mart is None or plan.mart_of(reader) is mart:
        return pins.get(name)
    live = platform.ledger.live(mart.spec.mart)
    if live is not None and live.run == run:
        return pins.get(name)
    return pins.get(f"{LIVE}{name}")
