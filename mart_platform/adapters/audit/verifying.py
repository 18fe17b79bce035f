"""Verification: everything is read, and whatever was changed, left out, added or moved is found."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mart_platform.adapters.audit.anchoring import Anchored
from mart_platform.adapters.audit.chain import Head, Link, Seal, link_of
from mart_platform.adapters.audit.segments import SUFFIX, first_number, segments
from mart_platform.ports import AuditFault


def faults(
    folder: Path, seal: Seal, anchored: Anchored | None, whole: dict[Path, int]
) -> Iterator[AuditFault]:
    """Yield what is wrong with the log in a folder; ``whole`` says how much of its segments is written.

    Each fault is told once: what follows on a changed entry is judged by what stands there.
    """
    walk = _Walk(seal, anchored or Anchored())
    for segment, size in whole.items():
        yield from walk.segment(segment, size)
    yield from walk.end(last=next(reversed(whole)).name if whole else "")
    for stray in sorted(set(folder.glob(f"*{SUFFIX}")) - set(segments(folder))):
        yield AuditFault(stray.name, 0, "is no file of this log, whose files are named by number and month")


@dataclass
class _Walk:
    """From entry to entry; ``at`` is the one that was seen last."""

    seal: Seal
    anchored: Anchored
    at: Head = field(init=False)
    seen_anchored: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.at = self.anchored.beginning
        self._look(self.at)

    def segment(self, segment: Path, size: int) -> Iterator[AuditFault]:
        named = first_number(segment)
        for n, line in enumerate(_lines(segment, size)):
            torn = not line.endswith(b"\n")
            link = None if torn else link_of(line[:-1])
            if n == 0 and link and link.number != named:
                yield self._fault(
                    segment, link.number, f"is the first of a file that is to begin with {named}"
                )
            if torn:
                yield self._fault(
                    segment,
                    self.at.number + 1,
                    "was not written to its end: its writer was killed, or somebody has cut it off",
                )
            elif link is None:
                yield self._fault(segment, self.at.number + 1, "is not written as entries are")
            else:
                yield from self._link(segment, link)

    def _link(self, segment: Path, link: Link) -> Iterator[AuditFault]:
        if link.number != self.at.number + 1:
            found = f"follows on entry {self.at.number}: entries are missing, doubled or in another order"
            yield self._fault(segment, link.number, found)
        elif link.previous != self.at.hash:
            yield self._fault(segment, link.number, "was not sealed over the entry that stands before it")
        if not self.seal.fits(link):
            yield self._fault(
                segment, link.number, "was changed after it was sealed, or sealed with another key"
            )
        self.at = link.head
        self._look(self.at)

    def end(self, last: str) -> Iterator[AuditFault]:
        head = self.anchored.head
        if self.seen_anchored is None and head.number:
            yield AuditFault(
                last, head.number, "is known to the ledger, and is not in the log: its end is gone"
            )
        elif self.seen_anchored not in (None, head.hash):
            yield AuditFault(last, head.number, "is another one than the ledger knows: the log was replaced")

    def _look(self, at: Head) -> None:
        if at.number == self.anchored.head.number:
            self.seen_anchored = at.hash

    @staticmethod
    def _fault(segment: Path, number: int, found: str) -> AuditFault:
        return AuditFault(segment.name, number, found)


def _lines(segment: Path, size: int) -> Iterator[bytes]:
    """Yield the lines among the first bytes of a file."""
    with segment.open("rb") as file:
        for line in file:
            if size <= 0:
                return
            yield line[:size]
            size -= len(line)
