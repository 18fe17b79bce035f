"""The publications that the door reads: each is made ready once, and its files are kept while it is read."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.door.held import holdings_of
from mart_platform.runs.judged import verdicts_of
from mart_platform.runs.relations import relation_of
from mart_platform.runs.versions import LIVE, keeping, publication_called, versions_in
from mart_platform.spec.checks import HoldsSums
from mart_platform.spec.records import Publication, Verdict

_EARLIER = 8
"""So many publications that are not live stay ready after the last query on them."""


@dataclass(frozen=True)
class Opened:
    """A publication that is ready to be read.

    By table ``mart.table``: ``types`` of the columns, ``sizes`` of the columns in bytes of Parquet, and
    ``checks``, the number of its verdicts by outcome (passed, warned). ``holds`` says which aggregates were
    proved to hold the sums of which tables.
    """

    publication: Publication
    types: Mapping[str, Mapping[str, str]]
    sizes: Mapping[str, Mapping[str, int]]
    checks: Mapping[str, Mapping[str, int]]
    holds: Mapping[str, Sequence[HoldsSums]]

    @property
    def key(self) -> tuple[str, int]:
        """Mart and number."""
        return self.publication.mart, self.publication.number


@dataclass
class _Kept:
    opened: Opened
    files: ExitStack
    readers: int = 0


@dataclass
class Publications:
    """Opens publications, and lets go of those that nobody reads any more. Safe for many threads."""

    platform: Platform
    plan_of: Callable[[], Plan]
    _kept: "OrderedDict[tuple[str, int], _Kept]" = field(default_factory=OrderedDict)
    _live: dict[str, Opened] = field(default_factory=dict)
    _opening: threading.RLock = field(default_factory=threading.RLock)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def live(self) -> Mapping[str, Opened]:
        """What is live of each mart, as of the last ``refresh``."""
        return self._live

    def refresh(self) -> None:
        """Open what went live since, so that no query waits for it, and let go of what nobody reads."""
        live = {}
        for mart in self.plan_of().marts:
            publication = self.platform.ledger.live(mart)
            if publication is not None:
                live[mart] = self._open(publication)
        self._live = live
        self._let_go()

    def called(self, mart: str, version: str) -> Opened:
        """Return the publication of a mart that is called so. Raises UserError when there is none."""
        if version == LIVE and mart in self._live:
            return self._live[mart]
        return self._open(publication_called(self.platform, self.plan_of(), mart, version))

    @contextmanager
    def reading(self, publications: Collection[Opened]) -> Iterator[None]:
        """Keep publications ready while the block runs, whatever goes live meanwhile."""
        with self._counting:
            kept = [self._kept[opened.key] for opened in publications]
            for each in kept:
                each.readers += 1
        try:
            yield
        finally:
            with self._counting:
                for each in kept:
                    each.readers -= 1

    def close(self) -> None:
        """Let go of all."""
        self._live = {}
        with self._opening:
            for kept in self._kept.values():
                kept.files.close()
            self._kept.clear()

    def _open(self, publication: Publication) -> Opened:
        key = publication.mart, publication.number
        with self._opening:
            if key not in self._kept:
                self._kept[key] = self._made_ready(publication)
            self._kept.move_to_end(key)
            return self._kept[key].opened

    def _made_ready(self, publication: Publication) -> _Kept:
        platform, plan = self.platform, self.plan_of()
        versions = versions_in(platform, plan, publication, list(publication.tables))
        with ExitStack() as files:
            files.enter_context(keeping(platform, versions.values()))
            relations = [relation_of(platform, version) for version in versions.values()]
            platform.queries.prepare(publication.mart, publication.number, relations)
            judged = verdicts_of(platform, plan, publication)
            opened = Opened(
                publication=publication,
                types={name: version.columns for name, version in versions.items()},
                sizes=platform.queries.sizes(publication.mart, publication.number),
                checks={name: _counted(verdicts.values()) for name, verdicts in judged.items()},
                holds=holdings_of(plan, judged),
            )
            return _Kept(opened, files.pop_all())

    def _let_go(self) -> None:
        with self._opening:
            live = {opened.key for opened in self._live.values()}
            with self._counting:
                idle = [key for key, kept in self._kept.items() if key not in live and not kept.readers]
                gone = [(key, self._kept.pop(key)) for key in idle[: max(0, len(idle) - _EARLIER)]]
            if gone:
                self.platform.queries.forget(self._kept.keys())
            for _, kept in gone:
                kept.files.close()


def _counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    passed = [verdict.passed for verdict in verdicts]
    return {"passed": passed.count(True), "warned": passed.count(False)}
