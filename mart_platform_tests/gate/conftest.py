"""Lakes that are opened once for all tests of the gate: nothing can change them."""

from pathlib import Path

import pytest

from mart_platform_tests.gate.lake import EXTREMES, NOTHING, SOMETHING, Hidden, Lake, open_locked, write


def _lake(folder: Path, hidden: Hidden) -> Lake:
    write(folder, hidden)
    return open_locked(folder)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake in which rows are hidden on which most of what can raise does raise."""
    return _lake(tmp_path_factory.mktemp("lake"), SOMETHING)


@pytest.fixture(scope="session")
def lakes(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[Lake]:
    """Lakes that differ in nothing but what the clerk may not see."""
    others = [NOTHING, Hidden(3, EXTREMES[1:2], "06-15"), Hidden(4, EXTREMES[:2], "07-15")]
    return [lake, *(_lake(tmp_path_factory.mktemp("lake"), hidden) for hidden in others)]
