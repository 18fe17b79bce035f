"""Answers that are kept: the same question on the same versions under the same policy costs nothing."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from typing import Any

from mart_platform.gate.questions import Checked
from mart_platform.ports import Result

_SHARE = 4
"""No answer takes more than this part of the cache."""


@dataclass(frozen=True)
class _Answer:
    columns: Mapping[str, str]
    rows: int
    content: bytes


@dataclass
class Answers:
    """Keeps answers up to ``room`` bytes; the one that was not asked for the longest goes first."""

    room: int
    _kept: "OrderedDict[str, _Answer]" = field(default_factory=OrderedDict)
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, key: str) -> Result | None:
        """Return a kept answer, at no cost."""
        with self._lock:
            answer = self._kept.get(key)
            if answer is None:
                return None
            self._kept.move_to_end(key)
        return _as_result(answer)

    def keep(self, key: str, result: Result) -> Result:
        """Keep an answer if it is small enough, and return it to be read."""
        if result.bytes > self.room // _SHARE:
            return result
        with result.open() as stream:
            answer = _Answer(result.columns, result.rows, stream.read())
        result.close()
        with self._lock:
            if (before := self._kept.pop(key, None)) is not None:
                self._taken -= len(before.content)
            self._kept[key] = answer
            self._taken += len(answer.content)
            while self._taken > self.room:
                _, oldest = self._kept.popitem(last=False)
                self._taken -= len(oldest.content)
        return replace(_as_result(answer), cpu_seconds=result.cpu_seconds, seconds=result.seconds)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._kept.clear()
            self._taken = 0


def key_of(checked: Checked, parameters: Any) -> str:
    """Return what an answer depends on: the rewritten query, its parameters, the versions, and the policy.

    The policy counts by itself too: what it decides need not stand in the text, as the key of a mask.
    """
    said = [checked.sql, checked.policies, sorted(checked.versions.items()), _typed(parameters)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _typed(parameters: Any) -> Any:
    """Return parameters with their types: 1, 1.0 and true are equal, and their answers are not."""
    if isinstance(parameters, Mapping):
        return {name: _typed(value) for name, value in sorted(parameters.items())}
    if isinstance(parameters, list | tuple):
        return [_typed(value) for value in parameters]
    return [type(parameters).__name__, str(parameters)]


def _as_result(answer: _Answer) -> Result:
    return Result(
        columns=answer.columns,
        rows=answer.rows,
        bytes=len(answer.content),
        cpu_seconds=0.0,
        seconds=0.0,
        open=partial(BytesIO, answer.content),
        close=lambda: None,
    )
