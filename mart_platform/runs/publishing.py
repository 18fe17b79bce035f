"""A mart moves as a whole from one set of table versions to the next, or back, or stays where it is."""

import time
from collections.abc import Mapping

from mart_platform.planning.plan import Plan, PlannedMart
from mart_platform.ports import Platform
from mart_platform.runs.deciding import Pins, mart_watermark, verdicts_on
from mart_platform.runs.leasing import holding
from mart_platform.runs.reporting import MartReport, PublicationRefused, told_of
from mart_platform.runs.starting import as_live, is_behind, published_as, read_by
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Build, Event, Hold, Publication, PublishedTable, Version
from mart_platform.stages import publishing


def publish_mart(
    platform: Platform, plan: Plan, run: str, mart: str, by: str = "build", *, release: bool = False
) -> MartReport:
    """Make the builds that a run reads of a mart's tables what its readers see.

    A mart that is held stays, unless ``release`` ends the hold; one that is refused stays held. Raises
    PublicationRefused when a blocking verdict on exactly these versions is bad or missing, or when the
    tables saw different contents of an input that they share, and UserError when there is no hold to end.
    """
    began, planned = time.monotonic(), plan.marts[mart]
    pins = platform.ledger.pins(run, planned.tables)
    with holding(platform, f"publication {mart}", run):
        live, hold = platform.ledger.live(mart), platform.ledger.hold_of(mart)
        if release and hold is None:
            raise UserError(f"{mart} is not held; there is nothing to release.")
        if hold and live and not release:
            reason = f"held since {hold.since:%Y-%m-%d %H:%M}: {hold.reason}"
            return _stays(platform, plan, live, reason, began)
        if live and is_behind(platform, run, live.run, _landed_below(pins)):
            reason = "a run that saw newer deliveries has published it"
            return _stays(platform, plan, live, reason, began)
        if reasons := _reasons_to_refuse(platform, plan, run, planned, pins):
            details = {"reasons": list(reasons), "run": run}
            now = platform.clock.wall()
            platform.ledger.add_event(
                Event(at=now, kind="publication_refused", subject=mart, details=details)
            )
            raise PublicationRefused(mart, reasons)
        tables = {name: published_as(pins[name]) for name in planned.tables}
        watermark = mart_watermark(plan, mart, pins)
        platform.ledger.pin(run, as_live(pins))  # what the other marts of this run read from now on
        if live and live.tables == tables and live.watermark == watermark:
            if release:
                platform.ledger.release(mart)
            return _stays(platform, plan, live, "readers have all that there is", began)
        publication = Publication(
            mart=mart,
            number=live.number + 1 if live else 1,
            tables=tables,
            plan=plan.digest,
            watermark=watermark,
            at=platform.clock.wall(),
            by=by,
            reason=_reason(pins, tables, live),
            run=run,
        )
        platform.ledger.publish(publication, release=release)
        derive(platform, plan, publication)
    return MartReport(mart, True, publication.reason, publication, time.monotonic() - began)


def _reason(pins: Pins, tables: Mapping[str, PublishedTable], live: Publication | None) -> str:
    """Return why the tables that are new to readers were built."""
    new = [name for name, table in tables.items() if live is None or live.tables.get(name) != table]
    return "; ".join(sorted({pins[name].reason for name in new})) or "it is complete up to a later moment"


def rollback_mart(
    platform: Platform, plan: Plan, mart: str, *, to: int | None, by: str, reason: str
) -> Publication:
    """Make an earlier publication live again, and hold the mart there until it is released.

    ``to`` is its number; None means the one before the live one, and for a mart that was rolled back
    already the one before that. Raises UserError when there is none.
    """
    with holding(platform, f"publication {mart}", f"rollback by {by}"):
        history = platform.ledger.publications(mart)
        if not history:
            raise UserError(f"{mart} was never published, so there is nothing to go back to.")
        live = history[0]
        earlier = _before(history, rolled_back=platform.ledger.hold_of(mart) is not None)
        wanted = earlier if to is None else [p for p in history[1:] if p.number == to]
        target = next((p for p in wanted if p.tables != live.tables), None)
        if target is None:
            numbers = ", ".join(str(p.number) for p in history[1:10]) or "none"
            missing = f"publication {to}" if to else "earlier publication"
            raise UserError(
                f"{mart} has no {missing} that differs from the live one; earlier ones: {numbers}."
            )
        now = platform.clock.wall()
        publication = target.model_copy(
            update={
                "number": live.number + 1,
                "at": now,
                "by": by,
                "reason": f"rollback to {target.number}: {reason}",
            }
        )
        hold = Hold(mart=mart, since=now, by=by, reason=publication.reason)
        platform.ledger.publish(publication, hold=hold)
        derive(platform, plan, publication)
    return publication


def derive(platform: Platform, plan: Plan, publication: Publication) -> None:
    """Write the folder that readers without a server open; doing so twice changes nothing."""
    publishing.derive(platform, plan, publication, versions_of(platform, publication))


def versions_of(platform: Platform, publication: Publication) -> dict[str, Version]:
    """Return the version of each table of a publication."""
    return {
        name: platform.ledger.version(name, table.fingerprint, table.version)
        for name, table in publication.tables.items()
    }


def _before(history: list[Publication], *, rolled_back: bool) -> list[Publication]:
    """Return the publications before the live one; after a rollback, those before the one it went back to.

    So that going back twice goes back twice, and not to what was gone back from.
    """
    live = history[0]
    since = min(p.number for p in history if p.tables == live.tables) if rolled_back else live.number
    return [publication for publication in history if publication.number < since]


def _stays(platform: Platform, plan: Plan, live: Publication, reason: str, began: float) -> MartReport:
    """Leave a mart where it is; its derived folder is mended if it disagrees."""
    derive(platform, plan, live)
    return MartReport(live.mart, False, reason, live, time.monotonic() - began)


def _reasons_to_refuse(
    platform: Platform, plan: Plan, run: str, mart: PlannedMart, pins: Mapping[str, Build]
) -> tuple[str, ...]:
    if missing := [name for name in mart.tables if name not in pins]:
        return (f"{missing[0]} was never built",)
    reasons = []
    for name in mart.tables:
        read = read_by(platform, plan, run, name)
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
