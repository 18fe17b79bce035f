"""Dagster's home: below the data folder, unless somebody has one already."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import dagster as dg
from dagster._core.instance import DagsterInstanceOverrides, InstanceRef
from dagster._core.instance.config import dagster_instance_config

from mart_platform.orchestration import storage
from mart_platform.spec.layout import DataFolder

VARIABLE = "DAGSTER_HOME"

SETTINGS = """\
# Dagster's settings for this data folder; written once, change what you like.
telemetry:
  enabled: false
nux:
  enabled: false
freshness:
  enabled: true

storage:
  custom:
    module: mart_platform.orchestration.storage
    class: HomeStorage
    config:
      base_dir: {env: DAGSTER_HOME}

# One run at a time: marts share tables, and a build may take all the memory that it is allowed.
concurrency:
  runs:
    max_concurrent_runs: 1

# The sensor ticks every 30 seconds, and nearly all ticks find nothing.
retention:
  sensor:
    purge_after_days:
      skipped: 1
      success: 30
      failure: 30
  schedule:
    purge_after_days: 90
"""


def home_of(data: DataFolder, environment: Mapping[str, str]) -> Path:
    """Return the home that DAGSTER_HOME names, else the one below the data folder."""
    own = environment.get(VARIABLE)
    return Path(own).absolute() if own else data.dagster.absolute()


def make_home(home: Path) -> None:
    """Make a home that is not there yet, or is empty; one that holds anything is left as it is.

    Two processes that create Dagster's databases in one place at the same time break them for good. So the
    home is made whole under another name, and then appears at once; who comes second takes the first one's.
    """
    if home.is_dir() and any(home.iterdir()):
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    half_made = home.with_name(f".{home.name}-{uuid4().hex}")
    half_made.mkdir()
    try:
        (half_made / "dagster.yaml").write_text(SETTINGS, encoding="utf-8")
        with _opened(half_made, {}):
            pass
        half_made.rename(home)
    except OSError:
        if not (home.is_dir() and any(home.iterdir())):
            raise
    finally:
        shutil.rmtree(half_made, ignore_errors=True)


def open_home(home: Path, overrides: DagsterInstanceOverrides | None = None) -> dg.DagsterInstance:
    """Open a home, which is made when it is not there; ``overrides`` hold for this process only."""
    make_home(home)
    return _opened(home, overrides or {})


def _opened(home: Path, overrides: DagsterInstanceOverrides) -> dg.DagsterInstance:
    """Open a home that is there. Its settings may name DAGSTER_HOME, which need not be set here."""
    reference = InstanceRef.from_dir(str(home), overrides={**_storage_in(home), **overrides})
    return dg.DagsterInstance.from_ref(reference)


def _storage_in(home: Path) -> DagsterInstanceOverrides:
    """Return where the databases of a home are, unless its settings say that they are another kind."""
    settings, _ = dagster_instance_config(str(home))
    custom = settings.get("storage", {}).get("custom", {})
    if custom.get("module") != storage.__name__ and any(key.endswith("storage") for key in settings):
        return {}
    config = {"base_dir": str(home)}
    module, name = storage.__name__, storage.HomeStorage.__name__
    return {"storage": {"custom": {"module": module, "class": name, "config": config}}}
