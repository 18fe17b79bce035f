"""What files hold, as figures that show whether a copy of them holds the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mart_platform.planning.quoting import digest_sql, literal, quoted
from mart_platform.ports import EngineSession, Platform, Relation
from mart_platform.spec.records import ALL, DataFile

Contents = Mapping[str, tuple[int, int]]
"""For each part of some rows their number, and the sum of their hashes."""


@dataclass(frozen=True)
class Rows:
    """Files of a table, and the column that says which part a row belongs to; None for a single part."""

    table: str
    columns: Mapping[str, str]
    part: str | None = None

    def define(self, session: EngineSession, platform: Platform, files: Iterable[DataFile]) -> None:
        """Let the session name these files by the name of the table."""
        paths = tuple(platform.data.absolute(file.path) for file in files)
        session.define(Relation(self.table, self.columns, paths))

    @property
    def selected(self) -> str:
        """All of the rows, as SQL."""
        return f"SELECT {', '.join(map(quoted, self.columns))} FROM {quoted(self.table)}"

    def contents(self, session: EngineSession) -> Contents:
        """Return what the files hold that are defined now."""
        part = quoted(self.part) if self.part else literal(ALL)
        answers = session.rows(
            f"SELECT {part} AS part, count(*) AS rows, {digest_sql(self.columns)} AS digest"
            f" FROM {quoted(self.table)} GROUP BY ALL"
        )
        return {answer["part"]: (answer["rows"], int(answer["digest"])) for answer in answers}
