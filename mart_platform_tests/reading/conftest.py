"""A warehouse folder to make mistakes in."""

import shutil
from pathlib import Path

import pytest

from mart_platform.reading.folder import read_warehouse
from mart_platform.spec.problems import InvalidDeclarations
from mart_platform.spec.warehouse import Warehouse
from mart_platform_tests.golden.pairs import SHOP


class Shop:
    """A copy of the golden warehouse folder, which holds every kind of declaration and no mistake."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(SHOP, root)

    def change(self, file: str, old: str, new: str) -> "Shop":
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return self

    def add(self, file: str, content: str | bytes = "") -> "Shop":
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def remove(self, file: str) -> "Shop":
        (self.root / file).unlink()
        return self

    def read(self) -> Warehouse:
        return read_warehouse(self.root)

    def problems(self) -> list[str]:
        """Return the problems of the folder as people see them."""
        with pytest.raises(InvalidDeclarations) as refused:
            self.read()
        return [str(problem) for problem in refused.value.problems]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")
