"""A mart moves as a whole from one set of table versions to the next, or back, or stays where it is."""

import time
from collections.abc import Mapping

from mart_platform.planning.plan import Plan, PlannedMart
from mart_platform.ports import Platform
from mart_platform.runs.deciding import (
    Pins,
    bad_verdicts,
    mart_watermark,
    published_as,
    unjudged_checks,
)
from mart_platform.runs.leasing import holding
from mart_platform.runs.reporting import MartReport, PublicationRefused, told_of
from mart_platform.runs.starting import read_by
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Build, Event, Hold, Publication, Version
from mart_platform.stages import publishing


def publish_mart(platform: Platform, plan: Plan, run: str, mart: str, by: str = "build") -> MartReport:
    """Make the builds that a run reads of a mart's tables what its readers see.

    Raises PublicationRefused when a blocking verdict on exactly these versions is bad or missing, or when
    the tables saw different contents of an input that they share. A mart that is held stays.
    """
    began, planned = time.monotonic(), plan.marts[mart]
    pins = platform.ledger.pins(run)
    with holding(platform, f"publication {mart}", run):
        live, hold = platform.ledger.live(mart), platform.ledger.hold_of(mart)
        if hold and live:
            return _stays(
                platform, plan, live, f"held since {hold.since:%Y-%m-%d %H:%M}: {hold.reason}", began
            )
        if reasons := _reasons_to_refuse(platform, plan, run, planned, pins):
            details = {"reasons": list(reasons), "run": run}
            now = platform.clock.wall()
            platform.ledger.add_event(
                Event(at=now, kind="publication_refused", subject=mart, details=details)
            )
            raise PublicationRefused(mart, reasons)
        tables = {name: published_as(pins[name]) for name in planned.tables}
        watermark = mart_watermark(plan, mart, pins)
        if live and live.tables == tables and live.watermark == watermark:
            return _stays(platform, plan, live, "readers have all that there is", began)
        publication = Publication(
            mart=mart,
            number=live.number + 1 if live else 1,
            tables=tables,
            plan=plan.digest,
            watermark=watermark,
            at=platform.clock.wall(),
            by=by,
            reason="; ".join(sorted({pins[name].reason for name in planned.tables})),
            run=run,
        )
        platform.ledger.publish(publication)
        derive(platform, plan, publication)
    return MartReport(mart, True, publication.reason, publication, time.monotonic() - began)


def rollback_mart(
    platform: Platform, plan: Plan, mart: str, *, to: int | None, by: str, reason: str
) -> Publication:
    """Make an earlier publication live again, and hold the mart there until it is released.

    ``to`` is its number; None means the one before the live one. Raises UserError when there is none.
    """
    with holding(platform, f"publication {mart}", f"rollback by {by}"):
        history = platform.ledger.publications(mart)
        if not history:
            raise UserError(f"{mart} was never published, so there is nothing to go back to.")
        live = history[0]
        target = next((p for p in history[1:] if to in (None, p.number) and p.tables != live.tables), None)
        if target is None:
            numbers = ", ".join(str(p.number) for p in history[1:10]) or "none"
            wanted = f"publication {to}" if to else "earlier publication"
            raise UserError(
                f"{mart} has no {wanted} that differs from the live one; earlier ones: {numbers}."
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


def release_mart(platform: Platform, mart: str) -> None:
    """Let builds publish a mart again. Raises UserError when it is not held."""
    if platform.ledger.hold_of(mart) is None:
        raise UserError(f"{mart} is not held; there is nothing to release.")
    platform.ledger.release(mart)


def derive(platform: Platform, plan: Plan, publication: Publication) -> None:
    """Write the folder that readers without a server open; doing so twice changes nothing."""
    publishing.derive(platform, plan, publication, versions_of(platform, publication))


def versions_of(platform: Platform, publication: Publication) -> dict[str, Version]:
    """Return the version of each table of a publication."""
    return {
        name: platform.ledger.version(name, table.fingerprint, table.version)
        for name, table in publication.tables.items()
    }


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
        read = {**read_by(platform, plan, run, name), name: pins[name]}
        reasons += [
            f"check {verdict.check} of {name} failed: {told_of(verdict)}"
            for verdict in bad_verdicts(plan.tables[name], pins[name], read, platform.ledger)
        ]
        reasons += [
            f"check {check.check.name} of {name} has no verdict on this version"
            for check in unjudged_checks(plan.tables[name], pins[name], read, platform.ledger)
            if check.check.blocks
        ]
    return (*reasons, *_disagreements(mart, pins))


def _disagreements(mart: PlannedMart, pins: Pins) -> list[str]:
    """Return a sentence for each input of which the mart's tables saw different contents."""
    seen: dict[str, dict[str, str]] = {name: {pins[name].content: name} for name in mart.tables}
    for name in mart.tables:
        for read, content in (pins[name].roots | pins[name].consumed).items():
            seen.setdefault(read, {})[content] = name
    return [
        f"its tables saw different contents of {read}: {', '.join(sorted(contents.values()))}"
        for read, contents in seen.items()
        if len(contents) > 1
    ]
