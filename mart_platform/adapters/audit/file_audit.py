"""The Audit port in files: one line an entry, on the disk before anybody is told that it is written.

Entries that come at the same time are written and synced together, so that many clients share one sync.
Several processes may write: the server, and a command beside it.
"""

import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from mart_platform.adapters.audit.anchoring import Anchor, Anchored, Following, Keeper, alone
from mart_platform.adapters.audit.chain import Head, Link, Seal, bytes_of, link_of
from mart_platform.adapters.audit.policies import Policies
from mart_platform.adapters.audit.segments import (
    SUFFIX,
    first_link,
    first_number,
    last_link,
    lines_backwards,
    links,
    month_of,
    segment_name,
    segments,
)
from mart_platform.adapters.audit.verifying import faults
from mart_platform.durable import sync
from mart_platform.ports import AuditFault, AuditUnavailable
from mart_platform.spec.entries import AccessEntry, Entry, Sealed
from mart_platform.spec.problems import UserError

_log = logging.getLogger(__name__)

_SEGMENT_BYTES = 32 * 10**6
_REMEMBERED = 1000
_SLACK = timedelta(days=1)
"""An entry says when a query began, and is written when that has ended: so far back may its moment lie."""


@dataclass
class _Waiting:
    """An entry that waits to be written; then what was written, or why nothing was."""

    entry: Entry
    bytes: bytes
    sealed: Sealed | None = None
    failure: str = ""


@dataclass
class _Tail:
    """Where the next entry goes: the chain's head, and the file that is open for it, if any."""

    head: Head
    path: Path | None = None
    size: int = 0
    opened: int | None = field(default=None, repr=False)

    def close(self) -> None:
        if self.opened is not None:
            os.close(self.opened)
            self.opened = None


class FileAudit:
    """The audit log in a folder, which is made with the first entry; only its owner may read it.

    ``key`` seals by HMAC, so that nobody can forge an entry who lacks it. The ledger (``keeper``) is told the
    head within a second, and at ``close``: it gives away a log that lost its end, or that was replaced.
    """

    def __init__(
        self, folder: Path, key: bytes | None, keeper: Keeper, *, segment_bytes: int = _SEGMENT_BYTES
    ) -> None:
        self._folder, self._seal, self._segment_bytes = folder, Seal(key), segment_bytes
        self._policies = Policies(folder / "policies")
        self._anchor = Anchor(keeper, folder / "anchor.lock")
        self._following = Following(self._anchor)
        self._queueing, self._writing = threading.Lock(), threading.Lock()
        self._queue: list[_Waiting] = []
        self._known = Head()
        self._tail: _Tail | None = None
        self._recent: OrderedDict[str, Sealed] = OrderedDict()

    # Writing

    def append(self, entry: Entry) -> Sealed:
        waiting = _Waiting(entry, bytes_of(entry))
        with self._queueing:
            self._queue.append(waiting)
        with self._writing:  # who comes first writes for all that wait behind
            if waiting.sealed is None and not waiting.failure:
                self._write_queued()
        if waiting.sealed is None:
            raise AuditUnavailable(waiting.failure)
        return waiting.sealed

    def close(self) -> None:
        """Anchor what is not yet, and close the file; the next entry opens it again."""
        self._following.finish()
        with self._writing:
            self._forget_tail()

    def _write_queued(self) -> None:
        with self._queueing:
            batch, self._queue = self._queue, []
        try:
            with self._explained(), self._alone():
                self._write(batch, self._caught_up())
        except BaseException as error:  # others wait for this batch, and must be told whatever ended it
            self._forget_tail()
            for waiting in batch:
                waiting.failure = str(error) or "The audit log was interrupted."
            if not isinstance(error, AuditUnavailable):
                raise

    def _write(self, batch: Sequence[_Waiting], tail: _Tail) -> None:
        chain = list(self._sealed(tail.head, batch))
        opened = self._opened(tail, chain[0].number, f"{batch[0].entry.at.astimezone(UTC):%Y-%m}")
        try:
            tail.size += _written(opened, b"".join(link.line for link in chain))
        except BaseException:  # nobody was told that it is written, so that nothing of it may stay
            os.ftruncate(opened, tail.size)
            raise
        tail.head = self._known = chain[-1].head
        self._following.follow(tail.head)
        for waiting, link in zip(batch, chain, strict=True):
            waiting.sealed = link.sealed(waiting.entry)
            self._recent[waiting.entry.id] = waiting.sealed
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def _sealed(self, head: Head, batch: Sequence[_Waiting]) -> Iterator[Link]:
        for waiting in batch:
            link = self._seal.link(head, waiting.bytes)
            yield link
            head = link.head

    def _opened(self, tail: _Tail, number: int, month: str) -> int:
        """Return the file for the next entries: a new one when it has grown large, or a month is over."""
        full = tail.size >= self._segment_bytes
        if tail.path is None or full or month_of(tail.path) != month:
            tail.close()
            tail.path, tail.size = self._folder / segment_name(number, month), 0
        if tail.opened is None:
            tail.opened = os.open(tail.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            sync(self._folder)
        return tail.opened

    def _caught_up(self) -> _Tail:
        """Return where the log ends now, also when another process has written to it."""
        found = segments(self._folder)
        newest = found[-1] if found else None
        size = newest.stat().st_size if newest else 0
        if self._tail is None or (newest, size) != (self._tail.path, self._tail.size):
            self._forget_tail()
            self._tail = self._read_tail(found)
        return self._tail

    def _read_tail(self, found: list[Path]) -> _Tail:
        """Read where the log ends, and see that what we know of it is still in it."""
        anchored = self._anchor.kept() or Anchored()
        if found and _set_aside_torn(found[-1]) == 0:
            found.pop().unlink()  # its writer was killed before it held an entry
        last = last_link(found[-1]) if found else None
        known = max(anchored.head, self._known, key=lambda head: head.number)
        if known.number > anchored.beginning.number and not _holds(found, known):
            raise AuditUnavailable(
                f"The audit log in {self._folder} does not hold entry {known.number} as it was written: "
                "somebody has changed it, or put an older copy in its place. See `mart audit verify`; put "
                "the newest copy back, or set the log aside with `mart audit begin-anew`."
            )
        head = last.head if last else anchored.beginning
        return _Tail(head, found[-1], found[-1].stat().st_size) if found else _Tail(head)

    def _forget_tail(self) -> None:
        if self._tail is not None:
            self._tail.close()
            self._tail = None

    # Reading

    def entries(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sealed]:
        """Yield entries, oldest first; a line that cannot be read is left out, and logged."""
        found = self._current()
        for segment, after in zip(found, [*found, None][1:], strict=True):
            if since and after and _begins_before(after, since - _SLACK):
                continue
            if until and not _begins_before(segment, until + _SLACK):
                return
            for link in links(segment):
                sealed = _read(segment, link)
                if sealed and _lies_within(sealed.entry.at, since, until):
                    yield sealed

    def find(self, identity: str) -> Sealed | None:
        if (recent := self._recent.get(identity)) is not None:
            return recent
        named = f'"id":{json.dumps(identity)}'.encode()
        for segment in reversed(self._current()):
            for line in lines_backwards(segment):
                link = link_of(line) if named in line else None
                sealed = _read(segment, link) if link else None
                if sealed and sealed.entry.id == identity:
                    return sealed
        return None

    def _current(self) -> list[Path]:
        """Return the segments but those that are retired, and still there because somebody was killed."""
        found = segments(self._folder)
        retired = (self._anchor.kept() or Anchored()).beginning.number
        keep = [first_number(after) > retired + 1 for after in found[1:]] + [True]
        return [segment for segment, kept in zip(found, keep, strict=False) if kept]

    # Policies

    def keep_policy(self, digest: str, policy: str) -> None:
        """Keep a policy's text under its digest. Raises AuditUnavailable."""
        with self._explained():
            self._policies.keep(digest, policy)

    def policy(self, digest: str) -> str | None:
        return self._policies.kept(digest)

    # Judging and keeping

    def verify(self) -> Sequence[AuditFault]:
        anchored = self._anchor.kept() or Anchored()
        if not self._folder.is_dir():
            return list(faults(self._folder, self._seal, anchored, {}))
        with alone(self._folder / "lock"):  # so that no line is seen half written
            sizes = {segment: segment.stat().st_size for segment in self._current()}
        return list(faults(self._folder, self._seal, anchored, sizes))

    def retire(self, before: datetime) -> int:
        """Remove whole files of entries from before a moment; that it was done is an entry of its own."""
        count, last = 0, None
        for segment in self._current()[:-1]:
            retired = _all_before(segment, before)
            if not retired:
                break
            count, last = count + len(retired), retired[-1]
        if last is not None:
            text = f"{count} entries up to number {last.number}, of before {before:%Y-%m-%d %H:%M} UTC"
            self.append(_entry("audit_retired", "retention", text))
            self._anchor.move(last.head, beginning=last.head)
        for segment in set(segments(self._folder)).difference(self._current()):
            segment.unlink()
        return count

    def begin_anew(self, by: str, reason: str) -> Sealed:
        """Set all files aside, and begin a chain that follows on the head which the ledger knows.

        For a log that was damaged, of which no good copy is left, and to which no other process writes now.
        What was found of it stays beside it. Raises UserError for a log that is whole.
        """
        self._following.finish()
        if not self.verify():
            raise UserError("The audit log is whole; there is nothing to set aside.")
        with self._writing, self._explained(), self._alone():
            self._forget_tail()
            known = (self._anchor.kept() or Anchored()).head
            self._set_aside(self._folder / f"set-aside-{known.number}-{uuid4().hex[:8]}")
            self._anchor.move(known, beginning=known)
            self._known = known
            self._recent.clear()
        return self.append(_entry("audit_begun_anew", by, f"after entry {known.number}: {reason}"))

    def _set_aside(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        for segment in self._folder.glob(f"*{SUFFIX}"):
            segment.replace(folder / segment.name)
        sync(self._folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(self._folder / "lock"):
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise AuditUnavailable(
                f"The audit log in {self._folder} cannot be written ({error.strerror}), and without it "
                "nothing is answered. Make room, or give yourself the right to write there, and try again."
            ) from error
        except UserError as error:  # of the ledger, which knows how far the log goes
            raise AuditUnavailable(f"The audit log cannot be continued. {error}") from error


def _written(opened: int, text: bytes) -> int:
    """Return when all of a text has reached the disk: how many bytes it has."""
    size = len(text)
    while text:
        text = text[os.write(opened, text) :]
    os.fdatasync(opened)
    return size


def _set_aside_torn(segment: Path) -> int:
    """Move a last line that was not written to its end into a file of its own; return how much stays."""
    torn, size = next(lines_backwards(segment)), segment.stat().st_size
    if torn:
        aside = segment.with_name(f"torn-{uuid4().hex}")
        aside.write_bytes(torn)
        sync(aside)
        size -= len(torn)
        os.truncate(segment, size)
        sync(segment)
        _log.warning("the audit log ended in a torn line of %d bytes, which is now %s", len(torn), aside)
    return size


def _holds(found: Sequence[Path], head: Head) -> bool:
    segment = next((each for each in reversed(found) if first_number(each) <= head.number), None)
    read = (link_of(line) for line in lines_backwards(segment)) if segment else iter(())
    return any(link is not None and link.head == head for link in read)


def _begins_before(segment: Path, moment: datetime) -> bool:
    first = first_link(segment)
    sealed = _read(segment, first) if first else None
    return sealed is None or sealed.entry.at < moment


def _all_before(segment: Path, before: datetime) -> list[Link]:
    """Return the links of a segment, none where not all of it can be read and lies before a moment."""
    whole = list(links(segment))
    read = [_read(segment, link) for link in whole]
    with segment.open("rb") as file:
        complete = sum(1 for _ in file) == len(whole)
    return whole if complete and all(each and each.entry.at < before for each in read) else []


def _read(segment: Path, link: Link) -> Sealed | None:
    try:
        return link.read()
    except ValueError as error:
        _log.warning("entry %d in %s cannot be read: %s", link.number, segment, error)
        return None


def _lies_within(moment: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or since <= moment) and (until is None or moment < until)


def _entry(what: str, by: str, text: str) -> AccessEntry:
    return AccessEntry(id=uuid4().hex, at=datetime.now(UTC), by=by, what=what, text=text)
