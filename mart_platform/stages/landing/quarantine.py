"""Quarantine: rows that could not be landed, each with every reason, in one Parquet file a batch."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mart_platform.durable import sync
from mart_platform.planning.quoting import literal
from mart_platform.ports import EngineSession, Relation
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.sources import ROW_COLUMN

if TYPE_CHECKING:  # polars takes 0.2 s, which a build that lands nothing need not pay
    import polars as pl

BAD_ROWS = {ROW_COLUMN: "bigint", "reasons": "list(string)", "record": "string"}
"""What is kept of a bad row: its number in the delivery, what is wrong with it, and itself as JSON."""

BROKEN_ROWS = {ROW_COLUMN: "bigint", "line": "string", "reason": "string"}
"""What is kept of a row that is no row of columns: its text is its record."""


class BadRows:
    """Gathers bad rows of one delivery in a scratch folder, however many there are."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._files: list[Path] = []
        self._broken: list[Path] = []
        self.count = 0

    def add(self, bad: "pl.DataFrame") -> None:
        """Keep rows with the columns of ``BAD_ROWS``."""
        self._add(bad, self._files)

    def add_broken(self, broken: "pl.DataFrame") -> None:
        """Keep rows that could not be split into columns, with the columns of ``BROKEN_ROWS``."""
        self._add(broken, self._broken)

    def keep(self, file: Path, rows: int) -> None:
        """Keep rows that lie in a file already, with the columns of ``BAD_ROWS``."""
        self._files.append(file)
        self.count += rows

    def first_reasons(self, session: EngineSession) -> str:
        """Return what is wrong with the first of the rows."""
        rows = " UNION ALL ".join(self._relations(session))
        (first,) = session.rows(f"SELECT reasons FROM ({rows}) ORDER BY {ROW_COLUMN} LIMIT 1")
        return "; ".join(reason.rstrip(".") for reason in first["reasons"])

    def write(self, session: EngineSession, said: dict[str, str], into: Path, data: DataFolder) -> str | None:
        """Write the quarantine file, with the columns ``said`` before the others, in one step.

        Returns its path below the data folder, or None when there is no bad row.
        """
        if not self.count:
            return None
        constants = ", ".join(f"{literal(value)} AS {name}" for name, value in said.items())
        columns = {**dict.fromkeys(said, "string"), **BAD_ROWS}
        rows = " UNION ALL ".join(self._relations(session))
        query = f"SELECT {constants}, {', '.join(BAD_ROWS)} FROM ({rows}) ORDER BY {ROW_COLUMN}"
        (written,) = session.write(query, columns, into.parent)
        file = data.absolute(written.path)
        sync(file)
        file.replace(into)
        sync(into.parent)
        return data.relative(into)

    def _add(self, rows: "pl.DataFrame", files: list[Path]) -> None:
        if rows.height:
            file = self._scratch / f"rows-{uuid4().hex}.parquet"
            rows.write_parquet(file)
            files.append(file)
            self.count += rows.height

    def _relations(self, session: EngineSession) -> Iterator[str]:
        """Define what was gathered, and yield a query of each part."""
        if self._files:
            session.define(Relation("landing.bad", BAD_ROWS, tuple(self._files)))
            yield f"SELECT {', '.join(BAD_ROWS)} FROM landing.bad"
        if self._broken:
            session.define(Relation("landing.broken", BROKEN_ROWS, tuple(self._broken)))
            yield f"SELECT {ROW_COLUMN}, [reason] AS reasons, line AS record FROM landing.broken"
