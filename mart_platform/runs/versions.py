"""The publications of a mart: which there were, what of each can still be read, and which one is meant."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Literal
from uuid import uuid4

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.leasing import holding, this_process
from mart_platform.runs.relations import gone, named
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import (
    Hold,
    Publication,
    PublishedTable,
    Reading,
    Restatement,
    Version,
    VersionName,
)

State = Literal["live", "earlier", "shadow", "dropped"]

LIVE, SHADOW = "live", "shadow"
"""What a publication may be called by instead of its number: the live one, and the newest shadow."""

GONE = "cannot be read any more: the maintenance has removed files of it, or they were lost"


@dataclass(frozen=True)
class MartVersion:
    """One publication of a mart, and what is still there of it.

    ``changed`` names the tables that hold other rows, or are made otherwise, than in the publication that
    readers had before; ``gone`` those of which files were removed, so that ``rows`` and ``bytes`` are None.
    """

    publication: Publication
    state: State
    changed: tuple[str, ...]
    rows: int | None
    bytes: int | None
    gone: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """The publications of a mart, newest first, and whether it is held."""

    mart: str
    hold: Hold | None
    versions: tuple[MartVersion, ...]


def history(platform: Platform, plan: Plan, mart: str, *, limit: int = 20) -> History:
    """Return the newest publications of a mart. Raises UserError for an unknown one."""
    known_mart(plan, mart)
    publications, live = platform.ledger.publications(mart), platform.ledger.live(mart)
    kept = _kept(platform, publications[:limit])
    lines = []
    for n, publication in enumerate(publications[:limit]):
        versions = {name: kept[name, table.version_name] for name, table in publication.tables.items()}
        whole = [version for version in versions.values() if version]
        is_whole = len(whole) == len(versions)
        lines.append(
            MartVersion(
                publication=publication,
                state=_state(publication, live),
                changed=_changed(_readers_had(publications[n + 1 :]), publication),
                rows=sum(version.rows for version in whole) if is_whole else None,
                bytes=sum(version.bytes for version in whole) if is_whole else None,
                gone=tuple(name for name, version in versions.items() if version is None),
            )
        )
    return History(mart, platform.ledger.hold_of(mart), tuple(lines))


def restated(platform: Platform, plan: Plan, mart: str) -> list[Restatement]:
    """Return what was restated of a mart's tables between the live publication and the one before it.

    By table and interval; nothing when there is only one.
    """
    known_mart(plan, mart)
    live = platform.ledger.live(mart)
    if live is None:
        raise _never_published(mart)
    earlier = platform.ledger.publications(mart)
    before = _readers_had([publication for publication in earlier if publication.number < live.number])
    if before is None:
        return []
    return sorted(
        (
            line
            for name in changed_tables(before.tables, live.tables)
            for line in _restated(platform, name, before, live)
        ),
        key=lambda line: (line.table, line.interval, line.at),
    )


def drop_shadow(platform: Platform, plan: Plan, mart: str, number: int) -> Publication:
    """Give up a shadow, so that the vacuum may remove what only it holds; doing so twice changes nothing.

    Raises UserError when the publication is none.
    """
    with holding(platform, f"publication {mart}", f"drop {number}"):
        shadow = publication_called(platform, plan, mart, str(number))
        if shadow.state == "live":
            raise UserError(
                f"publication {number} of {mart} is no shadow: readers have it, or had it. 'maintenance' in "
                "settings.yaml says how long it is kept."
            )
        platform.ledger.set_state(mart, number, "dropped")
    return shadow.model_copy(update={"state": "dropped"})


def publication_called(platform: Platform, plan: Plan, mart: str, name: str) -> Publication:
    """Return the publication with this number, the live one, or the newest shadow.

    Raises UserError when there is none, saying which there are.
    """
    known_mart(plan, mart)
    if name == LIVE and (live := platform.ledger.live(mart)):
        return live
    publications = platform.ledger.publications(mart)
    if not publications:
        raise _never_published(mart)
    for publication in publications:
        if name in (str(publication.number), publication.state) and name != LIVE:
            return publication
    if name == SHADOW:
        raise UserError(f"{mart} has no shadow; `mart build {mart} --shadow` builds one.")
    numbers = ", ".join(str(publication.number) for publication in publications[:10])
    called = name if name.isdecimal() else f"'{name}'"
    raise UserError(f"{mart} has no publication {called}. There are: {numbers}, '{LIVE}' and '{SHADOW}'.")


def live_at(platform: Platform, plan: Plan, mart: str, moment: datetime) -> Publication:
    """Return the publication that was live at a moment of the wall's clock.

    Raises UserError when none was.
    """
    known_mart(plan, mart)
    were_live = [p for p in platform.ledger.publications(mart) if p.state == "live"]
    if found := next((publication for publication in were_live if publication.at <= moment), None):
        return found
    if not were_live:
        raise _never_published(mart)
    first = were_live[-1].at
    raise UserError(
        f"{mart} was not published yet at {moment:%Y-%m-%d %H:%M:%S} UTC; its first publication is of "
        f"{first:%Y-%m-%d %H:%M:%S} UTC."
    )


def same_tables(one: Mapping[str, PublishedTable], other: Mapping[str, PublishedTable]) -> bool:
    """Return whether two publications hold the same rows made alike, whatever files they lie in."""
    return _contents(one) == _contents(other)


def changed_tables(
    before: Mapping[str, PublishedTable], after: Mapping[str, PublishedTable]
) -> tuple[str, ...]:
    """Return the tables of a publication that another one before it lacks, or holds otherwise."""
    known = _contents(before)
    return tuple(name for name, held in _contents(after).items() if known.get(name) != held)


def versions_in(
    platform: Platform, plan: Plan, publication: Publication, tables: Collection[str] | None = None
) -> dict[str, Version]:
    """Return the version of each table of a publication, or of these.

    Raises UserError when it was dropped, or files of them are gone.
    """
    mart, number = publication.mart, publication.number
    if publication.state == "dropped":
        raise UserError(f"publication {number} of {mart} was dropped, so that nothing keeps its files.")
    found = {
        name: version_if_whole(platform, name, published.version_name)
        for name, published in publication.tables.items()
        if tables is None or name in tables
    }
    if lost := [name for name, version in found.items() if version is None]:
        archived = plan.marts[mart].spec.retention.then == "archive"
        restore = f" `mart restore {mart}` may bring archived rows back." if archived else ""
        raise UserError(
            f"{', '.join(lost)} in publication {number} of {mart} {GONE}.{restore} `mart versions {mart}` "
            "shows what is kept."
        )
    return {name: version for name, version in found.items() if version}


def version_if_whole(platform: Platform, table: str, name: VersionName) -> Version | None:
    """Return a version; None when files of it are gone, or the ledger has forgotten it."""
    try:
        found = named(platform, table, name)
        below = list(with_what_it_reads(platform, found))
    except LookupError:
        return None
    return None if any(gone(platform, part) for part in below) else found


@contextmanager
def keeping(platform: Platform, versions: Iterable[Version]) -> Iterator[None]:
    """Keep the vacuum from the files of these versions, and of what views among them read, in the block."""
    now = platform.clock.wall()
    readings = [
        Reading(id=uuid4().hex, tables=tables, holder=this_process(), at=now)
        for tables in _one_version_each(
            version for top in versions for version in with_what_it_reads(platform, top)
        )
    ]
    begun: list[Reading] = []
    try:
        for reading in readings:
            platform.ledger.begin_reading(reading)
            begun.append(reading)
        yield
    finally:
        for reading in begun:
            platform.ledger.end_reading(reading.id)


def with_what_it_reads(platform: Platform, version: Version) -> Iterator[Version]:
    """Yield a version, and if it is a view what it reads, down to the files."""
    yield version
    for table, name in version.view.reads.items() if version.view else ():
        yield from with_what_it_reads(platform, named(platform, table, name))


def known_mart(plan: Plan, mart: str) -> None:
    """Raise UserError when there is no such mart."""
    if mart not in plan.marts:
        raise UserError(f"There is no mart '{mart}'. {nearest(mart, plan.marts)}")


def _kept(
    platform: Platform, publications: Iterable[Publication]
) -> dict[tuple[str, VersionName], Version | None]:
    """Return the versions of publications, None where files are gone; one in several of them is seen once."""
    names = {(name, table.version_name) for each in publications for name, table in each.tables.items()}
    return {(table, name): version_if_whole(platform, table, name) for table, name in names}


def _state(publication: Publication, live: Publication | None) -> State:
    if publication.state != "live":
        return publication.state
    return "live" if live and live.number == publication.number else "earlier"


def _changed(before: Publication | None, publication: Publication) -> tuple[str, ...]:
    return changed_tables(before.tables if before else {}, publication.tables)


def _readers_had(earlier: Iterable[Publication]) -> Publication | None:
    """Return the newest of earlier publications that was live."""
    return next((publication for publication in earlier if publication.state == "live"), None)


def _restated(
    platform: Platform, table: str, before: Publication, live: Publication
) -> Iterator[Restatement]:
    """Yield what was restated by the runs that built a table after one publication and up to another."""
    old, new = before.tables.get(table), live.tables[table]
    runs: set[str] = set()
    for build in platform.ledger.builds(table, limit=None):
        if old and build.version_name == old.version_name:
            break
        if runs or build.version_name == new.version_name:
            runs.add(build.run)
    for line in platform.ledger.restatements(table, limit=None):
        if line.run in runs:
            yield line


def _contents(tables: Mapping[str, PublishedTable]) -> dict[str, tuple[str, str]]:
    return {name: (table.fingerprint, table.content) for name, table in tables.items()}


def _one_version_each(versions: Iterable[Version]) -> list[dict[str, VersionName]]:
    """Return the names of versions in as many dictionaries as the table with the most of them needs."""
    names: dict[str, set[VersionName]] = {}
    for version in versions:
        name = VersionName(fingerprint=version.fingerprint, version=version.id)
        names.setdefault(version.table, set()).add(name)
    in_sets = zip_longest(*([(table, name) for name in of_table] for table, of_table in names.items()))
    return [dict(filter(None, pairs)) for pairs in in_sets]


def _never_published(mart: str) -> UserError:
    return UserError(f"{mart} is not published yet; run `mart build {mart}` first.")
