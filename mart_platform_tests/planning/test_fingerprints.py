"""Which tables a change of logic reaches: those whose content may differ, and no others."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.planning.planner import make_plan
from mart_platform.reading.folder import read_warehouse

SOURCE = """\
source: shop
description: A shop.
owner: {team: shop, contact: shop@example.com}
connector: files
options: {glob: "{table}.csv"}
tables:
  orders:
    description: Orders.
    columns:
      id:       {type: bigint, not_null: true}
      customer: {type: bigint}
      amount:   {type: "decimal(10,2)"}
      day:      {type: date}
      note:     {type: string}
  customers:
    description: Customers.
    columns:
      id:      {type: bigint}
      country: {type: string}
"""
UP = "SELECT id AS a, amount AS b, day FROM shop.orders"
READERS = {
    "a": "SELECT a FROM canonical.up",
    "b": "SELECT b + 1 AS b FROM canonical.up",
    "rows": "SELECT count(*) AS n FROM canonical.up",
    "star": "SELECT * FROM canonical.up",
}
"""What is made of the table ``canonical.up``: of one of its columns each, of its rows alone, of all of it."""

NOBODY = ""
ALL = "up a b rows star"


def planned(folder: Path, files: Mapping[str, str]) -> Plan:
    """Return the plan of a folder with these files in addition to the source and the readers."""
    models = {f"canonical/{name}.sql": sql for name, sql in {"up": UP, **READERS}.items()}
    contracts = {f"canonical/{n}.yaml": f"table: canonical.{n}\ndescription: T.\n" for n in ("up", *READERS)}
    for file, text in {"sources/shop/source.yaml": SOURCE, **models, **contracts, **files}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return make_plan(read_warehouse(folder))


def moved(before: Plan, after: Plan) -> set[str]:
    """Return the short names of the tables below the source that got another fingerprint."""

    def fingerprints(plan: Plan) -> dict[str, str]:
        return {t.short_name: t.fingerprint for t in plan.tables.values() if t.layer != "landing"}

    ours, theirs = fingerprints(before), fingerprints(after)
    return {name for name in ours if ours[name] != theirs[name]}


MODELS = {
    "a comment": (UP, f"-- all orders\n{UP} /* of the shop */", NOBODY),
    "case and blanks": (UP, "select ID as a,\n\n  amount as b, Day from SHOP.orders", NOBODY),
    "an alias of a table": (UP, "SELECT o.id AS a, o.amount AS b, o.day FROM shop.orders AS o", NOBODY),
    "a cast in another form": (
        "SELECT id AS a, amount::DOUBLE AS b FROM shop.orders",
        "SELECT id AS a, CAST(amount AS DOUBLE) AS b FROM shop.orders",
        NOBODY,
    ),
    "a star for its columns": (
        "SELECT id AS a, b FROM (SELECT id, amount AS b FROM shop.orders)",
        "SELECT * RENAME (id AS a) FROM (SELECT id, amount AS b FROM shop.orders)",
        NOBODY,
    ),
    "GROUP BY ALL for its columns": (
        "SELECT customer AS a, day, sum(amount) AS b FROM shop.orders GROUP BY day, customer",
        "SELECT customer AS a, day, sum(amount) AS b FROM shop.orders GROUP BY ALL",
        NOBODY,
    ),
    "GROUP BY of a position for its column": (
        "SELECT customer AS a, sum(amount) AS b FROM shop.orders GROUP BY customer",
        "SELECT customer AS a, sum(amount) AS b FROM shop.orders GROUP BY 1",
        NOBODY,
    ),
    "another name of a common table": (
        "WITH one AS (SELECT id, amount FROM shop.orders) SELECT id AS a, amount AS b FROM one",
        "WITH two AS (SELECT id, amount FROM shop.orders) SELECT id AS a, amount AS b FROM two",
        NOBODY,
    ),
    "another name inside of a common table": (
        "WITH one AS (SELECT id AS x, amount FROM shop.orders) SELECT x AS a, amount AS b FROM one",
        "WITH one AS (SELECT id AS y, amount FROM shop.orders) SELECT y AS a, amount AS b FROM one",
        NOBODY,
    ),
    "another order of common tables": (
        "WITH o AS (SELECT id, amount FROM shop.orders), c AS (SELECT id FROM shop.customers)"
        " SELECT o.id AS a, amount AS b FROM o JOIN c ON c.id = o.id",
        "WITH c AS (SELECT id FROM shop.customers), o AS (SELECT id, amount FROM shop.orders)"
        " SELECT o.id AS a, amount AS b FROM o JOIN c ON c.id = o.id",
        NOBODY,
    ),
    "a common table that nobody reads": (
        UP,
        f"WITH spare AS (SELECT max(amount) AS m FROM shop.orders) {UP}",
        NOBODY,
    ),
    "a column of a common table that nobody reads": (
        "WITH o AS (SELECT id, amount FROM shop.orders) SELECT id AS a, amount AS b FROM o",
        "WITH o AS (SELECT id, amount, day AS c FROM shop.orders) SELECT id AS a, amount AS b FROM o",
        NOBODY,
    ),
    "a join by USING for its ON": (
        "SELECT o.id AS a, o.amount AS b FROM shop.orders AS o JOIN shop.customers AS c ON o.id = c.id",
        "SELECT o.id AS a, amount AS b FROM shop.orders AS o JOIN shop.customers AS c USING (id)",
        NOBODY,
    ),
    "what EXISTS selects": (
        f"{UP} WHERE EXISTS (SELECT 1 FROM shop.customers AS c WHERE c.id = customer)",
        f"{UP} WHERE EXISTS (SELECT c.country FROM shop.customers AS c WHERE c.id = customer)",
        NOBODY,
    ),
    "a column more": (UP, UP.replace("day", "day, customer"), "up star"),
    "a column less": (UP, UP.replace(", day", ""), "up star"),
    "another order of the columns": (UP, "SELECT day, amount AS b, id AS a FROM shop.orders", "up star"),
    "another value of one column": (UP, UP.replace("amount AS b", "amount * 2 AS b"), "up b star"),
    "another column under the same name": (UP, UP.replace("id AS a", "customer AS a"), "up a star"),
    "another column of the same value inside": (
        "SELECT a, b FROM (SELECT id AS a, amount AS b, day FROM shop.orders)",
        "SELECT a, b FROM (SELECT id AS a, amount + 1 AS b, day FROM shop.orders)",
        "up b star",
    ),
    "another order of the rows": (UP, f"{UP} ORDER BY id", "up"),
    "a filter": (UP, f"{UP} WHERE amount > 1", ALL),
    "another filter": (f"{UP} WHERE amount > 1", f"{UP} WHERE amount > 2", ALL),
    "a filter inside": (
        "SELECT a, b FROM (SELECT id AS a, amount AS b FROM shop.orders)",
        "SELECT a, b FROM (SELECT id AS a, amount AS b FROM shop.orders WHERE day > DATE '2017-01-01')",
        ALL,
    ),
    "what is filtered by": (
        "SELECT a, b FROM (SELECT id AS a, amount AS b, customer AS c FROM shop.orders) WHERE c = 1",
        "SELECT a, b FROM (SELECT id AS a, amount AS b, customer + 1 AS c FROM shop.orders) WHERE c = 1",
        ALL,
    ),
    "another kind of join": (
        "SELECT o.id AS a, amount AS b FROM shop.orders AS o JOIN shop.customers AS c ON c.id = o.id",
        "SELECT o.id AS a, amount AS b FROM shop.orders AS o LEFT JOIN shop.customers AS c ON c.id = o.id",
        ALL,
    ),
    "a join of which no column is used": (
        UP,
        "SELECT o.id AS a, amount AS b, day FROM shop.orders AS o"
        " LEFT JOIN shop.customers AS c ON c.id = customer",
        ALL,
    ),
    "a key of the grouping": (
        "SELECT customer AS a, sum(amount) AS b FROM shop.orders GROUP BY ALL",
        "SELECT customer AS a, sum(amount) AS b, day FROM shop.orders GROUP BY ALL",
        ALL,
    ),
    "a figure of the grouping": (
        "SELECT customer AS a, sum(amount) AS b FROM shop.orders GROUP BY ALL",
        "SELECT customer AS a, sum(amount) AS b, count(*) AS n FROM shop.orders GROUP BY ALL",
        "up star",
    ),
    "one row of many": (
        "SELECT 1 AS a, amount AS b FROM shop.orders",
        "SELECT 1 AS a, sum(amount) AS b FROM shop.orders",
        ALL,
    ),
    "one row of many by an aggregate of the engine's own": (
        "SELECT 1 AS a, amount AS b FROM shop.orders",
        "SELECT 1 AS a, mad(amount) AS b FROM shop.orders",
        ALL,
    ),
    "many rows of one": (
        "SELECT id AS a, 1 AS b FROM shop.orders",
        "SELECT id AS a, unnest([1, 2]) AS b FROM shop.orders",
        ALL,
    ),
    "DISTINCT": (UP, UP.replace("SELECT", "SELECT DISTINCT"), ALL),
    "a column more under DISTINCT": (
        "SELECT DISTINCT id AS a, amount AS b FROM shop.orders",
        "SELECT DISTINCT id AS a, amount AS b, day FROM shop.orders",
        ALL,
    ),
    "a column more under UNION": (
        "SELECT id AS a, 1 AS b FROM shop.orders UNION SELECT id, 2 FROM shop.customers",
        "SELECT id AS a, 1 AS b, day FROM shop.orders UNION SELECT id, 2, NULL FROM shop.customers",
        ALL,
    ),
    "a column more under UNION ALL": (
        "SELECT id AS a, 1 AS b FROM shop.orders UNION ALL SELECT id, 2 FROM shop.customers",
        "SELECT id AS a, 1 AS b, day FROM shop.orders UNION ALL SELECT id, 2, NULL FROM shop.customers",
        "up star",
    ),
    "UNION for UNION ALL": (
        "SELECT id AS a, 1 AS b FROM shop.orders UNION ALL SELECT id, 2 FROM shop.customers",
        "SELECT id AS a, 1 AS b FROM shop.orders UNION SELECT id, 2 FROM shop.customers",
        ALL,
    ),
    "a filter by a window": (
        UP,
        f"{UP} QUALIFY row_number() OVER (PARTITION BY customer ORDER BY day, id) = 1",
        ALL,
    ),
    "the order of a window that filters": (
        f"{UP} QUALIFY row_number() OVER (PARTITION BY customer ORDER BY day, id) = 1",
        f"{UP} QUALIFY row_number() OVER (PARTITION BY customer ORDER BY day DESC, id) = 1",
        ALL,
    ),
    "the order of a window that does not": (
        "SELECT id AS a, row_number() OVER (ORDER BY day, id) AS b FROM shop.orders",
        "SELECT id AS a, row_number() OVER (ORDER BY id) AS b FROM shop.orders",
        "up b star",
    ),
    "a LIMIT": (f"{UP} ORDER BY id", f"{UP} ORDER BY id LIMIT 9", ALL),
    "the order before a LIMIT": (f"{UP} ORDER BY id LIMIT 9", f"{UP} ORDER BY day, id LIMIT 9", ALL),
    "a filter in a subquery of one column": (
        "SELECT id AS a, (SELECT max(id) FROM shop.customers) AS b FROM shop.orders",
        "SELECT id AS a, (SELECT max(id) FROM shop.customers WHERE country = 'de') AS b FROM shop.orders",
        "up b star",
    ),
    "a step of a recursion": (
        "WITH RECURSIVE r AS (SELECT 1 AS a, 1 AS b UNION ALL SELECT a + 1, b FROM r WHERE a < 9) FROM r",
        "WITH RECURSIVE r AS (SELECT 1 AS a, 1 AS b UNION ALL SELECT a + 2, b FROM r WHERE a < 9) FROM r",
        ALL,
    ),
    "a value where columns cannot be told apart": (
        "SELECT id AS a, amount AS b, to_json(o)::VARCHAR AS j FROM shop.orders AS o",
        "SELECT id AS a, amount + 1 AS b, to_json(o)::VARCHAR AS j FROM shop.orders AS o",
        ALL,
    ),
    "a comment where columns cannot be told apart": (
        "SELECT id AS a, amount AS b, to_json(o)::VARCHAR AS j FROM shop.orders AS o",
        "SELECT id AS a, amount AS b, to_json(o)::VARCHAR AS j -- all of it\nFROM shop.orders AS o",
        NOBODY,
    ),
}


@pytest.mark.parametrize("change", MODELS)
def test_a_change_of_a_model_moves_those_whose_content_may_differ(tmp_path: Path, change: str) -> None:
    before, after, reached = MODELS[change]
    one, other = ({"canonical/up.sql": sql} for sql in (before, after))
    assert moved(planned(tmp_path / "before", one), planned(tmp_path / "after", other)) == set(
        reached.split()
    )


CONTRACTS = {
    "words": ("description: Other words.", NOBODY),
    "a check": ("checks: [{name: some, says: There are rows., rows: {at_least: 1}}]", NOBODY),
    "a key that only is checked": ("key: [a]", NOBODY),
    "a partition": ("kind: incremental\npartition: {column: day, grain: day}", "up"),
    "a kind": ("kind: upsert\nkey: [a]\norder_by: day", ALL),
}


@pytest.mark.parametrize("change", CONTRACTS)
def test_of_a_contract_only_how_the_table_is_made_and_cut_counts(tmp_path: Path, change: str) -> None:
    text, reached = CONTRACTS[change]
    contract = "table: canonical.up\n" + ("" if "description" in text else "description: T.\n") + text + "\n"
    before, after = (
        planned(tmp_path / "before", {}),
        planned(tmp_path / "after", {"canonical/up.yaml": contract}),
    )
    assert moved(before, after) == set(reached.split())


KEYED = "table: canonical.up\ndescription: T.\nkind: {kind}\nkey: [a]\norder_by: {by}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (KEYED.format(kind="upsert", by="day"), KEYED.format(kind="upsert", by="b")),
        (
            KEYED.format(kind="upsert", by="day"),
            KEYED.format(kind="upsert", by="day").replace("[a]", "[a, b]"),
        ),
        (KEYED.format(kind="scd2", by="day"), KEYED.format(kind="scd2", by="day") + "tracked: [b]\n"),
    ],
)
def test_the_key_and_the_order_of_changes_are_logic_of_a_keyed_table(
    tmp_path: Path, before: str, after: str
) -> None:
    model = "SELECT id AS a, amount AS b, day, note FROM shop.orders"
    one, other = (
        planned(tmp_path / str(number), {"canonical/up.sql": model, "canonical/up.yaml": contract})
        for number, contract in enumerate((before, after))
    )
    assert {"up", "rows"} <= moved(one, other)


SOURCES = {
    "words": ("description: Orders.", "description: Many orders.", NOBODY),
    "what a column is called where it comes from": (
        "note:     {type: string}",
        "note:     {type: string, delivered_as: Note}",
        NOBODY,
    ),
    "a text more": ("note:     {type: string}", "note: {type: string}\n      shop: {type: string}", NOBODY),
    "a name in the delivery of what is read": (
        'amount:   {type: "decimal(10,2)"}',
        'amount:   {type: "decimal(10,2)", delivered_as: Amount}',
        ALL,
    ),
    "a type that may refuse a row": ("note:     {type: string}", "note: {type: bigint}", ALL),
    "a check that refuses a row": ("note:     {type: string}", "note: {type: string, length: 3}", ALL),
    "how files are read": (
        'options: {glob: "{table}.csv"}',
        'options: {glob: "{table}.csv", separator: ";"}',
        ALL,
    ),
    "where files lie": ('options: {glob: "{table}.csv"}', 'options: {glob: "in/{table}.csv"}', NOBODY),
}


@pytest.mark.parametrize("change", SOURCES)
def test_a_change_of_a_source_moves_those_that_read_what_lands_otherwise(tmp_path: Path, change: str) -> None:
    old, new, reached = SOURCES[change]
    assert SOURCE.count(old) == 1
    after = planned(tmp_path / "after", {"sources/shop/source.yaml": SOURCE.replace(old, new)})
    assert moved(planned(tmp_path / "before", {}), after) == set(reached.split())


PYTHON = """
import polars as pl

def model(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.select(a="id", b="amount")
"""
PYTHON_CONTRACT = """\
table: canonical.up
description: T.
inputs: {orders: shop.orders}
columns: {a: {type: bigint}, b: {type: "decimal(10,2)"}}
"""


@pytest.mark.parametrize(
    ("old", "new", "reached"),
    [
        ("(orders: pl", "(  orders: pl", NOBODY),
        ("    return", "    # all of them\n    return", NOBODY),
        ('b="amount"', 'b=pl.col("amount") + 1', ALL),
        ("import polars as pl", "import duckdb\nimport polars as pl", ALL),
    ],
)
def test_a_python_model_is_its_code_and_its_libraries(
    tmp_path: Path, old: str, new: str, reached: str
) -> None:
    plans = []
    for name, text in (("before", PYTHON), ("after", PYTHON.replace(old, new))):
        planned(tmp_path / name, {"canonical/up.yaml": "table: canonical.up\ndescription: T.\n"})
        (tmp_path / name / "canonical" / "up.sql").unlink()
        files = {"canonical/up.py": text, "canonical/up.yaml": PYTHON_CONTRACT}
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
        plans.append(make_plan(read_warehouse(tmp_path / name)))
    assert moved(*plans) == set(reached.split())


def of(plan: Plan, name: str) -> PlannedTable:
    return plan.tables[f"canonical.{name}"]


def test_a_changed_filter_moves_the_row_set_and_every_column(tmp_path: Path) -> None:
    before, after = (
        planned(tmp_path / "b", {}),
        planned(tmp_path / "a", {"canonical/up.sql": f"{UP} WHERE id > 1"}),
    )
    assert of(before, "up").row_set != of(after, "up").row_set
    pairs = zip(of(before, "up").columns, of(after, "up").columns, strict=True)
    assert all(ours.fingerprint != theirs.fingerprint for ours, theirs in pairs)


def test_a_changed_value_moves_its_column_alone(tmp_path: Path) -> None:
    changed = UP.replace("amount AS b", "amount * 2 AS b")
    before, after = planned(tmp_path / "b", {}), planned(tmp_path / "a", {"canonical/up.sql": changed})
    assert of(before, "up").row_set == of(after, "up").row_set
    pairs = zip(of(before, "up").columns, of(after, "up").columns, strict=True)
    assert [ours.name for ours, theirs in pairs if ours.fingerprint != theirs.fingerprint] == ["b"]


def test_a_view_is_part_of_the_logic_of_those_that_read_it(tmp_path: Path) -> None:
    view = {"canonical/up.yaml": "table: canonical.up\ndescription: T.\nkind: view\n"}
    before = planned(tmp_path / "b", view)
    after = planned(tmp_path / "a", {**view, "canonical/up.sql": f"{UP} WHERE id > 1"})
    assert of(before, "a").inputs == ("shop.orders",)
    assert moved(before, after) == set(ALL.split())


def test_a_view_over_a_table_gives_the_fingerprints_that_its_text_in_place_would(tmp_path: Path) -> None:
    view = {"canonical/up.yaml": "table: canonical.up\ndescription: T.\nkind: view\n"}
    in_place = {"canonical/a.sql": f"SELECT a FROM ({UP})"}
    assert (
        of(planned(tmp_path / "b", view), "a").fingerprint
        == of(planned(tmp_path / "a", in_place), "a").fingerprint
    )
