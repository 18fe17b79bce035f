"""Queries described over empty tables."""

from pathlib import Path

import pytest

from mart_platform.planning.describing import CannotDescribe, EmptyTables


@pytest.mark.parametrize(
    "sql",
    [
        """SELECT * FROM (WITH "{file}" AS (SELECT 1 AS a) SELECT * FROM "{file}") UNION ALL FROM '{file}'""",
        "SELECT * FROM (SUMMARIZE '{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM glob('{file}')",
        "SELECT * FROM query('FROM ''{file}''')",
    ],
)
def test_a_file_is_refused_however_it_is_named(sql: str, tmp_path: Path) -> None:
    file = tmp_path / "outside.csv"
    file.write_text("a\n1\n")
    with EmptyTables() as empty, pytest.raises(CannotDescribe, match="outside of the warehouse") as refused:
        empty.describe(sql.format(file=file))
    assert refused.value.remedy == "Declare a source for it and read the landed table."
