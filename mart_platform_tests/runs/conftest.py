from pathlib import Path

import pytest

from mart_platform_tests.runs.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def built_shop(shop: Shop) -> Shop:
    shop.build()
    return shop
