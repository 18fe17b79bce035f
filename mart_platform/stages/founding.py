"""Founding: a first warehouse folder, small and complete, to build as it stands and to copy from."""

import shutil
from pathlib import Path
from uuid import uuid4

from mart_platform.spec.problems import UserError

_FIRST_WAREHOUSE = Path(__file__).parent / "first_warehouse"


def found_warehouse(folder: Path) -> list[Path]:
    """Write a first warehouse into a folder that is new (then as a whole) or empty, and return its files.

    Raises UserError when the folder holds anything, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already, and is not empty; name a new folder.")
    half_written = folder.absolute().with_name(f".{folder.absolute().name}-{uuid4().hex}")
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(_FIRST_WAREHOUSE, half_written)
        _put(half_written, folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(half_written, ignore_errors=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _put(made: Path, folder: Path) -> None:
    """Move what was made into its place; an empty folder stays itself, for it may be where somebody works."""
    if not folder.exists():
        made.rename(folder)
        return
    for path in made.iterdir():
        path.rename(folder / path.name)
