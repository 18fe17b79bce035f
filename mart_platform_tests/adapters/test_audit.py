"""The audit log: what was acknowledged is there, and whatever was done to the files afterwards is found."""

import json
import logging
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.audit import FileAudit
from mart_platform.adapters.ledger import open_ledger
from mart_platform.ports import Audit, AuditUnavailable
from mart_platform.spec.entries import AccessEntry, ConnectEntry, Entry, QueryEntry
from mart_platform.spec.problems import UserError
from mart_platform_tests.fakes import MemoryAudit, MemoryLedger

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
KEY = b"a key of the audit log"


def a_query(identity: str, at: datetime = NOON, text: str = "SELECT 1", **more: Any) -> QueryEntry:
    return QueryEntry(
        id=identity,
        at=at,
        principal="ada",
        door="http",
        text=text,
        outcome="answered",
        versions={"sales": 3},
        **more,
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


@pytest.fixture(params=["memory", "files"])
def audit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Audit]:
    opened = (
        MemoryAudit() if request.param == "memory" else FileAudit(tmp_path / "audit", KEY, MemoryLedger())
    )
    with closing(opened):
        yield opened


class TestEveryAudit:
    def test_gives_back_entries_of_all_kinds_in_their_order(self, audit: Audit) -> None:
        entries: list[Entry] = [
            a_query(
                "q1",
                parameters=(1, "x", None),
                masked={"sales.orders.email": "partial"},
                steps={"parse": 0.4},
            ),
            AccessEntry(
                id="a1", at=NOON, by="carl", what="role_granted", principal="ada", role="sales.manager"
            ),
            ConnectEntry(id="c1", at=NOON, client="10.0.0.1", how="secret", succeeded=False, noise=True),
        ]
        sealed = [audit.append(entry) for entry in entries]
        assert [each.entry for each in audit.entries()] == entries
        assert list(audit.entries()) == sealed
        assert [each.number for each in sealed] == [1, 2, 3]
        assert audit.verify() == []

    def test_seals_each_entry_over_the_one_before(self, audit: Audit) -> None:
        sealed = [audit.append(a_query("same")) for _ in range(4)]
        assert all(after.previous == before.hash for before, after in pairwise(sealed))
        assert len({each.hash for each in sealed}) == 4

    def test_gives_entries_of_a_span(self, audit: Audit) -> None:
        for hour in range(6):
            audit.append(a_query(f"q{hour}", NOON + timedelta(hours=hour)))
        span = audit.entries(since=NOON + timedelta(hours=2), until=NOON + timedelta(hours=4))
        assert [sealed.entry.id for sealed in span] == ["q2", "q3"]

    def test_finds_an_entry_by_its_id(self, audit: Audit) -> None:
        for number in range(5):
            audit.append(a_query(f"q{number}", parameters={"id": "q9"}))
        found = audit.find("q3")
        assert found is not None
        assert (found.number, found.entry.id) == (4, "q3")
        assert audit.find("q9") is None

    def test_keeps_a_policy_once_under_its_digest(self, audit: Audit) -> None:
        audit.keep_policy("ab12cd34", '{"rows": "store = 1"}')
        audit.keep_policy("ab12cd34", '{"rows": "store = 1"}')
        assert audit.policy("ab12cd34") == '{"rows": "store = 1"}'
        assert audit.policy("00000000") is None

    def test_takes_a_text_that_is_no_text(self, audit: Audit) -> None:
        audit.append(a_query("q1", text="SELECT '\ud800'", parameters=(b"\xff\x00", float("nan"))))
        assert len(list(audit.entries())) == 1
        assert audit.verify() == []

    def test_retires_what_is_old_and_says_so(self, audit: Audit) -> None:
        months = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 1, 2, 3)]
        for number, at in enumerate(months):
            audit.append(a_query(f"q{number}", at))
        assert audit.retire(datetime(2026, 2, 15, tzinfo=UTC)) == 3
        left = list(audit.entries())
        assert [each.entry.id for each in left if isinstance(each.entry, QueryEntry)] == ["q3"]
        assert [each.entry.what for each in left if isinstance(each.entry, AccessEntry)] == ["audit_retired"]
        assert audit.verify() == []
        assert audit.retire(datetime(2026, 2, 15, tzinfo=UTC)) == 0


class TestWriting:
    def test_what_was_written_at_the_same_time_is_one_chain(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger())) as audit:
            clients = [
                threading.Thread(target=lambda n=n: [audit.append(a_query(f"{n}-{i}")) for i in range(25)])
                for n in range(16)
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            numbers = [sealed.number for sealed in audit.entries()]
            assert numbers == list(range(1, 401))
            assert audit.verify() == []

    def test_two_processes_that_take_turns_write_one_chain(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        server, command = (FileAudit(tmp_path / "audit", KEY, ledger, segment_bytes=900) for _ in "ab")
        with closing(server), closing(command):
            for number in range(12):
                (server if number % 3 else command).append(a_query(f"q{number}"))
            assert [sealed.entry.id for sealed in server.entries()] == [f"q{n}" for n in range(12)]
            assert command.verify() == []
        assert len(files(tmp_path / "audit")) > 2

    def test_processes_that_write_at_once_write_one_chain(self, tmp_path: Path) -> None:
        with closing(open_ledger(tmp_path / "l.sqlite")):
            pass
        script = (
            f"import sys; sys.path[:0] = {sys.path!r}; from pathlib import Path\n"
            "from mart_platform_tests.adapters.test_audit import a_query, KEY, FileAudit, open_ledger\n"
            f"place = Path({str(tmp_path)!r}); ledger = open_ledger(place / 'l.sqlite')\n"
            "audit = FileAudit(place / 'audit', KEY, ledger)\n"
            "for n in range(40): audit.append(a_query(f'{sys.argv[1]}-{n}'))\n"
            "audit.close(); ledger.close()\n"
        )
        processes = [subprocess.Popen([sys.executable, "-c", script, str(n)]) for n in range(3)]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        with closing(open_ledger(tmp_path / "l.sqlite")) as ledger:
            audit = FileAudit(tmp_path / "audit", KEY, ledger)
            assert [sealed.number for sealed in audit.entries()] == list(range(1, 121))
            assert audit.verify() == []

    def test_begins_a_new_file_when_one_is_full_and_when_a_month_is_over(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger(), segment_bytes=1500)) as audit:
            for number in range(8):
                audit.append(a_query(f"q{number}", NOON if number < 7 else NOON + timedelta(days=30)))
            assert audit.find("q0") is not None
        assert len(files(tmp_path / "audit")) > 2
        assert files(tmp_path / "audit")[-1].name == "000000000008-2026-12.jsonl"

    def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger())) as audit:
            audit.append(a_query("q1"))
        assert (tmp_path / "audit").stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in files(tmp_path / "audit"))

    def test_a_digest_cannot_name_a_file_elsewhere(self, tmp_path: Path) -> None:
        audit = FileAudit(tmp_path / "audit", KEY, MemoryLedger())
        with pytest.raises(ValueError, match="no digest"):
            audit.keep_policy("../../ab12cd34", "{}")

    def test_an_older_entry_with_fewer_fields_still_verifies(self, tmp_path: Path) -> None:
        """The seal is over what was written, not over what today's records make of it."""
        with closing(FileAudit(tmp_path / "audit", None, MemoryLedger())) as audit:
            audit.append(a_query("q1"))
            written = files(tmp_path / "audit")[0].read_text()
            assert json.loads(written)["entry"]["fenced"] is False
            assert audit.verify() == []


class TestFailing:
    def test_a_disk_that_is_full_is_told_and_nothing_half_written_stays(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger())) as audit:
            audit.append(a_query("q1"))
            size = files(tmp_path / "audit")[0].stat().st_size
            with room_for(size + 100), pytest.raises(AuditUnavailable, match="cannot be written"):
                audit.append(a_query("q2"))
            assert files(tmp_path / "audit")[0].stat().st_size == size
            assert audit.append(a_query("q3")).number == 2
            assert audit.verify() == []

    def test_all_that_waited_for_a_failed_write_are_told(self, tmp_path: Path) -> None:
        told: list[str] = []

        def append(number: int) -> None:
            try:
                log.append(a_query(f"q{number}"))
            except AuditUnavailable:
                told.append("refused")

        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger())) as log:
            log.append(a_query("q"))
            with room_for(files(tmp_path / "audit")[0].stat().st_size):
                clients = [threading.Thread(target=append, args=(n,)) for n in range(8)]
                for client in clients:
                    client.start()
                for client in clients:
                    client.join()
            assert told == ["refused"] * 8
            assert [sealed.entry.id for sealed in log.entries()] == ["q"]

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "audit").write_text("something else")
        audit = FileAudit(tmp_path / "audit", KEY, MemoryLedger())
        with pytest.raises(AuditUnavailable, match="cannot be written"):
            audit.append(a_query("q1"))
        with pytest.raises(AuditUnavailable, match="cannot be written"):
            audit.keep_policy("ab12cd34", "{}")

    def test_a_log_that_was_cut_takes_no_entry_that_would_hide_it(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            for number in range(4):
                audit.append(a_query(f"q{number}"))
        whole = files(tmp_path / "audit")[0].read_bytes()
        files(tmp_path / "audit")[0].write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            with pytest.raises(AuditUnavailable, match="does not hold entry 4"):
                audit.append(a_query("q5"))
            assert [fault.number for fault in audit.verify()] == [4]
            begun = audit.begin_anew("carl", "cut off by hand")
            assert isinstance(begun.entry, AccessEntry)
            assert (begun.number, begun.entry.by, begun.entry.text) == (
                5,
                "carl",
                "after entry 4: cut off by hand",
            )
            assert audit.append(a_query("q6")).number == 6
            assert audit.verify() == []
        assert len(list((tmp_path / "audit").glob("set-aside-4-*/*.jsonl"))) == 1

    def test_a_log_that_is_whole_is_not_set_aside(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger())) as audit:
            audit.append(a_query("q1"))
            with pytest.raises(UserError, match="is whole"):
                audit.begin_anew("carl", "for no reason")
            assert len(list(audit.entries())) == 1

    def test_a_log_that_was_removed_while_it_is_written_is_missed(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger())) as audit:
            audit.append(a_query("q1"))
            files(tmp_path / "audit")[0].unlink()
            with pytest.raises(AuditUnavailable, match="does not hold entry 1"):
                audit.append(a_query("q2"))

    def test_a_killed_writer_loses_nothing_that_was_acknowledged(self, tmp_path: Path) -> None:
        script = (
            f"import os, sys; sys.path[:0] = {sys.path!r}; from pathlib import Path\n"
            "from mart_platform_tests.adapters.test_audit import a_query, KEY, FileAudit, open_ledger\n"
            f"place = Path({str(tmp_path)!r}); ledger = open_ledger(place / 'l.sqlite')\n"
            "audit = FileAudit(place / 'audit', KEY, ledger); n = 0\n"
            "while True:\n"
            "    audit.append(a_query(f'q{n}')); os.write(1, f'{n}\\n'.encode()); n += 1\n"
        )
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(60)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().splitlines(keepends=True)
        process.stdout.close()
        process.wait()
        with (
            closing(open_ledger(tmp_path / "l.sqlite")) as ledger,
            closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit,
        ):
            audit.append(a_query("after"))
            kept = {sealed.entry.id for sealed in audit.entries()}
            assert {f"q{int(number)}" for number in acknowledged} <= kept
            assert audit.verify() == []

    def test_a_torn_last_line_is_found_then_set_aside_and_told(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger = MemoryLedger()
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            audit.append(a_query("q1"))
        with files(tmp_path / "audit")[0].open("ab") as file:
            file.write(b'{"number":2,"previous":"ab')
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            assert ["not written to its end" in fault.found for fault in audit.verify()] == [True]
            with caplog.at_level(logging.WARNING):
                assert audit.append(a_query("q2")).number == 2
            assert "torn line of 26 bytes" in caplog.text
            assert audit.verify() == []
        assert [path.read_bytes() for path in (tmp_path / "audit").glob("torn-*")] == [
            b'{"number":2,"previous":"ab'
        ]

    def test_a_writer_that_was_killed_before_the_first_entry_of_a_file_leaves_no_trace(
        self, tmp_path: Path
    ) -> None:
        ledger = MemoryLedger()
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            audit.append(a_query("q1"))
        (tmp_path / "audit" / "000000000002-2026-12.jsonl").touch()
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            assert audit.append(a_query("q2")).number == 2
            assert audit.verify() == []

    def test_a_retirement_that_was_killed_is_finished_by_the_next(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            for month in (1, 2, 3):
                audit.append(a_query(f"q{month}", datetime(2026, month, 1, tzinfo=UTC)))
            first = files(tmp_path / "audit")[0]
            retired = first.read_bytes()
            audit.retire(datetime(2026, 1, 15, tzinfo=UTC))
            first.write_bytes(retired)  # as if it had been killed before it could remove it
            assert audit.verify() == []
            assert "q1" not in {sealed.entry.id for sealed in audit.entries()}
            assert audit.retire(datetime(2026, 1, 15, tzinfo=UTC)) == 0
            assert not first.exists()


class TestVerifying:
    def test_the_ledger_gives_away_a_log_that_was_replaced_as_a_whole(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        with closing(FileAudit(tmp_path / "audit", None, ledger)) as audit:
            audit.append(a_query("q1"))
        with closing(FileAudit(tmp_path / "forged", None, MemoryLedger())) as forged:
            forged.append(a_query("q2"))
            assert forged.verify() == []
        files(tmp_path / "forged")[0].replace(files(tmp_path / "audit")[0])
        faults = FileAudit(tmp_path / "audit", None, ledger).verify()
        assert ["the log was replaced" in fault.found for fault in faults] == [True]

    def test_the_ledger_gives_away_a_log_that_is_gone(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            audit.append(a_query("q1"))
        files(tmp_path / "audit")[0].unlink()
        assert [fault.number for fault in FileAudit(tmp_path / "audit", KEY, ledger).verify()] == [1]

    def test_nobody_without_the_key_can_forge_an_entry(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", b"another", MemoryLedger())) as forged:
            forged.append(a_query("q1"))
        faults = FileAudit(tmp_path / "audit", KEY, MemoryLedger()).verify()
        assert "sealed with another key" in faults[0].found

    def test_a_fault_names_the_file_and_the_entry_and_the_rest_is_judged_too(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        with closing(FileAudit(tmp_path / "audit", KEY, ledger)) as audit:
            for number in range(1, 10):
                audit.append(a_query(f"q{number}"))
        [file] = files(tmp_path / "audit")
        changed = file.read_text().replace('"q3"', '"q0"').replace('"q7"', '"q0"')
        file.write_text(changed)
        faults = FileAudit(tmp_path / "audit", KEY, ledger).verify()
        assert [(fault.file, fault.number) for fault in faults] == [(file.name, 3), (file.name, 7)]

    def test_a_file_that_is_not_of_the_log_is_found(self, tmp_path: Path) -> None:
        with closing(FileAudit(tmp_path / "audit", KEY, MemoryLedger())) as audit:
            audit.append(a_query("q1"))
            (tmp_path / "audit" / "copy.jsonl").write_bytes(files(tmp_path / "audit")[0].read_bytes())
            assert [fault.file for fault in audit.verify()] == ["copy.jsonl"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryLedger, dict[str, bytes]]:
    """A log of three files with nine entries, and the ledger that knows its head."""
    folder, ledger = tmp_path_factory.mktemp("written") / "audit", MemoryLedger()
    with closing(FileAudit(folder, KEY, ledger, segment_bytes=1300)) as audit:
        for number in range(9):
            audit.append(a_query(f"q{number}", text=f"SELECT {number}"))
        assert audit.verify() == []
    return ledger, {path.name: path.read_bytes() for path in files(folder)}


Lines = list[tuple[str, bytes]]
"""All lines of all files, each with the name of its file."""


def dropped(lines: Lines, one: int, _other: int) -> Lines:
    return lines[:one] + lines[one + 1 :]


def doubled(lines: Lines, one: int, other: int) -> Lines:
    return [*lines[:other], (lines[other][0], lines[one][1]), *lines[other:]]


def swapped(lines: Lines, one: int, other: int) -> Lines:
    changed = list(lines)
    changed[one], changed[other] = (lines[one][0], lines[other][1]), (lines[other][0], lines[one][1])
    return changed


def cut(lines: Lines, one: int, _other: int) -> Lines:
    return lines[:one]


def inserted(lines: Lines, one: int, _other: int) -> Lines:
    return [*lines[:one], (lines[one][0], b"{}\n"), *lines[one:]]


@given(
    edit=st.sampled_from([dropped, doubled, swapped, cut, inserted]),
    one=st.integers(0, 8),
    other=st.integers(0, 8),
)
@settings(max_examples=60, deadline=None)
def test_any_line_that_is_dropped_doubled_swapped_or_cut_off_is_found(
    written: tuple[MemoryLedger, dict[str, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
    edit: Callable[[Lines, int, int], Lines],
    one: int,
    other: int,
) -> None:
    ledger, before = written
    lines = [(name, line) for name, text in before.items() for line in text.splitlines(keepends=True)]
    after = dict.fromkeys(before, b"")
    for name, line in edit(lines, one, other):
        after[name] += line
    assert after == before or verified(tmp_path_factory.getbasetemp() / uuid4().hex, ledger, after)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_byte_that_is_changed_put_in_or_taken_out_is_found(
    written: tuple[MemoryLedger, dict[str, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    ledger, before = written
    name = data.draw(st.sampled_from(sorted(before)))
    text = before[name]
    place = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.binary(max_size=3))
    length = data.draw(st.integers(0, 3))
    changed = text[:place] + new + text[place + length :]
    after = {**before, name: changed}
    assert after == before or verified(tmp_path_factory.getbasetemp() / uuid4().hex, ledger, after)


def verified(folder: Path, ledger: MemoryLedger, found: dict[str, bytes]) -> list[str]:
    """Return what is wrong with a log of these files."""
    folder.mkdir()
    for name, text in found.items():
        (folder / name).write_bytes(text)
    return [fault.found for fault in FileAudit(folder, KEY, ledger).verify()]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
