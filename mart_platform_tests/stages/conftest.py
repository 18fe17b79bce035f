"""The plan of the golden shop."""

import json

import pytest

from mart_platform.planning.plan import Plan
from mart_platform_tests.golden import pairs


@pytest.fixture
def shop_plan() -> Plan:
    """The reviewed plan of the shop: one source, two canonical tables, the mart ``orders``."""
    plan = json.loads(pairs.plan_of(pairs.SHOP).read_text(encoding="utf-8"))
    return Plan.model_validate({**plan, "root": "/warehouse", "digest": "0" * 16})
