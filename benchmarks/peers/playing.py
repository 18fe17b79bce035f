"""Plays days through one tool in one process, and says what each call costs.

It runs in the tool's own environment, so it needs nothing but Python.
"""

import json
import resource
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

MOST_NO_OPS = 10


class Player(Protocol):
    """A tool with its project, ready to be given days."""

    def prepare(self, first: str) -> None:
        """Make what every day needs, and play the first day, such as ``2017-01-01``."""
        ...

    def play(self, day: str) -> None:
        """Land the file of a day, and bring all tables up to date."""
        ...

    def nothing(self) -> None:
        """Do what ``play`` does, where there is nothing to do."""
        ...


@dataclass(frozen=True)
class Calls:
    """CPU seconds (user and system, child processes included) of the calls, in their order."""

    prepare: float
    play: tuple[float, ...]
    nothing: tuple[float, ...]

    @property
    def all(self) -> float:
        return self.prepare + sum(self.play) + sum(self.nothing)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Calls":
        found = json.loads(file.read_text(encoding="utf-8"))
        return cls(found["prepare"], tuple(found["play"]), tuple(found["nothing"]))


def played(player: Player, days: Sequence[str]) -> Calls:
    """Play the days one by one; where there are several, end with calls that find nothing to do."""
    first, *others = days
    return Calls(
        prepare=_cpu_of(player.prepare, first),
        play=tuple(_cpu_of(player.play, day) for day in others),
        nothing=tuple(_cpu_of(player.nothing) for _ in others[:MOST_NO_OPS]),
    )


def _cpu_of(call: Callable[..., None], *arguments: str) -> float:
    before = _cpu()
    call(*arguments)
    return _cpu() - before


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
