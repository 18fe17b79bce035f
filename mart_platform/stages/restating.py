"""Restating: how many rows of an interval came, went or changed between two versions of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import EngineSession
from mart_platform.spec.records import ALL

BEFORE, AFTER = "restated.before", "restated.after"
"""The relations that are compared: the rows of the same intervals, as they were and as they are."""


@dataclass(frozen=True)
class Difference:
    """Rows of one interval that are new, that are gone, and that have other values under the same key."""

    added: int
    removed: int
    changed: int


def differences(
    session: EngineSession, interval: str | None, key: Sequence[str], columns: Sequence[str]
) -> Mapping[str, Difference]:
    """Return what differs between BEFORE and AFTER by interval; without a key, nothing counts as changed."""
    part = f"({interval})::VARCHAR" if interval else literal(ALL)
    by = ", ".join(quoted(column) for column in key)
    shown = ", ".join(quoted(column) for column in columns)
    if key:
        rows = f"SELECT {part} AS part, {by}, hash({shown}) AS content FROM"
        joined = " AND ".join(
            f"old.{quoted(column)} IS NOT DISTINCT FROM new.{quoted(column)}" for column in key
        )
        sql = (
            "SELECT coalesce(old.part, new.part) AS part, count(*) FILTER (WHERE old.part IS NULL) AS added,"
            " count(*) FILTER (WHERE new.part IS NULL) AS removed,"
            " count(*) FILTER (WHERE old.content <> new.content) AS changed"
            f" FROM ({rows} {quoted(BEFORE)}) AS old FULL JOIN ({rows} {quoted(AFTER)}) AS new"
            f" ON old.part = new.part AND {joined} GROUP BY 1"
        )
    else:
        counted = f"SELECT {part} AS part, hash({shown}) AS content, count(*) AS n FROM"
        sql = (
            "SELECT coalesce(old.part, new.part) AS part,"
            " sum(greatest(coalesce(new.n, 0) - coalesce(old.n, 0), 0))::BIGINT AS added,"
            " sum(greatest(coalesce(old.n, 0) - coalesce(new.n, 0), 0))::BIGINT AS removed,"
            " 0::BIGINT AS changed"
            f" FROM ({counted} {quoted(BEFORE)} GROUP BY 1, 2) AS old"
            f" FULL JOIN ({counted} {quoted(AFTER)} GROUP BY 1, 2) AS new"
            " ON old.part = new.part AND old.content = new.content GROUP BY 1"
        )
    return {
        row["part"]: Difference(row["added"], row["removed"], row["changed"]) for row in session.rows(sql)
    }
