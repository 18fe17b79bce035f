"""The entry point of Dagster's own tools: ``workspace.yaml`` names this module.

The folders are those that MART_WAREHOUSE and MART_DATA name. What is wrong with the warehouse folder is the
error that Dagster shows in the place of the assets.
"""

import os
from functools import cache

from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.orchestration.defining import definitions_of
from mart_platform.spec.layout import DataFolder

_places = Places.told_by(os.environ)
_plan = plan_of(_places)


@cache
def _platform() -> Assembled:
    """Open the platform once for each process, when the first step or tick asks for it."""
    return Assembled(_places, _plan.settings)


defs = definitions_of(_plan, DataFolder(_places.data), _platform)
