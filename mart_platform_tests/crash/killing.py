"""A platform that counts its side effects, and kills its own process before the one that was asked for."""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from mart_platform import ports
from mart_platform.adapters.engines import DuckDBEngine
from mart_platform.adapters.lake import DeltaLake
from mart_platform.assembly import Assembled, Places
from mart_platform.spec.records import DataFile
from mart_platform.spec.settings import Settings

_EFFECTS = {
    "os.rename",
    "os.remove",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "shutil.copyfile",
}
"""What Python tells its audit hooks of, before it does it; an ``open`` for writing counts as well."""


_READS = {
    "backfills",
    "batches",
    "builds",
    "builds_at",
    "close",
    "events",
    "freshness",
    "hold_of",
    "interval_keys",
    "intervals",
    "last_verdicts",
    "latest_build",
    "latest_builds",
    "lease",
    "leases",
    "legal_holds",
    "live",
    "pieces",
    "pins",
    "publications",
    "readings",
    "restatements",
    "run",
    "runs",
    "setting",
    "storage",
    "verdicts",
    "version",
    "versions",
}
"""The methods of a ledger that write nothing."""


class Boundaries:
    """Counts the moments between two side effects below a folder; at number ``last`` it kills the process."""

    def __init__(self, folder: Path, last: int | None) -> None:
        self.folder, self.last, self.count = str(folder), last, 0
        sys.addaudithook(self._hear)

    def between(self) -> None:
        """Stand between two side effects."""
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        effect = event in _EFFECTS or (event == "open" and _writes(arguments))
        if effect and any(
            self.folder in os.fsdecode(a) for a in arguments if isinstance(a, str | bytes | os.PathLike)
        ):
            self.between()


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, _ = arguments
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")


class Fragile(Assembled):
    """The platform of this machine, whose native side effects count too: of engine, lake and ledger."""

    def __init__(self, places: Places, settings: Settings, boundaries: Boundaries) -> None:
        super().__init__(places, settings)
        self.boundaries = boundaries

    @cached_property
    def ledger(self) -> ports.Ledger:
        return cast(ports.Ledger, _FragileLedger(super().ledger, self.boundaries))

    @cached_property
    def lake(self) -> ports.Lake:
        return _FragileLake(self.data, self.boundaries)

    @cached_property
    def engine(self) -> ports.Engine:
        return _FragileEngine(DuckDBEngine(self.data, self.settings.engine), self.boundaries)


class _FragileLedger:
    """Stands before and after each transaction that writes; each of them is all or nothing by itself."""

    def __init__(self, ledger: ports.Ledger, boundaries: Boundaries) -> None:
        self._ledger, self._boundaries = ledger, boundaries

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if name in _READS:
            return method

        def between_two(*arguments: Any, **options: Any) -> Any:
            self._boundaries.between()
            answer = method(*arguments, **options)
            self._boundaries.between()
            return answer

        return between_two


class _FragileLake(DeltaLake):
    """Stands before and after each commit."""

    def __init__(self, data: Any, boundaries: Boundaries) -> None:
        super().__init__(data)
        self._boundaries = boundaries

    def commit(self, *arguments: Any, **options: Any) -> int:
        self._boundaries.between()
        number = super().commit(*arguments, **options)
        self._boundaries.between()
        return number


class _FragileEngine:
    """Stands before and after each file that is written."""

    def __init__(self, engine: ports.Engine, boundaries: Boundaries) -> None:
        self._engine, self._boundaries = engine, boundaries

    @contextmanager
    def session(self, relations: Iterable[ports.Relation]) -> Iterator[ports.EngineSession]:
        with self._engine.session(relations) as session:
            yield _FragileSession(session, self._boundaries)


class _FragileSession:
    def __init__(self, session: ports.EngineSession, boundaries: Boundaries) -> None:
        self._session, self._boundaries = session, boundaries
        self.define, self.rows, self.frame = session.define, session.rows, session.frame

    def write(self, *arguments: Any, **options: Any) -> tuple[DataFile, ...]:
        return self._written(lambda: self._session.write(*arguments, **options))

    def write_model(self, *arguments: Any, **options: Any) -> tuple[DataFile, ...]:
        return self._written(lambda: self._session.write_model(*arguments, **options))

    def write_frames(self, frames: Any, columns: Mapping[str, str], into: Path) -> tuple[DataFile, ...]:
        return self._written(lambda: self._session.write_frames(frames, columns, into))

    def _written(self, write: Callable[[], tuple[DataFile, ...]]) -> tuple[DataFile, ...]:
        self._boundaries.between()
        files = write()
        self._boundaries.between()
        return files
