"""A small shop with two nights of exports, in a folder of its own."""

from pathlib import Path

import pytest

from mart_platform_tests.orchestration.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop in which nothing was built yet."""
    return Shop.opened_in(tmp_path)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose mart is published; shared, so nobody may change it."""
    shop = Shop.opened_in(tmp_path_factory.mktemp("published"))
    assert shop.build().succeeded
    return shop
