"""Promises about freshness held against watermarks; every change is recorded and told to somebody."""

from datetime import datetime

from mart_platform.planning.plan import Plan, PlannedMart
from mart_platform.ports import Notice, Platform
from mart_platform.runs.inspecting import watermark_path
from mart_platform.spec.records import Event, FreshnessState, Kept
from mart_platform.spec.slos import Slo


def watch(platform: Platform, plan: Plan) -> list[FreshnessState]:
    """Judge every staleness objective now, and record and tell what changed; return all states."""
    before = {(state.mart, state.objective): state for state in platform.ledger.freshness()}
    states = [
        _judged(platform, plan, mart, slo, before.get((name, slo.metadata.name)))
        for name, mart in plan.marts.items()
        for slo in mart.slos
        if slo.sli == "staleness"
    ]
    for state in states:
        known = before.get((state.mart, state.objective))
        platform.ledger.record_freshness(state)
        if known is None or known.state != state.state:
            _changed(platform, plan.marts[state.mart], known, state)
    return states


def _judged(
    platform: Platform, plan: Plan, mart: PlannedMart, slo: Slo, before: FreshnessState | None
) -> FreshnessState:
    """Return the state of one objective; ``since`` stays while the state does."""
    name, promised, now = mart.spec.mart, slo.spec.objectives[0].value, platform.clock.now()
    live = platform.ledger.live(name)
    watermark = live.watermark if live else None
    staleness = (now - watermark).total_seconds() if watermark else None
    late_by = max(0.0, staleness - promised) if staleness is not None else 0.0
    state: Kept = "unknown" if staleness is None else "broken" if late_by > 0 else "kept"
    late_first = _late_first(platform, plan, mart) if state == "broken" else None
    return FreshnessState(
        mart=name,
        objective=slo.metadata.name,
        state=state,
        since=before.since if before and before.state == state else now,
        staleness=staleness,
        promised=promised,
        late_by=late_by,
        late_first=late_first,
    )


def _late_first(platform: Platform, plan: Plan, mart: PlannedMart) -> str | None:
    """Return the table furthest upstream that holds the mart's watermark back."""
    found: list[tuple[datetime, str]] = []
    for table in mart.tables:
        name, watermark = watermark_path(platform, plan, table)
        if watermark is not None:
            found.append((watermark, name))
    return min(found)[1] if found else None


def _changed(
    platform: Platform, mart: PlannedMart, before: FreshnessState | None, state: FreshnessState
) -> None:
    """Record a change, and tell the on-call about each broken promise and each one that is kept again."""
    details = state.model_dump(mode="json") | {"before": before.state if before else None}
    platform.ledger.add_event(
        Event(at=platform.clock.wall(), kind="freshness", subject=state.mart, details=details)
    )
    recovered = before is not None and before.state == "broken" and state.state == "kept"
    if state.state != "broken" and not recovered:
        return
    notice = Notice(
        title=f"{mart.spec.title} is {'late' if state.state == 'broken' else 'fresh again'}",
        text=_told(mart, state),
        on_call=mart.spec.owner.on_call,
        mart=state.mart,
    )
    for notifier in platform.notifiers:
        if reason := notifier.notify(notice):
            platform.ledger.add_event(
                Event(
                    at=platform.clock.wall(),
                    kind="not_notified",
                    subject=state.mart,
                    details={"reason": reason},
                )
            )


def _told(mart: PlannedMart, state: FreshnessState) -> str:
    owner = mart.spec.owner
    if state.state == "kept":
        since = f"{state.since:%Y-%m-%d %H:%M} UTC"
        return f"{state.objective} of {state.mart} ({owner.team}) is kept again since {since}."
    return (
        f"{state.objective} of {state.mart} ({owner.team}, {owner.contact}) is broken "
        f"since {state.since:%Y-%m-%d %H:%M} UTC: late by {spoken(state.late_by)}, promised are "
        f"{spoken(state.promised)}. Late first: {state.late_first or 'unknown'}. "
        f"Runbook: {mart.folder}/runbooks/{state.objective}.md"
    )


def spoken(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> spoken(108000)
    '30 h'
    """
    for size, unit in ((172800, "d"), (5400, "h"), (90, "min")):
        if seconds >= size:
            return f"{seconds / {'d': 86400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"
