"""A run begins: one snapshot of what it reads, kept under its id; and it ends, however it does."""

from collections.abc import Collection, Iterable, Mapping

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.leasing import is_alive, this_process
from mart_platform.spec.records import Build, Publication, PublishedTable, Run

LIVE = "live:"
"""Before a table's name in the pins: that table as its mart had published it when the run began."""


def begin(platform: Platform, plan: Plan, run: str, cause: str, targets: Iterable[str] = ()) -> None:
    """Record a run with its snapshot of input builds; a run that began already keeps the one it has.

    Every step of a run calls this, since nobody knows which of them comes first.
    """
    if platform.ledger.run(run) is not None:
        return
    record = Run(
        id=run,
        cause=cause,
        plan=plan.digest,
        targets=tuple(targets),
        began_at=platform.clock.wall(),
        holder=this_process(),
    )
    platform.ledger.begin_run(record, snapshot(platform, plan))


def snapshot(platform: Platform, plan: Plan) -> dict[str, Build]:
    """Return what a run that began now would read: the newest builds, and those that are live."""
    pins = {
        name: build
        for (name, fingerprint), build in platform.ledger.latest_builds().items()
        if name in plan.tables and plan.tables[name].fingerprint == fingerprint
    }
    for mart in plan.marts:
        if live := platform.ledger.live(mart):
            pins |= as_live(builds_of(platform, live))
    return pins


def as_live(builds: Mapping[str, Build]) -> dict[str, Build]:
    """Return the builds of a mart's tables under the names by which other marts read them."""
    return {f"{LIVE}{name}": build for name, build in builds.items()}


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
    return seen_by(plan, table, platform.ledger.pins(run, _names_of_inputs(plan, table).values()))


def seen_by(plan: Plan, table: str, pins: Mapping[str, Build]) -> dict[str, Build]:
    """Return those of the pinned builds that ``table`` reads, by the names of their tables."""
    named = _names_of_inputs(plan, table)
    return {name: pins[pinned] for name, pinned in named.items() if pinned in pins}


def is_behind(platform: Platform, run: str, other: str, landed: Collection[str]) -> bool:
    """Return whether another run read a newer build than this one of any of these landed tables."""
    ours, theirs = platform.ledger.pins(run, landed), platform.ledger.pins(other, landed)
    return any(_is_newer(platform, theirs[name], ours[name]) for name in ours.keys() & theirs.keys())


def _is_newer(platform: Platform, build: Build, other: Build) -> bool:
    """Return whether a build was recorded after another one; the wall clock may have been stepped back."""
    if build == other:
        return False
    recorded = platform.ledger.builds(build.table)
    newest = next((each for each in recorded if each in (build, other)), None)
    return newest == build if newest else build.at > other.at


def builds_of(platform: Platform, publication: Publication) -> dict[str, Build]:
    """Return the builds that a publication is made of: those that its run read of these tables."""
    pins = platform.ledger.pins(publication.run, publication.tables)
    return {name: build for name, build in pins.items() if published_as(build) == publication.tables[name]}


def published_as(build: Build) -> PublishedTable:
    """Return a build as a publication lists it."""
    return PublishedTable(fingerprint=build.fingerprint, version=build.version, content=build.content)


def _names_of_inputs(plan: Plan, table: str) -> dict[str, str]:
    """Return for each table that this one reads the name under which its build is pinned."""
    reader = plan.mart_of(table)
    return {
        name: name if plan.mart_of(name) in (None, reader) else f"{LIVE}{name}"
        for name in plan.tables[table].after
    }
