"""A mart moves as a whole from one set of table versions to the next, or back, or stays where it is."""

import time
from collections.abc import Iterable, Mapping
from typing import Literal

from mart_platform.planning.plan import Plan, PlannedMart
from mart_platform.ports import Platform
from mart_platform.runs.changes import owed
from mart_platform.runs.deciding import mart_watermark, verdicts_on
from mart_platform.runs.leasing import holding
from mart_platform.runs.relations import Pins, is_broken, named, relation_of, version_of
from mart_platform.runs.reporting import MartReport, PublicationRefused, told_of
from mart_platform.runs.rights import change_of, put, why_refused
from mart_platform.runs.starting import as_live, builds_of, is_behind, published_as, seen_by
from mart_platform.runs.versions import (
    changed_tables,
    known_mart,
    publication_called,
    same_tables,
    versions_in,
)
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Build, Event, Hold, Publication, PublishedTable, Version
from mart_platform.stages import publishing


def publish_mart(
    platform: Platform,
    plan: Plan,
    run: str,
    mart: str,
    by: str = "build",
    *,
    release: bool = False,
    shadow: bool = False,
    allow_wider: bool = False,
) -> MartReport:
    """Make the builds that a run reads of a mart's tables what its readers see.

    A mart that is held stays, unless ``release`` ends the hold; one that is refused stays held. The rights
    that the plan gives in it hold from then on. A ``shadow`` is recorded beside what is live, held or not,
    and nothing moves: readers, their folder, their rights and the other marts of the run stay with the live
    one. Raises PublicationRefused when a blocking verdict on exactly these versions is bad or missing, when
    the tables saw different contents of an input that they share, or when somebody would see more by his
    rights than before, unless ``allow_wider``; UserError when there is no hold to end; and AuditUnavailable
    when changed rights cannot be recorded.
    """
    began, planned = time.monotonic(), plan.marts[mart]
    pins = platform.ledger.pins(run, planned.tables)
    with holding(platform, f"publication {mart}", run):
        live = platform.ledger.live(mart)
        if reason := None if shadow else _why_stay(platform, run, mart, live, pins, release=release):
            return _stays(platform, plan, live, reason, began)
        change = None if shadow else change_of(platform, plan, mart)
        refused = why_refused(change, allow_wider=allow_wider) if change else ()
        _refuse_bad(platform, plan, run, planned, pins, refused)
        tables = {name: published_as(pins[name]) for name in planned.tables}
        publication = Publication(
            mart=mart,
            number=_next_number(platform, mart),
            state="shadow" if shadow else "live",
            tables=tables,
            plan=plan.digest,
            watermark=mart_watermark(plan, mart, pins),
            at=platform.clock.wall(),
            by=by,
            reason=_reason(pins, tables, live),
            run=run,
        )
        if change is None:
            return _put_beside(platform, publication, live, began)
        put(platform, change, by)
        platform.ledger.pin(run, as_live(pins))  # what the other marts of this run read from now on
        same = live and same_tables(live.tables, tables) and live.watermark == publication.watermark
        if live and same and not is_broken(platform, live):
            if release:
                platform.ledger.release(mart)
            why = "its new rights are approved" if change.changed else "readers have all that there is"
            return _stays(platform, plan, live, why, began)
        _move(platform, plan, publication, release=release)
    return MartReport(mart, True, publication.reason, publication, time.monotonic() - began)


def publish_shadow(
    platform: Platform,
    plan: Plan,
    mart: str,
    number: int,
    *,
    by: str,
    release: bool = False,
    allow_wider: bool = False,
) -> MartReport:
    """Make a shadow what readers see, as it was built; the verdicts on it are looked up again.

    A mart that is held stays, unless ``release`` ends the hold. Raises PublicationRefused as ``publish_mart``
    does, and where the logic that is declared, or what is live, has gone on since the shadow was built; and
    UserError when the publication is no shadow.
    """
    began, planned = time.monotonic(), plan.marts[mart]
    with holding(platform, f"publication {mart}", f"shadow {number} by {by}"):
        shadow = publication_called(platform, plan, mart, str(number))
        _refuse_other_state(shadow, "shadow")
        live, pins = platform.ledger.live(mart), builds_of(platform, shadow)
        if reason := _why_held(platform, mart, live, release=release):
            return _stays(platform, plan, live, reason, began)
        change = change_of(platform, plan, mart)
        refused = why_refused(change, allow_wider=allow_wider)
        went_on = _went_on_since(platform, plan, shadow, live)
        _refuse_bad(platform, plan, shadow.run, planned, pins, (*went_on, *refused))
        publication = shadow.model_copy(
            update={
                "number": _next_number(platform, mart),
                "state": "live",
                "at": platform.clock.wall(),
                "by": by,
                "reason": f"shadow {number}: {shadow.reason}",
            }
        )
        put(platform, change, by)
        _move(platform, plan, publication, shadow, release=release)
        platform.ledger.set_state(mart, number, "dropped")  # its tables live on in the new publication
    return MartReport(mart, True, publication.reason, publication, time.monotonic() - began)


def rollback_mart(
    platform: Platform, plan: Plan, mart: str, *, to: int | None, by: str, reason: str
) -> Publication:
    """Make an earlier publication live again, and hold the mart there until it is released.

    ``to`` is its number; None means the one before the live one, and for a mart that was rolled back
    already the one before that. Raises UserError for an unknown mart, when there is none to go back to, or
    files of it are gone.
    """
    known_mart(plan, mart)
    with holding(platform, f"publication {mart}", f"rollback by {by}"):
        live = platform.ledger.live(mart)
        if live is None:
            raise UserError(f"{mart} was never published, so there is nothing to go back to.")
        target = _before(platform, live) if to is None else _numbered(platform, plan, live, to)
        now = platform.clock.wall()
        publication = target.model_copy(
            update={
                "number": _next_number(platform, mart),
                "at": now,
                "by": by,
                "reason": f"rollback to {target.number}: {reason}",
            }
        )
        hold = Hold(mart=mart, since=now, by=by, reason=publication.reason)
        _move(platform, plan, publication, target, hold=hold)
    return publication


def derive(platform: Platform, plan: Plan, publication: Publication) -> None:
    """Write the folder that readers without a server open; doing so twice changes nothing."""
    publishing.derive(platform, plan, publication, _sources(platform, publication))


def versions_of(platform: Platform, publication: Publication) -> dict[str, Version]:
    """Return the version of each table of a publication."""
    return {name: named(platform, name, table.version_name) for name, table in publication.tables.items()}


def _move(
    platform: Platform,
    plan: Plan,
    publication: Publication,
    origin: Publication | None = None,
    *,
    release: bool = False,
    hold: Hold | None = None,
) -> None:
    """Move a mart to a publication: one row of the ledger, and the pointer of its folder.

    The folder is filled before, which takes the longer the more files there are. So nothing moves where one
    of them is gone; then UserError is raised, about the ``origin`` whose tables these are.
    """
    try:
        place = publishing.prepare(platform, plan, publication, _sources(platform, publication))
    except (UserError, LookupError):
        if origin is not None:
            versions_in(platform, plan, origin)  # which tells what is gone, if that is why
        raise
    try:
        platform.ledger.publish(publication, release=release, hold=hold)
    except BaseException:
        publishing.discard(place)
        raise
    publishing.show(platform, place)


def _sources(platform: Platform, publication: Publication) -> publishing.Sources:
    def source(name: str) -> publishing.Source:
        version = named(platform, name, publication.tables[name].version_name)
        return publishing.Source(version, lambda: relation_of(platform, version))

    return source


def _why_stay(
    platform: Platform, run: str, mart: str, live: Publication | None, pins: Pins, *, release: bool
) -> str | None:
    """Return why a mart stays at what is live. Raises UserError when there is no hold to end."""
    if release and platform.ledger.hold_of(mart) is None:
        raise UserError(f"{mart} is not held; there is nothing to release.")
    if reason := _why_held(platform, mart, live, release=release):
        return reason
    if live and is_behind(platform, run, live.run, _landed_below(pins)):
        return "a run that saw newer deliveries has published it"
    return None


def _why_held(platform: Platform, mart: str, live: Publication | None, *, release: bool) -> str | None:
    hold = platform.ledger.hold_of(mart)
    return f"held since {hold.since:%Y-%m-%d %H:%M}: {hold.reason}" if hold and live and not release else None


def _stays(platform: Platform, plan: Plan, live: Publication | None, reason: str, began: float) -> MartReport:
    """Leave a mart where it is; its derived folder is mended if it disagrees."""
    if live is None:
        raise ValueError("only a mart that was published can stay where it is")
    derive(platform, plan, live)
    return MartReport(live.mart, False, reason, live, time.monotonic() - began)


def _put_beside(
    platform: Platform, shadow: Publication, live: Publication | None, began: float
) -> MartReport:
    """Record a shadow, unless it would hold what is live, or what is recorded beside it already."""
    mart = shadow.mart
    beside = next((p for p in platform.ledger.publications(mart) if p.state == "shadow"), None)
    if live and same_tables(live.tables, shadow.tables):
        reason = "what was built beside it holds the same rows, made alike"
    elif beside and same_tables(beside.tables, shadow.tables):
        reason = f"shadow {beside.number} holds what was built beside it"
    else:
        platform.ledger.publish(shadow)
        reason = f"shadow {shadow.number} is recorded beside it"
    return MartReport(mart, False, reason, live or shadow, time.monotonic() - began)


def _next_number(platform: Platform, mart: str) -> int:
    newest = platform.ledger.publications(mart, limit=1)
    return newest[0].number + 1 if newest else 1


def _reason(pins: Pins, tables: Mapping[str, PublishedTable], live: Publication | None) -> str:
    """Return why the tables that are new to readers were built."""
    new = changed_tables(live.tables if live else {}, tables)
    return "; ".join(sorted({pins[name].reason for name in new})) or "it is complete up to a later moment"


def _before(platform: Platform, live: Publication) -> Publication:
    """Return the publication before the live one; after a rollback, the one before what it went back to.

    So that going back twice goes back twice, and not to what was gone back from.
    """
    were_live = [p for p in platform.ledger.publications(live.mart) if p.state == "live"]
    since = live.number
    if platform.ledger.hold_of(live.mart) is not None:
        since = min(p.number for p in were_live if same_tables(p.tables, live.tables))
    earlier = (p for p in were_live if p.number < since and not same_tables(p.tables, live.tables))
    if target := next(earlier, None):
        return target
    numbers = ", ".join(str(p.number) for p in were_live[1:10]) or "none"
    raise UserError(
        f"{live.mart} has no earlier publication that differs from the live one; earlier ones: {numbers}."
    )


def _numbered(platform: Platform, plan: Plan, live: Publication, number: int) -> Publication:
    """Return an earlier publication by its number. Raises UserError when one cannot go back to it."""
    target = publication_called(platform, plan, live.mart, str(number))
    _refuse_other_state(target, "live")
    if same_tables(target.tables, live.tables):
        raise UserError(f"publication {number} of {live.mart} does not differ from the live one.")
    return target


def _refuse_other_state(publication: Publication, wanted: Literal["live", "shadow"]) -> None:
    """Raise UserError when a publication is not in the state that what was asked for needs."""
    mart, number = publication.mart, publication.number
    told = {
        "shadow": f"is a shadow, which no reader had: `mart publish {mart} --version {number}` publishes it",
        "dropped": "was dropped, so that nothing keeps its files",
        "live": f"is no shadow: `mart rollback {mart} --to {number}` goes back to an earlier publication",
    }
    if publication.state != wanted:
        raise UserError(f"publication {number} of {mart} {told[publication.state]}.")


def _went_on_since(
    platform: Platform, plan: Plan, shadow: Publication, live: Publication | None
) -> tuple[str, ...]:
    """Return why a shadow is out of date: by the logic that is declared, or by what readers have."""
    rebuild = f"`mart build {shadow.mart} --shadow` builds it again"
    declared = {name: plan.tables[name].fingerprint for name in plan.marts[shadow.mart].tables}
    built = {name: table.fingerprint for name, table in shadow.tables.items()}
    if other := sorted(
        name for name in declared.keys() | built.keys() if declared.get(name) != built.get(name)
    ):
        return (f"{other[0]} is declared otherwise than it was built in shadow {shadow.number}; {rebuild}",)
    landed = _landed_below(builds_of(platform, shadow))
    if live and is_behind(platform, shadow.run, live.run, landed):
        return (f"publication {live.number} holds newer deliveries than shadow {shadow.number}; {rebuild}",)
    return ()


def _refuse_bad(
    platform: Platform, plan: Plan, run: str, mart: PlannedMart, pins: Pins, also: Iterable[str] = ()
) -> None:
    """Raise PublicationRefused, and keep it as an event, when there is a reason to."""
    if reasons := tuple(also) or _reasons_to_refuse(platform, plan, run, mart, pins):
        details = {"reasons": list(reasons), "run": run}
        now, name = platform.clock.wall(), mart.spec.mart
        platform.ledger.add_event(Event(at=now, kind="publication_refused", subject=name, details=details))
        raise PublicationRefused(name, reasons)


def _reasons_to_refuse(
    platform: Platform, plan: Plan, run: str, mart: PlannedMart, pins: Mapping[str, Build]
) -> tuple[str, ...]:
    if missing := [name for name in mart.tables if name not in pins]:
        return (f"{missing[0]} was never built",)
    all_pins, reasons = platform.ledger.pins(run), []
    for name in mart.tables:
        if lacking := owed(platform, plan.tables[name], version_of(platform, pins[name])):
            reasons.append(f"{name} still lacks intervals, {min(lacking)} among them")
        read = seen_by(plan, name, all_pins)
        verdicts = verdicts_on(plan.tables[name], pins[name], read, platform.ledger)
        for check in (planned.check for planned in plan.tables[name].checks if planned.check.blocks):
            verdict = verdicts.get(check.name)
            if verdict is None:
                reasons.append(f"check {check.name} of {name} has no verdict on this version")
            elif not verdict.passed:
                reasons.append(f"check {check.name} of {name} failed: {told_of(verdict)}")
    return (*reasons, *_disagreements(mart, pins))


def _landed_below(pins: Pins) -> frozenset[str]:
    return frozenset(root for build in pins.values() for root in build.roots)


def _disagreements(mart: PlannedMart, pins: Pins) -> list[str]:
    """Return a sentence for each input of which the mart's tables saw different contents."""
    seen: dict[str, dict[str, str]] = {name: {pins[name].content: name} for name in mart.tables}
    for name in mart.tables:
        for read, contents in (*pins[name].roots.items(), *pins[name].consumed.items()):
            for content in contents.split():
                seen.setdefault(read, {})[content] = name
    return [
        f"its tables saw different contents of {read}: {', '.join(sorted(set(contents.values())))}"
        for read, contents in seen.items()
        if len(contents) > 1
    ]
