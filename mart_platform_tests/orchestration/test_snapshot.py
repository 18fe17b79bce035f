"""What Dagster knows of the built-in warehouse, as a file that shows each change of it for review.

After a change that is meant: ``python -m mart_platform_tests.orchestration.test_snapshot`` writes it anew.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg

from mart_platform.assembly import BUILT_IN, Assembled, Places, plan_of
from mart_platform.orchestration.defining import definitions_of
from mart_platform.spec.layout import DataFolder

SNAPSHOT = Path(__file__).parent / "snapshots" / "built_in_warehouse.json"


def test_assets_checks_jobs_schedules_sensors_and_policies_are_as_reviewed(tmp_path: Path) -> None:
    assert described(tmp_path) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def described(data: Path) -> dict[str, Any]:
    places = Places(BUILT_IN, data)
    plan = plan_of(places)
    definitions = definitions_of(plan, DataFolder(data), lambda: Assembled(places, plan.settings))
    dg.Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    return {
        "assets": {
            spec.key.to_user_string(): _asset(spec, definitions)
            for spec in sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)
        },
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
            for job in repository.get_all_jobs()
            if not job.name.startswith("__")
        },
        "schedules": {
            schedule.name: {
                "job": schedule.job_name,
                "cron": schedule.cron_schedule,
                "zone": schedule.execution_timezone,
                "default": schedule.default_status.value,
            }
            for schedule in repository.schedule_defs
        },
        "sensors": {
            sensor.name: {
                "seconds": sensor.minimum_interval_seconds,
                "default": sensor.default_status.value,
            }
            for sensor in repository.sensor_defs
        },
        "resources": sorted(repository.get_top_level_resources()),
    }


def _asset(spec: dg.AssetSpec, definitions: dg.Definitions) -> dict[str, Any]:
    checks = definitions.resolve_asset_graph().assets_def_for_key(spec.key).check_specs
    return {
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "tags": {name: value for name, value in spec.tags.items() if not name.startswith("dagster/kind/")},
        "after": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "checks": {check.name: "blocks" if check.blocking else "reports" for check in checks},
        "freshness": _policy(spec.freshness_policy),
    }


def _policy(policy: Any) -> dict[str, float] | None:
    if policy is None:
        return None
    return {
        "fail after seconds": policy.fail_window.to_timedelta().total_seconds(),
        "warn after seconds": policy.warn_window.to_timedelta().total_seconds(),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(described(Path(folder)), indent=2, ensure_ascii=False)
    SNAPSHOT.write_text(f"{text}\n", encoding="utf-8")
