"""Legal holds: rows that nothing may remove until somebody releases them; each change is recorded."""

from datetime import date

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.versions import known_mart
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import Event, LegalHold


def hold_rows(
    platform: Platform,
    plan: Plan,
    name: str,
    mart: str,
    *,
    table: str | None = None,
    since: date | None = None,
    until: date | None = None,
    reason: str,
    by: str,
) -> LegalHold:
    """Put rows of a mart, or of one table of it, under a legal hold.

    Neither retention nor the vacuum touches them from now on: not those of the newest version, and not those
    that are live at this moment. Raises UserError for an unknown mart or table, an empty span, a name that is
    taken.
    """
    known_mart(plan, mart)
    if table is not None and table not in plan.marts[mart].tables:
        raise UserError(f"{mart} has no table '{table}'. {nearest(table, plan.marts[mart].tables)}")
    if since and until and since > until:
        raise UserError(f"No day is from {since} and until {until}; turn them round.")
    hold = LegalHold(
        name=name,
        mart=mart,
        table=table,
        since=since,
        until=until,
        reason=reason,
        by=by,
        at=platform.clock.wall(),
    )
    try:
        platform.ledger.add_legal_hold(hold)
    except ValueError as error:
        raise UserError(f"There is a legal hold '{name}' already; choose another name.") from error
    _tell(platform, "legal_hold", hold, by)
    return hold


def release_rows(platform: Platform, name: str, by: str) -> LegalHold:
    """End a legal hold: its rows are kept as all others are. Raises UserError when there is none."""
    holds = {hold.name: hold for hold in platform.ledger.legal_holds()}
    if name not in holds:
        raise UserError(f"There is no legal hold '{name}'. {nearest(name, holds)}")
    platform.ledger.release_legal_hold(name)
    _tell(platform, "legal_hold_released", holds[name], by)
    return holds[name]


def _tell(platform: Platform, kind: str, hold: LegalHold, by: str) -> None:
    details = {**hold.model_dump(mode="json"), "by": by}
    platform.ledger.add_event(Event(at=platform.clock.wall(), kind=kind, subject=hold.mart, details=details))
