"""The sensor that watches the promises about freshness, and buries the runs that nobody carries any more."""

import json

import dagster as dg

from mart_platform.orchestration import freshness
from mart_platform.orchestration.reaping import reap_dead_runs
from mart_platform.orchestration.resources import OpenPlatform
from mart_platform.planning.plan import Plan
from mart_platform.runs.watching import watch
from mart_platform.spec.records import FreshnessState

INTERVAL = 30


def freshness_sensor(plan: Plan) -> dg.SensorDefinition:
    """Return the sensor, which is on by default and asks no asset to be built.

    Every change is recorded in the ledger and told to the on-call by ``runs.watching``; the sensor shows it
    as the check that the objective is declared as. Its cursor holds what it has shown.
    """

    @dg.sensor(
        name="freshness",
        description="Judges each promise about freshness by the watermark of what is live.",
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={"platform"},
    )
    def sense(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        opened: OpenPlatform = context.resources.platform
        reap_dead_runs(context.instance, opened.ports)
        states = watch(opened.ports, plan)
        shown = json.loads(context.cursor) if context.cursor else {}
        changed = [state for state in states if shown.get(_name(state)) != _signature(state)]
        if not changed:
            return dg.SensorResult(skip_reason=f"{len(states)} promises are as they were.")
        events = [
            event for mart in plan.marts.values() for event in freshness.check_evaluations(mart, changed)
        ]
        cursor = json.dumps({_name(state): _signature(state) for state in states})
        return dg.SensorResult(asset_events=events, cursor=cursor)

    return sense


def _name(state: FreshnessState) -> str:
    return f"{state.mart}/{state.objective}"


def _signature(state: FreshnessState) -> list[str | None]:
    """Return what is worth a new event: the state and who is late first, not each second of lateness."""
    return [state.state, state.late_first]
