"""Landing goes on where it was killed, and says what is wrong when it cannot."""

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mart_platform.ports import CommitConflict
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Batch
from mart_platform.stages.landing import Refused
from mart_platform_tests.stages.orders_shop import HEADER, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


class Died(Exception):
    """The process was killed here."""


class DyingLedger:
    """Like the ledger, until a batch is to be added."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def add_batch(self, batch: Batch) -> None:
        raise Died


def test_a_batch_that_was_committed_before_the_process_died_is_adopted(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,2017-01-09\n")
    shop.land()
    shop.deliver("2.csv", HEADER + "2,2,2017-01-01\n")
    whole = shop.platform.ledger
    shop.platform.__dict__["ledger"] = DyingLedger(whole)
    with pytest.raises(Died):
        shop.land()
    shop.platform.__dict__["ledger"] = whole
    assert shop.pending() == ["exports/2.csv"]
    report = shop.land()
    assert report.landed == ()
    assert [batch.position for batch in report.adopted] == ["exports/2.csv"]
    assert [batch.position for batch in shop.batches] == ["exports/1.csv", "exports/2.csv"]
    assert shop.rows()["id"].to_list() == [1, 2]
    assert shop.platform.ledger.events(kind="late_rows")[0].details["batch"] == shop.batches[1].id
    head = shop.platform.lake.head(shop.table.path)
    assert head is not None
    assert head.number == 1


class OvertakenLake:
    """Like the lake, but somebody else does something just before a commit."""

    def __init__(self, lake: Any, before_commit: Callable[[], object]) -> None:
        self._lake, self._before_commit = lake, before_commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def commit(self, *args: Any, **kwargs: Any) -> int:
        self._before_commit()
        return int(self._lake.commit(*args, **kwargs))


def test_who_was_overtaken_lands_nothing_a_second_time(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,2017-01-09\n")
    shop.land()
    shop.deliver("2.csv", HEADER + "2,2,2017-01-10\n")
    whole = shop.platform.lake

    def overtake() -> None:
        shop.platform.__dict__["lake"] = whole
        shop.land()

    shop.platform.__dict__["lake"] = OvertakenLake(whole, overtake)
    with pytest.raises(CommitConflict):
        shop.land()
    assert [batch.position for batch in shop.batches] == ["exports/1.csv", "exports/2.csv"]
    listed = whole.files(shop.table.path, 1)
    assert sorted(listed) == sorted(file.path for batch in shop.batches for file in batch.files)


def test_a_ledger_that_was_lost_is_written_again_from_the_log_and_no_row_lands_twice(shop: Shop) -> None:
    for name, rows in (("1.csv", "1,1,\n"), ("2.csv", "2,x,\n20,2,\n"), ("1.csv", "3,3,\n")):
        shop.deliver(name, HEADER + rows)
        shop.land()
    batches, version = shop.batches, shop.version()
    del shop.platform.__dict__["ledger"]
    assert shop.batches == []
    report = shop.land()
    assert report.landed == ()
    assert report.adopted == tuple(shop.batches) == tuple(batches)
    assert shop.version() == version
    assert shop.quarantine().height == 1
    assert shop.pending() == []


def test_what_lands_after_a_lost_ledger_is_called_as_it_would_have_been(tmp_path: Path) -> None:
    ids = []
    for loses in (False, True):
        shop = Shop(tmp_path / str(loses))
        for content in ("1,1,\n", "2,2,\n", "1,1,\n"):
            shop.deliver("1.csv", HEADER + content)
            shop.land()
            if loses:
                del shop.platform.__dict__["ledger"]
        shop.land()
        ids.append([batch.id for batch in shop.batches])
    assert ids[0] == ids[1]


def test_a_ledger_that_is_ahead_of_the_lake_is_an_error(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n")
    shop.land()
    kept = shop.platform.data.lake.with_name("kept")
    shutil.copytree(shop.platform.data.lake, kept)
    shop.deliver("2.csv", HEADER + "2,2,\n")
    shop.land()
    shutil.rmtree(shop.platform.data.lake)
    with pytest.raises(UserError, match=r"the ledger knows 2 batches, and .* lacks 2 of them"):
        shop.land()
    kept.rename(shop.platform.data.lake)
    with pytest.raises(UserError, match=r"lacks 1 of them\. Put the folder back from a backup"):
        shop.land()


def test_a_kept_file_that_is_gone_damaged_or_unreadable_is_named_and_landing_goes_on_once_it_is_back(
    shop: Shop,
) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n")
    shop.land()
    kept = shop.platform.data.absolute(shop.batches[0].kept_as)
    content = kept.read_bytes()
    shop.declare("f2")
    kept.unlink()
    with pytest.raises(Refused, match=r"the copy from which .* is gone. Put it back from a backup"):
        shop.land()
    kept.mkdir()
    with pytest.raises(Refused, match="cannot be read: Is a directory"):
        shop.land()
    kept.rmdir()
    kept.write_bytes(content.replace(b"1,1,", b"1,7,"))
    with pytest.raises(Refused, match="is damaged: its bytes are not those that were delivered"):
        shop.land()
    assert shop.batches == []
    kept.write_bytes(content)
    assert shop.land().rows_landed == 1


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let each write beyond so many bytes of a file fail, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_without_room_for_a_delivery_is_told_and_the_next_run_goes_on(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n")
    shop.land()
    before = shop.files()
    shop.deliver("2.csv", HEADER + "".join(f"{number},1,\n" for number in range(100_000)))
    with no_file_larger_than(1 << 16), pytest.raises(Refused, match=r"cannot be kept in .*: File too large"):
        shop.land()
    assert shop.files() == before
    assert shop.land().rows_landed == 100_000
