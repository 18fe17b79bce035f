"""Golden pairs: a warehouse folder in, what the platform says of it out, compared whole.

Run ``python -m mart_platform_tests.golden.pairs`` to write the expected sides anew, and read the difference.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mart_platform.planning.planner import make_plan
from mart_platform.reading.folder import read_warehouse
from mart_platform.spec.problems import InvalidDeclarations

HERE = Path(__file__).parent
SHOP, KINDS = (HERE / name / "warehouse" for name in ("shop", "kinds"))
MISTAKES = sorted(HERE.glob("*/mistakes/*.txt"))


def plan_of(folder: Path) -> Path:
    """Return the file with the expected plan of a folder."""
    return folder.parent / "plan.json"


def plan_as_text(folder: Path) -> str:
    """Return the plan of a folder as JSON, without what depends on where it lies."""
    plan = make_plan(read_warehouse(folder)).model_dump(mode="json", exclude={"root", "digest"})
    return json.dumps(plan, indent=1, ensure_ascii=False) + "\n"


def problems_after(mistake: Path) -> str:
    """Return what is said about the folder beside a mistake with this made in it, one problem a line."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "warehouse"
        shutil.copytree(mistake.parent.parent / "warehouse", folder)
        for file, text in _edits(mistake):
            _edit(folder / file, text)
        try:
            make_plan(read_warehouse(folder))
        except InvalidDeclarations as error:
            return "".join(f"{problem}\n" for problem in error.problems)
        return ""


def edits_and_expectation(mistake: Path) -> tuple[str, str]:
    """Split the file of a mistake into what is edited and what is expected to be said."""
    edits, _, expected = mistake.read_text(encoding="utf-8").partition("\n====\n")
    return edits, expected


def _edits(mistake: Path) -> Iterator[tuple[str, str]]:
    for block in edits_and_expectation(mistake)[0].split("\n\n"):
        first, _, rest = block.partition("\n")
        yield first.removeprefix("in ").strip(), rest


def _edit(file: Path, text: str) -> None:
    """Edit a file: ``- old`` lines give way to ``+ new`` lines; with no old lines they are the whole file."""
    lines = text.splitlines()
    old = "\n".join(line[2:] for line in lines if line.startswith("- "))
    new = "\n".join(line[2:] for line in lines if line.startswith("+ "))
    file.parent.mkdir(parents=True, exist_ok=True)
    if not old:
        file.write_text(new + "\n", encoding="utf-8")
        return
    before = file.read_text(encoding="utf-8")
    if before.count(old) != 1:
        raise ValueError(f"{file.name} holds {before.count(old)} times: {old}")
    file.write_text(before.replace(old, new), encoding="utf-8")


def main() -> None:
    for folder in (SHOP, KINDS):
        plan_of(folder).write_text(plan_as_text(folder), encoding="utf-8")
    for mistake in MISTAKES:
        edits, _ = edits_and_expectation(mistake)
        mistake.write_text(
            f"{edits.rstrip()}\n\n====\n".replace("\n\n====", "\n====") + problems_after(mistake)
        )


if __name__ == "__main__":
    main()
