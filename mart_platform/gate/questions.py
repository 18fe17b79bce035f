"""What goes through the gate: a question, what it reads, and what comes out as checked."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True)
class Named:
    """A table as a question names it: ``version`` is what stands after the mart: ``sales@12.orders``."""

    mart: str
    table: str
    version: str | None = None

    @property
    def name(self) -> str:
        """``mart.table``."""
        return f"{self.mart}.{self.table}"


@dataclass(frozen=True)
class Question:
    """One SELECT, parsed. ``fingerprint`` is that of its text with every literal out."""

    text: str
    tree: exp.Query
    named: tuple[Named, ...]
    fingerprint: str


@dataclass(frozen=True)
class Found:
    """The version of a table that a question reads: the publication's number, and its columns' types.

    ``types`` are declared types (spec/types.py) by column, of all columns that the files hold. The engine has
    the table as ``"<mart>@<number>"."main"."<table>"``.
    """

    number: int
    types: Mapping[str, str]


@dataclass(frozen=True)
class Checked:
    """A query that may run as it stands.

    ``reads`` are the columns of each table ``mart.table`` that it may touch, for its price; ``versions`` the
    publications that it reads. ``bounded`` says that no single call in it can grow without the engine being
    able to stop it, so that it may run in the process of the dashboards; ``ordered`` that its outermost
    SELECT says in which order. ``keyed`` says that it calls ``getvariable`` for the keys of masks;
    ``volatile`` that its answer may be another one a moment later, as with ``now()``.
    """

    sql: str
    versions: Mapping[str, int]
    reads: Mapping[str, tuple[str, ...]]
    filtered: tuple[str, ...]
    masked: Mapping[str, str]
    fenced: bool
    bounded: bool
    ordered: bool
    keyed: bool
    policies: str
    volatile: bool = False


class Refused(Exception):
    """A query that may not run. The sentence holds nothing that the principal may not see.

    ``code`` is one word for programs: syntax, not_allowed, unknown_table, unknown_column, no_version, budget…
    ``detail`` is for the audit log alone.
    """

    def __init__(self, code: str, sentence: str, remedy: str = "", detail: str = "") -> None:
        super().__init__(f"{sentence} {remedy}".strip())
        self.code, self.sentence, self.remedy, self.detail = code, sentence, remedy, detail


def unknown_table(named: Named) -> Refused:
    """Return what is said of a table that is not there, and of one that the principal may not see."""
    return Refused(
        "unknown_table", f"There is no table {named.name} that you may read.", "See the catalogue."
    )
