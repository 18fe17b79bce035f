"""One shop, built once; and for each module of tests a server over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mart_platform_tests.serving.house import Browser, House, ServedShop, copy_of, open_shop


@pytest.fixture(scope="session")
def published_shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop that is published; to be copied, not changed."""
    return open_shop(tmp_path_factory.mktemp("served") / "shop")


@pytest.fixture(scope="module")
def house(published_shop: ServedShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that the tests of a module share."""
    with House(copy_of(published_shop, tmp_path_factory.mktemp("house") / "shop")) as house:
        yield house


@pytest.fixture
def own_house(published_shop: ServedShop, tmp_path: Path) -> Iterator[House]:
    """A server that a test may change or stop."""
    with House(copy_of(published_shop, tmp_path / "shop")) as house:
        yield house


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


@pytest.fixture
def ada(browser: Browser) -> Browser:
    """A browser in which ada has logged in."""
    assert browser.log_in().status == 200
    return browser
