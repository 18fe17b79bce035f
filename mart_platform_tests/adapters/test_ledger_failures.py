"""A ledger that fails says why, and goes on when the reason is gone; each with the real thing."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

from mart_platform.adapters.ledger import open_ledger
from mart_platform.spec.problems import UserError
from mart_platform_tests.adapters.ledger_records import TABLE, a_build, a_version


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user reaches."""
    folder = Path(tempfile.mkdtemp(prefix="mart-ledger-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def test_a_lock_that_is_not_let_go_is_told_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "l.sqlite"
    with (
        closing(open_ledger(file, busy_seconds=0.1)) as ledger,
        closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match=f"{file} is locked by another process"):
            ledger.set_setting("a", "b")
        assert ledger.setting("a") is None
        other.execute("ROLLBACK")
        ledger.set_setting("a", "b")


def test_a_lock_on_a_server_that_is_not_let_go_is_told(empty_postgresql: str) -> None:
    psycopg = import_module("psycopg")  # installed with an extra only
    with (
        closing(open_ledger(empty_postgresql, busy_seconds=0.2)) as ledger,
        closing(psycopg.connect(empty_postgresql)) as other,
    ):
        other.execute("LOCK TABLE mart_ledger.settings")
        with pytest.raises(UserError, match=r"/postgres is locked by another process.*pg_locks"):
            ledger.set_setting("a", "b")
        other.rollback()
        ledger.set_setting("a", "b")


def test_a_server_that_was_restarted_is_reached_again(empty_postgresql: str) -> None:
    psycopg = import_module("psycopg")
    with closing(open_ledger(empty_postgresql)) as ledger:
        ledger.set_setting("a", "b")
        with closing(psycopg.connect(empty_postgresql)) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            )
        assert ledger.setting("a") == "b"


def test_a_file_that_was_removed_under_an_open_ledger_is_named_and_not_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "l.sqlite"
    with closing(open_ledger(file)) as ledger:
        ledger.set_setting("a", "b")
        file.rename(tmp_path / "elsewhere")
        with pytest.raises(UserError, match=f"{file} is gone"):
            ledger.set_setting("a", "c")
        with pytest.raises(UserError, match=f"{file} is gone"):
            ledger.setting("a")
        assert not file.exists()
        (tmp_path / "elsewhere").rename(file)
        assert ledger.setting("a") == "b"


def test_a_file_that_was_put_in_the_place_of_the_ledger_is_read_from_then_on(tmp_path: Path) -> None:
    file, backup = tmp_path / "l.sqlite", tmp_path / "backup.sqlite"
    with closing(open_ledger(backup)) as other:
        other.set_setting("a", "of the backup")
    with closing(open_ledger(file)) as ledger:
        ledger.set_setting("a", "lost")
        for each in tmp_path.glob("l.sqlite*"):
            each.unlink()
        shutil.copy(backup, file)
        assert ledger.setting("a") == "of the backup"
        ledger.set_setting("a", "new")
    with closing(open_ledger(file)) as again:
        assert again.setting("a") == "new"


FILLS_THE_DISK = f"""
from pathlib import Path
from mart_platform.adapters.ledger import open_ledger
from mart_platform.spec.problems import UserError
from mart_platform_tests.adapters.ledger_records import a_build, a_version

folder = Path("FOLDER")
ledger = open_ledger(folder / "l.sqlite")
ledger.record_build(a_build("v1"), a_version(a_build("v1")))
with (folder / "filler").open("wb", buffering=0) as filler:
    try:
        while filler.write(b"x" * 4096):
            pass
    except OSError:
        print("full", flush=True)
try:
    for number in range(1000):
        ledger.set_setting(str(number), "x" * 4096)
except UserError as error:
    print(error)
assert ledger.latest_build("{TABLE}", "f1") == a_build("v1")
(folder / "filler").unlink()
ledger.set_setting("a", "b")
assert ledger.setting("a") == "b"
assert ledger.version("{TABLE}", "f1", "v1") == a_version(a_build("v1"))
print("goes on")
"""


def test_a_full_disk_is_told_and_the_ledger_goes_on_when_there_is_room(tmp_path: Path) -> None:
    mounted = f"mount -t tmpfs -o size=2M none {tmp_path}"
    if shutil.which("unshare") is None or os.system(f"unshare -rm sh -c '{mounted}' 2>/dev/null") != 0:
        pytest.skip("no small disk can be made here")
    script = FILLS_THE_DISK.replace("FOLDER", str(tmp_path))
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mounted} && exec "$0" -c "$1"', sys.executable, script],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "full",
        f"The ledger {tmp_path}/l.sqlite cannot grow, because the disk is full. Make room and try again.",
        "goes on",
    ]


def test_a_folder_in_which_no_ledger_can_be_made_is_named(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    assert _told_to_a_user_without_rights(open_folder) == (
        f"The ledger cannot be made, because {open_folder}/l.sqlite.lock cannot be written "
        "(Permission denied). Give yourself the right to write in its folder."
    )


@pytest.mark.parametrize(("of_file", "of_folder"), [(0o444, 0o777), (0o666, 0o555)])
def test_a_ledger_or_its_folder_that_may_not_be_written_is_named(
    open_folder: Path, of_file: int, of_folder: int
) -> None:
    with closing(open_ledger(open_folder / "l.sqlite")) as ledger:
        ledger.record_build(a_build(), a_version(a_build()))
    (open_folder / "l.sqlite").chmod(of_file)
    open_folder.chmod(of_folder)
    assert _told_to_a_user_without_rights(open_folder) == (
        f"The ledger {open_folder}/l.sqlite may not be written. "
        "Give yourself the right to write the file and its folder."
    )


def _told_to_a_user_without_rights(folder: Path) -> str:
    """Return the error that a process gets that is not root, or has ceased to be."""
    script = (
        "import os\n"
        "from mart_platform.adapters.ledger import open_ledger\n"
        "from mart_platform.spec.problems import UserError\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"try: open_ledger({str(folder / 'l.sqlite')!r}).set_setting('a', 'b')\n"
        "except UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return done.stdout.strip()
