"""Promises about freshness: Dagster's policy for when somebody looked, a check for how old the data are."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dagster as dg

from mart_platform.orchestration.naming import READABLE, check_names, publication_key
from mart_platform.planning.plan import PlannedMart
from mart_platform.runs.watching import spoken
from mart_platform.spec.records import FreshnessState
from mart_platform.spec.slos import Slo

_WARN_AT = 0.8
_SHORTEST = timedelta(minutes=1)
"""Dagster takes no shorter window."""


def policy_of(mart: PlannedMart) -> dg.FreshnessPolicy | None:
    """Return the policy of a mart's publication: its strictest staleness objective, warning at 80 % of it.

    Dagster looks at the real time since the publication was last materialised, never at the data: it tells
    whether builds come round. The checks of ``objectives_of`` tell how old the data are.
    """
    promised = [slo.spec.objectives[0].value for slo in objectives_of(mart)]
    if not promised:
        return None
    fail = max(timedelta(seconds=min(promised)), _SHORTEST)
    warn = fail * _WARN_AT
    return dg.FreshnessPolicy.time_window(fail, warn if warn >= _SHORTEST else None)


def objectives_of(mart: PlannedMart) -> tuple[Slo, ...]:
    """Return the objectives of a mart that are about the staleness of its data."""
    return tuple(slo for slo in mart.slos if slo.sli == "staleness")


def objective_checks(mart: PlannedMart) -> dict[str, str]:
    """Map the names of a mart's staleness objectives to the names of their checks."""
    named = check_names([READABLE, *(slo.metadata.name for slo in objectives_of(mart))])
    return {name: check for name, check in named.items() if name != READABLE}


def check_results(mart: PlannedMart, states: Iterable[FreshnessState]) -> list[dg.AssetCheckResult]:
    """Return the states of a mart's objectives as results of their checks."""
    checks = objective_checks(mart)
    return [
        dg.AssetCheckResult(
            asset_key=publication_key(state.mart),
            check_name=checks[state.objective],
            passed=state.state == "kept",
            severity=_severity(state),
            description=_told(state),
            metadata=_metadata(mart, state),
        )
        for state in states
        if state.mart == mart.spec.mart and state.objective in checks
    ]


def check_evaluations(mart: PlannedMart, states: Iterable[FreshnessState]) -> list[dg.AssetCheckEvaluation]:
    """Return the same outside of any step."""
    return [
        dg.AssetCheckEvaluation(
            asset_key=publication_key(mart.spec.mart),
            check_name=str(result.check_name),
            passed=result.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
            blocking=False,
        )
        for result in check_results(mart, states)
    ]


def _severity(state: FreshnessState) -> dg.AssetCheckSeverity:
    """Return error for a broken promise, a warning for one that cannot be judged yet."""
    return dg.AssetCheckSeverity.WARN if state.state == "unknown" else dg.AssetCheckSeverity.ERROR


def _told(state: FreshnessState) -> str:
    """Return a state as a sentence."""
    if state.staleness is None:
        return "Nothing with a watermark is published yet."
    age = spoken(max(state.staleness, 0.0))
    told = f"The data are {age} old; promised are {spoken(state.promised)} at most."
    if state.state == "kept":
        return told
    return f"{told} Late by {spoken(state.late_by)}; late first: {state.late_first or 'unknown'}."


def _metadata(mart: PlannedMart, state: FreshnessState) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "state": state.state,
        "since (business clock)": dg.MetadataValue.timestamp(state.since),
        "promised (s)": state.promised,
        "late by (s)": state.late_by,
        "owner": mart.spec.owner.team,
        "on call": mart.spec.owner.on_call,
    }
    if state.staleness is not None:
        facts["staleness (s)"] = state.staleness
    if state.late_first:
        facts["late first"] = state.late_first
    return facts
