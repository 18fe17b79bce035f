"""How many bytes of Parquet the columns of a relation take, from the footers of its files."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import duckdb

from mart_platform.planning.quoting import literal
from mart_platform.ports import Relation


def column_sizes(relation: Relation) -> Mapping[str, int]:
    """Return the compressed bytes of each column.

    A view's columns take what the columns that it is made of take, as far as they bear the same name.
    """
    if relation.sql is None:
        found = _in_footers(relation)
    else:
        found = sum((Counter(column_sizes(over)) for over in relation.over), Counter())
    return {column: found[column] for column in relation.columns}


def _in_footers(relation: Relation) -> Counter[str]:
    found = Counter[str]()
    for path, size in _footers(relation.files) if relation.files else ():
        # what is nested has a path for each of its parts, such as "both, a"
        for column in relation.columns:
            if path == column or path.startswith(f"{column}, "):
                found[column] += int(size)
    return found


def _footers(files: Iterable[Path]) -> list[tuple[str, int]]:
    listed = ", ".join(literal(str(file)) for file in files)
    with closing(duckdb.connect()) as connection:
        return connection.execute(
            "SELECT path_in_schema, sum(total_compressed_size)"
            f" FROM parquet_metadata([{listed}]) GROUP BY path_in_schema"
        ).fetchall()
