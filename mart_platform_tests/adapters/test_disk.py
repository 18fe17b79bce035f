"""A disk that is full or may not be written: each refusal is a sentence, and what was there stays whole.

The disks are real ones of a few megabytes, mounted for one process alone, which takes them along.
"""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mart_platform.adapters import disk

PROJECT = Path(__file__).parents[2]
_MOUNTING = ("unshare", "--map-root-user", "--mount", "sh", "-c")


def _may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*_MOUNTING, "mount -t tmpfs tmpfs /mnt"], check=False, capture_output=True)
    return tried.returncode == 0


on_a_small_disk = pytest.mark.skipif(not _may_mount(), reason="this machine lets nobody mount a small disk")

PRELUDE = """
import os, subprocess, sys
from pathlib import Path
from mart_platform.adapters.engines import DuckDBEngine
from mart_platform.adapters.lake import DeltaLake
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import EngineSettings

data = DataFolder(Path(sys.argv[1]) / "data")
engine, lake = DuckDBEngine(data, EngineSettings(memory="60MB", threads=2)), DeltaLake(data)
COLUMNS = {"n": "bigint", "s": "string"}
MANY = "SELECT range AS n, hash(range)::VARCHAR AS s FROM range(1_000_000)"

def write(sql="SELECT 1 AS n, 's' AS s", interval=None):
    with engine.session([]) as session:
        return session.write(sql, COLUMNS, data.lake / "t", interval)

def commit(path, files, base):
    return lake.commit(path, COLUMNS, files, base=base, append=True, metadata={"run": "r" * 9000})

def kept():
    return sorted(str(path.relative_to(data.root)) for path in data.root.rglob("*") if path.is_file())

def refused(said, step, *arguments):
    before = kept()
    try:
        step(*arguments)
    except UserError as error:
        assert said in str(error), error
    else:
        raise AssertionError("nothing was refused")
    assert kept() == before, (before, kept())

def fill():
    filler = os.open(data.root / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(filler, b"x" * 4096)
    except OSError:
        os.close(filler)
"""


def run_on_a_small_disk(place: Path, script: str) -> None:
    command = f"mount -t tmpfs -o size=4m tmpfs '{place}' && exec '{sys.executable}' -c \"$SCRIPT\" '{place}'"
    ran = subprocess.run(
        [*_MOUNTING, command],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "SCRIPT": PRELUDE + textwrap.dedent(script)},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


@on_a_small_disk
@pytest.mark.parametrize("interval", [None, "n % 12"])
def test_a_write_on_a_disk_that_becomes_full_leaves_nothing(tmp_path: Path, interval: str | None) -> None:
    script = f"""
        write()
        said = f"the disk is full: nothing more can be written below {{data.root}}"
        refused(said, write, MANY, {interval!r})
        refused(said, write, MANY + " ORDER BY s", {interval!r})
        assert list(data.temporary.iterdir()) == []
    """
    run_on_a_small_disk(tmp_path, script)


@on_a_small_disk
def test_a_model_on_a_disk_that_becomes_full_leaves_nothing(tmp_path: Path) -> None:
    script = """
        model = data.root / "model.py"
        data.root.mkdir()
        model.write_text("import polars as pl\\ndef model():\\n    n = pl.int_range(1_000_000, eager=True)\\n"
                         "    return pl.LazyFrame({'n': n, 's': n.hash().cast(pl.String)})\\n")
        def run_model():
            with engine.session([]) as session:
                session.write_model(model, {}, COLUMNS, data.lake / "t")
        refused("the disk is full", run_model)
    """
    run_on_a_small_disk(tmp_path, script)


@on_a_small_disk
def test_a_commit_on_a_full_disk_is_refused_and_can_be_made_when_there_is_room(tmp_path: Path) -> None:
    script = """
        commit("t", write(), None)
        more = write()
        fill()
        refused("the disk is full", commit, "t", more, 0)
        refused("the disk is full", commit, "u", [], None)
        assert lake.head("t").number == 0
        (data.root / "filler").unlink()
        assert commit("t", more, 0) == 1
        assert commit("u", [], None) == 0
        assert len(lake.files("t", 1)) == 2
    """
    run_on_a_small_disk(tmp_path, script)


@on_a_small_disk
def test_a_checkpoint_that_finds_no_room_does_not_undo_its_commit(tmp_path: Path) -> None:
    script = """
        commit("t", write(), None)
        for base in range(8):
            commit("t", write(), base)
        files = write()
        fill()
        # the entry takes three pages, the checkpoint more than the two that stay
        os.truncate(data.root / "filler", (data.root / "filler").stat().st_size - 5 * 4096)
        assert commit("t", files, 8) == 9
        assert not list((data.lake / "t").rglob("*.checkpoint.parquet"))
        assert len(lake.files("t", 9)) == 10
    """
    run_on_a_small_disk(tmp_path, script)


@on_a_small_disk
def test_what_may_not_be_written_is_named(tmp_path: Path) -> None:
    script = """
        files = write()
        commit("t", files, None)
        subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
        said = "cannot be written: Read-only file system. Give yourself the right to write there"
        refused(f"{data.lake / 't'} {said}", commit, "t", files, 0)
        refused(f"{data.lake / 'u'} {said}", commit, "u", [], None)
        refused(f"{data.lake / 't'} {said}", lake.delete, [files[0].path])
        refused(said, write)
        assert lake.head("t").number == 0
        assert len(lake.files("t", 0)) == 1
    """
    run_on_a_small_disk(tmp_path, script)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied", "/x"), "/lake cannot be written: Permission denied."),
        (
            OSError("Generic error ↳ Read-only file system (os error 30)"),
            "/lake cannot be written: Read-only",
        ),
        (OSError(28, os.strerror(28)), "the disk is full: nothing more can be written below /lake."),
        (OSError("Disk quota exceeded (os error 122)"), "the disk is full"),
    ],
)
def test_a_refusal_is_known_by_its_words(error: OSError, sentence: str) -> None:
    assert str(disk.refused(error, Path("/lake"))).startswith(sentence)


def test_another_error_is_no_refusal() -> None:
    assert disk.refused(OSError(5, "Input/output error"), Path("/lake")) is None
    assert disk.full(PermissionError(13, "Permission denied"), Path("/lake")) is None
