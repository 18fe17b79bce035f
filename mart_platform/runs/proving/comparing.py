"""What came back for a question, so that it can be held against what came back elsewhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mart_platform.gate.erring import refused_by_engine
from mart_platform.gate.policies import Policy
from mart_platform.gate.questions import Question, Refused
from mart_platform.ports import Execution, ExecutionEnded, QueryEngine, Result
from mart_platform.runs.door.asking import Asked
from mart_platform.runs.door.caching import Answers, key_of
from mart_platform.runs.door.reading import Opener, Reader, Understood
from mart_platform.runs.proving.alterations import CANARY

Difference = Literal["rows", "columns", "error", "answered", "canary", "name"]

_SECONDS, _ROWS, _CACHE = 10.0, 100_000, 64_000_000
_DIGITS = 9
"""So many digits of a number with a floating point count: a sum depends on the order of its rows."""


@dataclass(frozen=True)
class Parts:
    """The parts of the door's path that are on trial: its own, but where a test puts in one that leaks."""

    reader: Callable[[Opener], Reader] = Reader
    key: Callable[[Understood], str] = lambda query: key_of(query.checked, ())
    refused: Callable[[ExecutionEnded, Question, Execution], Refused] = refused_by_engine


@dataclass(frozen=True)
class Outcome:
    """An answer as the bytes of its Arrow stream, or a refusal: its code, and all that was said.

    ``ran`` says that the gate let the query through.
    """

    stream: bytes = b""
    columns: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = False
    code: str = ""
    said: str = ""
    ran: bool = True

    @property
    def tells(self) -> bool:
        """Whether a text that nobody may see stands in it."""
        return CANARY.encode() in self.stream.lower() or CANARY in self.said.lower()


@dataclass
class Window:
    """A lake as it is seen through the door: one publication, with a cache of answers."""

    queries: QueryEngine
    reader: Reader
    mart: str
    number: int
    parts: Parts
    variables: Mapping[str, Any]
    _answers: Answers = field(default_factory=lambda: Answers(_CACHE))

    def forget(self) -> None:
        """Forget all answers."""
        self._answers.clear()

    def ask(self, text: str, policy: Policy) -> Outcome:
        """Return what somebody with this policy gets for a query."""
        query: Understood | None = None
        try:
            question = self.reader.question(text)
            query = self.reader.understood(
                question, Asked(text, versions={self.mart: str(self.number)}), policy
            )
            result = self._answer(query)
        except Refused as refused:
            return Outcome(code=refused.code, said=str(refused), ran=query is not None)
        with result.open() as stream:
            return Outcome(stream.read(), result.columns, query.checked.ordered)

    def _answer(self, query: Understood) -> Result:
        key = self.parts.key(query)
        if (kept := self._answers.of(key)) is not None:
            return kept
        execution = Execution(
            sql=query.checked.sql,
            versions=query.checked.versions,
            variables=self.variables if query.checked.keyed else {},
            seconds=_SECONDS,
            rows=_ROWS,
        )
        try:
            return self._answers.keep(key, self.queries.run(execution))
        except ExecutionEnded as ended:
            raise self.parts.refused(ended, query.question, execution) from ended


def difference(one: Outcome, other: Outcome) -> Difference | None:
    """Return in what two outcomes differ; the order of rows counts where one was asked."""
    if one.tells or other.tells:
        return "canary"
    if bool(one.code) != bool(other.code):
        return "answered"
    if one.code:
        return "error" if (one.code, one.said) != (other.code, other.said) else None
    if one.stream == other.stream:
        return None
    if list(one.columns.items()) != list(other.columns.items()):
        return "columns"
    return "rows" if _rows(one) != _rows(other) else None


def _rows(outcome: Outcome) -> list[str]:
    # importing polars takes 0.2 s, and most answers are the same to the byte
    import polars as pl  # noqa: PLC0415 (as said)

    # Python knows no dates before the year 1 or after 9999, so that moments are compared as numbers.
    frame = pl.read_ipc_stream(outcome.stream).select(pl.all().to_physical())
    rows = [repr(_rounded(row)) for row in frame.rows()]
    return rows if outcome.ordered else sorted(rows)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") + 0.0
    return [_rounded(each) for each in value] if isinstance(value, tuple | list) else value
