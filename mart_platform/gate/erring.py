"""Erring: what may be said of an error of the engine.

The engine's own text names values, columns and files. Of it nothing passes but its kind, which chooses one of
the sentences here, and a name that stands in the query: whoever asked has written it.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from mart_platform.gate.names import folded
from mart_platform.gate.questions import Question, Refused


class Ended(Protocol):
    """A query that gave no answer; its text is the engine's own."""

    @property
    def code(self) -> str: ...


class Limits(Protocol):
    """Within which limits it ran: seconds, rows, bytes."""

    @property
    def seconds(self) -> float: ...
    @property
    def rows(self) -> int: ...
    @property
    def memory(self) -> int | None: ...


@dataclass(frozen=True)
class _Kind:
    """A kind of error: a pattern of its text, and what is said of it. ``{}`` is a name in the query."""

    code: str
    pattern: "re.Pattern[str]"
    sentence: str
    remedy: str = ""


def refused_by_engine(ended: Ended, question: Question, limits: Limits) -> Refused:
    """Return what the one who asked is told; the engine's text is in ``detail``, for the audit log alone."""
    text = str(ended)
    if ended.code == "error":
        refused = sentence_of(text, question)
        return Refused(refused.code, refused.sentence, refused.remedy, detail=text)
    sentence, remedy = _ended_early(ended.code, limits)
    return Refused(ended.code, sentence, remedy, detail=text)


def sentence_of(text: str, question: Question) -> Refused:
    """Return what may be said of an engine's error: by its kind, with no name but one asked for."""
    for kind in _KINDS:
        if match := kind.pattern.search(text):
            name = _written_name(match, question)
            return Refused(
                kind.code, kind.sentence.format(f"'{name}'" if name else "that it names"), kind.remedy
            )
    return Refused("failed", "The query failed.", "Simplify it, or ask the platform's team.")


def _written_name(match: "re.Match[str]", question: Question) -> str:
    """Return the name in an error as it is written in the query, empty where it is not."""
    found = folded(next((group for group in match.groups() if group), ""))
    names = (identifier.name for identifier in question.tree.find_all(exp.Identifier))
    return next((name for name in names if folded(name) == found), "")


def _ended_early(code: str, limits: Limits) -> tuple[str, str]:
    if code == "too_long":
        return f"The query took longer than {limits.seconds:g} seconds.", "Read less, or aggregate first."
    if code == "too_many_rows":
        return f"The answer has more than {limits.rows} rows.", "Aggregate, or filter more."
    if code == "out_of_memory":
        return "The query needed more memory than it may have.", "Read less, or aggregate first."
    if code == "cancelled":
        return "The query was cancelled.", ""
    return "The query was ended.", "Ask again."


def _kind(code: str, pattern: str, sentence: str, remedy: str = "") -> _Kind:
    return _Kind(code, re.compile(pattern, re.DOTALL), sentence, remedy)


_KINDS = (
    _kind(
        "unknown_column",
        r'^Binder Error.*?(?:Referenced (?:column|table) "([^"]+)" not found|have a column named "([^"]+)"'
        r'|[Cc]olumn "+([^"]+)"+ (?:in (?:EXCLUDE|REPLACE|RENAME) list|does not exist)|find key "([^"]+)"'
        r"|Column with name ([^ ]+) does not exist)",
        "There is no column {} that you may read here.",
        "The catalogue has the columns of each table.",
    ),
    _kind(
        "ambiguous",
        r'^Binder Error.*?Ambiguous reference to (?:column|table|alias)[^"]*"([^"]+)"',
        "More than one table has the column {}.",
        "Write table.column.",
    ),
    _kind(
        "not_grouped",
        r'^Binder Error.*?column "?([^" ]+)"? must appear in the GROUP BY clause',
        "The column {} is neither grouped nor aggregated.",
        "Add it to GROUP BY, or aggregate it.",
    ),
    _kind(
        "many_rows",
        r"More than one row returned by a subquery",
        "A subquery that stands for one value has more rows.",
        "Aggregate it, or add LIMIT 1.",
    ),
    _kind(
        "types",
        r"^Binder Error.*?(?:No function matches|Cannot (?:compare|mix|cast)|different types|type casts)",
        "Types in the query do not fit each other, or a function does not take them.",
        "Cast them, or look at the columns' types in the catalogue.",
    ),
    _kind(
        "binding",
        r"^(?:Binder|Catalog|Parser|Not implemented) Error",
        "The query cannot be understood as it stands.",
    ),
    _kind(
        "parameters",
        r"^Invalid Input Error.*?(?:parameter|prepared statement)",
        "The parameters do not fit those in the query.",
    ),
    _kind(
        "conversion",
        r"^Conversion Error",
        "A value cannot be converted to the type that the query asks for.",
        "Use TRY_CAST, which gives NULL instead.",
    ),
    _kind(
        "out_of_range",
        r"^(?:Out of Range|OutOfRange) Error",
        "A result is too large for its type.",
        "Cast to a wider type first.",
    ),
    _kind("invalid_input", r"^Invalid Input Error", "A function was given a value that it does not take."),
)
