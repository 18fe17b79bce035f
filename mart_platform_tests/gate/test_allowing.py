"""What is not in the lists is refused, and the sentence names the construct."""

import pytest
from sqlglot import exp

from mart_platform.gate.allowing import DEEPEST, allow, integer_of
from mart_platform.gate.functions import FUNCTIONS, LONGEST_SERIES
from mart_platform.gate.nodes import NODES, TYPES, UNITS
from mart_platform.gate.parsing import parse
from mart_platform.gate.questions import Refused

REFUSED = [
    ("SELECT getvariable('x')", "the function getvariable"),
    ("SELECT \"GetVariable\"('x')", "the function getvariable"),
    ("SELECT current_setting('x')", "the function current_setting"),
    ("SELECT current_query()", "the function current_query"),
    ("SELECT query('x')", "the function query"),
    ("SELECT list_filter([1], x -> true)", "the function list_filter"),
    ("SELECT random()", "the function random"),
    ("SELECT error('x')", "the function error"),
    ("SELECT try(1)", "the function try"),
    ("SELECT main.sum(x)", "a function behind a dot"),
    ("SELECT x.upper()", "a function behind a dot"),
    ("SELECT * FROM read_csv('x')", "READ_CSV"),
    ("SELECT * FROM query('x')", "place of a table"),
    ("SELECT * FROM repeat('x', 5)", "place of a table"),
    ("SELECT * FROM glob('x')", "place of a table"),
    ("SELECT * FROM main.range(5)", "a function of a schema"),
    ("SELECT * FROM (SELECT 1) t, LATERAL read_csv('x')", "place of a table"),
    ("SELECT * FROM (SELECT 1) t, LATERAL upper('x')", "place of a table"),
    ("SELECT a.* FROM a.b a POSITIONAL JOIN a.c", "POSITIONAL JOIN"),
    ("SELECT * FROM a.b TABLESAMPLE 10%", "SAMPLE"),
    ("SELECT * FROM a.b USING SAMPLE 10", "SAMPLE"),
    ("SELECT * FROM a.b AT (VERSION => 1)", "WHEN"),
    ("SELECT * FROM a.b PIVOT (count(*) FOR x IN ('a'))", "PIVOT"),
    ("SELECT * FROM a.b UNPIVOT (v FOR k IN (x))", "PIVOT"),
    ("SELECT * FROM a.b FOR UPDATE", "LOCKS"),
    ("SELECT * FROM ONLY a.b", "ONLY"),
    ("SELECT x FROM a.b LIMIT 10%", "LIMIT_OPTIONS"),
    ("SELECT x FROM a.b LIMIT 10 PERCENT", "LIMIT_OPTIONS"),
    ("SELECT * FROM (DESCRIBE a.b)", "DESCRIBE"),
    ("SELECT * FROM (SUMMARIZE a.b)", "SUMMARIZE"),
    ("SELECT #1 FROM a.b", "POSITIONAL COLUMN"),
    ("SELECT COLUMNS(*) FROM a.b", "COLUMNS"),
    ("SELECT [x FOR x IN [1]]", "COMPREHENSION"),
    ("SELECT x COLLATE nocase", "COLLATE"),
    ("SELECT x -> 'a'", "J"),
    ("SELECT x GLOB 'a'", "GLOB"),
    ("SELECT x ^ 2", "POW"),
    ("SELECT x ** 2", "POW"),
    ("SELECT x ~ 'a'", "REGEXP"),
    ("SELECT x ^@ 'a'", "STARTS"),
    ("SELECT 1 << 2", "BITWISE"),
    ("SELECT x && y", "ARRAY OVERLAPS"),
    ("SELECT x LIKE ANY ('a', 'b')", "ANY outside of a comparison"),
    ("SELECT x LIKE ALL ('a', 'b')", "ALL outside of a comparison"),
    ("SELECT x IN y", "FIELD"),
    ("SELECT e'a'", "BYTE STRING"),
    ("SELECT 'a'::regclass", "cast to this type"),
    ("SELECT 'a'::\"my type\"", "cast to this type"),
    ("SELECT 'a'::json", "cast to this type"),
    ("SELECT 'a'::enum('x')", "cast to this type"),
    ("SELECT x::struct(a regclass)", "cast to this type"),
    ("SELECT current_user", "CURRENT USER"),
    ("SELECT session_user", "SESSION USER"),
    ("SELECT current_catalog", "CURRENT CATALOG"),
    ("SELECT x AT TIME ZONE 'UTC'", "AT TIME ZONE"),
    ("SELECT interval '1-2' year to month", "INTERVAL SPAN"),
    ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x)", "WITHIN GROUP"),
    ("SELECT floor(x, 2)", "DECIMALS"),
    ("SELECT count(DISTINCT a, b)", "DISTINCT of several values"),
    ("SELECT * LIKE 'x' FROM a.b", "* within an expression"),
    ("SELECT upper(*)", "* as an argument of upper"),
    ("SELECT (*) FROM a.b", "* within an expression"),
    ("SELECT repeat('x', 1001)", "repeat of a length"),
    ("SELECT repeat('x', y)", "repeat of a length"),
    ("SELECT repeat('x', 10 * 10)", "repeat of a length"),
    ("SELECT repeat('x')", "repeat of a length"),
    ("SELECT lpad('x', 2000000000, 'y')", "lpad of a length"),
    ("SELECT rpad('x', y, 'y')", "rpad of a length"),
    ("SELECT repeat(repeat('x', 9), 9)", "repeat within repeat"),
    ("SELECT lpad(repeat('x', 9), 9, 'y')", "repeat within lpad"),
    ("SELECT range(x)", "bounds that are not literals"),
    ("SELECT range('a')", "bounds that are not literals"),
    ("SELECT range(1, 2, 3, 4)", "bounds that are not literals"),
    ("SELECT range()", "bounds that are not literals"),
    ("SELECT range(1, 5, 0)", "bounds that are not literals"),
    ("SELECT * FROM range(1000001)", f"more than {LONGEST_SERIES}"),
    ("SELECT * FROM range(-600000, 600000)", f"more than {LONGEST_SERIES}"),
    ("SELECT * FROM range(0, 100000000, 10)", f"more than {LONGEST_SERIES}"),
    ("SELECT * FROM generate_series(1, (SELECT 5))", "bounds that are not literals"),
    (
        "SELECT * FROM generate_series(DATE '2020-01-01', current_date, INTERVAL 1 DAY)",
        "bounds that are not literals",
    ),
    (
        "SELECT * FROM generate_series(DATE '2020-01-01', DATE '2020-02-01', INTERVAL 1 SECOND)",
        "bounds that are not literals",
    ),
    (
        "SELECT * FROM generate_series(DATE '2020-01-01', DATE '2020-02-01', INTERVAL 0 DAY)",
        "bounds that are not literals",
    ),
    (
        "SELECT * FROM generate_series(DATE '2020-01-01', DATE '2020-02-01', INTERVAL '1.5' DAY)",
        "bounds that are not literals",
    ),
    (
        "SELECT * FROM generate_series(DATE 'x', DATE '2020-02-01', INTERVAL 1 DAY)",
        "bounds that are not literals",
    ),
    (
        "SELECT * FROM generate_series(DATE '0001-01-01', DATE '9999-01-01', INTERVAL 1 DAY)",
        f"more than {LONGEST_SERIES}",
    ),
    ('SELECT 1 AS "a@"', "a name with @"),
    ('SELECT * FROM a.b AS "b@"', "a name with @"),
    ('WITH "b@" AS (SELECT 1) SELECT 1', "a name with @"),
    ('SELECT "b@".x FROM a.b', "a name with @"),
    ("SELECT a@b", "a name that is none"),
    ("SELECT extract(nothing FROM x)", "the word nothing"),
    ("SELECT x SIMILAR TO 'a' ESCAPE 'b', map {'a': 1}", "TO MAP"),
    ("SELECT x BETWEEN SYMMETRIC 1 AND 2", "SYMMETRIC"),
    ("WITH RECURSIVE t USING KEY (x) AS (SELECT 1 UNION SELECT 2) SELECT 1", "KEY_EXPRESSIONS"),
    ("SELECT list_transform([1], lambda x: x)", "the function list_transform"),
    ("SELECT upper(lambda x: x)", "LAMBDA"),
    ("SELECT to_json(x)", "the function to_json"),
    ("SELECT sleep_ms(5)", "the function sleep_ms"),
    ("SELECT format('{:>9}', 1)", "the function format"),
    ("SELECT printf('%9d', 1)", "the function printf"),
    ("SELECT list_aggregate([1], 'sum')", "the function list_aggregate"),
    ("SELECT hash(1)", "the function hash"),
]


@pytest.mark.parametrize(("sql", "said"), REFUSED)
def test_what_is_not_in_the_lists_is_refused_by_name(sql: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        allow(parse(sql).tree)
    assert caught.value.code == "not_allowed"
    assert said.lower() in caught.value.sentence.lower()


ALLOWED = """
SELECT range(1000), range(5, 1), range(10, 1, -3), range(1, 999999)
SELECT * FROM generate_series(DATE '2020-01-01', DATE '2020-02-01', INTERVAL 1 DAY) AS t(d)
SELECT * FROM range(DATE '2020-01-01', DATE '2021-01-01', INTERVAL '1' MONTH)
SELECT repeat('x', 1000), lpad(x, 10, '0'), rpad(x, 10)
SELECT a, * EXCLUDE (a) REPLACE (b + 1 AS b), t.* FROM a.b AS t
SELECT count(*), count(t.*) FROM a.b AS t
SELECT x = ANY (SELECT 1), x > ALL (SELECT 1), x < ANY (SELECT 1), x <= ALL (SELECT 1), x >= ANY (SELECT 1), x <> ALL (SELECT 1)
SELECT x FROM a.b ORDER BY ALL LIMIT ALL
SELECT $1, ?, $name
SELECT * FROM a.b NATURAL JOIN a.c LEFT JOIN a.d USING (x) ASOF JOIN a.e ON d.x >= e.x CROSS JOIN a.f SEMI JOIN a.g ON true
SELECT * FROM "sales@3".orders WHERE "sales@3".orders.x = 1 AND 'a@b' = 'x@y'
SELECT "sales@3".orders.home.city FROM "sales@3".orders
SELECT * FROM (a.b JOIN a.c ON true) WHERE x = 'ééé'
SELECT x AS "naïve name"
WITH a AS NOT MATERIALIZED (SELECT 1) SELECT * FROM a
SELECT 1 UNION BY NAME SELECT 2
""".strip().splitlines()


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_is_in_the_lists_passes(sql: str) -> None:
    allow(parse(sql).tree)


def test_a_construct_that_nobody_listed_is_refused() -> None:
    listed = set(NODES)
    for node in (
        exp.Lambda,
        exp.Pivot,
        exp.TableSample,
        exp.Describe,
        exp.Command,
        exp.Columns,
        exp.Placeholder,
    ):
        assert (node in listed) == (node is exp.Placeholder)


@pytest.mark.parametrize(
    "name",
    [
        "getvariable",
        "current_setting",
        "current_query",
        "query",
        "query_table",
        "read_csv",
        "read_parquet",
        "read_text",
        "read_blob",
        "glob",
        "sqlite_scan",
        "pragma_version",
        "duckdb_tables",
        "json_execute_serialized_sql",
        "json_serialize_sql",
        "nextval",
        "currval",
        "setseed",
        "random",
        "uuid",
        "sleep_ms",
        "pg_sleep",
        "write_log",
        "error",
        "current_database",
        "current_schema",
        "current_user",
        "version",
        "txid_current",
        "list_aggregate",
        "list_aggr",
        "array_aggregate",
        "list_transform",
        "list_filter",
        "list_reduce",
        "list_resize",
        "format",
        "printf",
        "bar",
        "to_base",
        "stats",
        "create_sort_key",
        "vector_type",
        "in_search_path",
        "finalize",
        "combine",
        "cast_to_type",
        "test_all_types",
        "which_secret",
        "arrow_scan",
        "pandas_scan",
        "seq_scan",
        "parquet_scan",
        "repeat_row",
        "icu_sort_key",
        "variant_extract",
        "row_to_json",
        "to_json",
    ],
)
def test_a_function_that_looks_at_more_than_its_arguments_is_in_no_list(name: str) -> None:
    assert name not in FUNCTIONS


def test_types_units_and_parts_of_constructs_are_as_few_as_they_were() -> None:
    assert (len(TYPES), len(UNITS)) == (26, 33)
    assert "sample" not in NODES[exp.Table] | NODES[exp.Select]
    assert not {"into", "locks", "pivots", "sample", "hint", "kind", "connect"} & NODES[exp.Select]
    assert NODES[exp.Table] == {"this", "db", "alias", "joins"}
    assert NODES[exp.CTE] == {"this", "alias", "materialized"}
    assert NODES[exp.Limit] == NODES[exp.Offset] == {"expression"}


def test_a_tree_that_is_too_deep_is_refused() -> None:
    with pytest.raises(Refused, match="too deep"):
        allow(parse("SELECT 1" + " + 1" * (DEEPEST + 1)).tree)
    allow(parse("SELECT 1" + " + 1" * (DEEPEST - 5)).tree)
    allow(parse("SELECT 1 WHERE " + " OR ".join(["x = 1"] * 2000)).tree)


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("5", 5),
        ("-5", -5),
        ("- -5", 5),
        ("'5'", None),
        ("5.0", None),
        ("x", None),
        ("-x", None),
        ("1e3", None),
    ],
)
def test_a_whole_number_is_one_that_is_written_out(sql: str, number: int | None) -> None:
    assert integer_of(parse(f"SELECT {sql}").tree.selects[0]) == number


def test_nothing_is_no_number() -> None:
    assert integer_of(None) is None


def test_a_name_of_a_parameter_is_a_word() -> None:
    with pytest.raises(Refused, match="a parameter of this name"):
        allow(exp.Select(expressions=[exp.Placeholder(this="a b")]))


def test_a_number_is_one() -> None:
    with pytest.raises(Refused, match="the number 1 from x"):
        allow(exp.Select(expressions=[exp.Literal.number("1 from x")]))


@pytest.mark.parametrize(("part", "word"), [("kind", "STRAIGHT"), ("side", "UP"), ("method", "HASH")])
def test_a_word_of_a_join_is_a_known_one(part: str, word: str) -> None:
    tree = parse("SELECT * FROM a.b JOIN a.c ON true").tree
    tree.args["joins"][0].set(part, word)
    with pytest.raises(Refused, match=f"{word} JOIN"):
        allow(tree)


@pytest.mark.parametrize(("part", "word"), [("kind", "COLUMNS"), ("start", "NOW"), ("end_side", "UP")])
def test_a_word_of_a_frame_is_a_known_one(part: str, word: str) -> None:
    tree = parse("SELECT sum(x) OVER (ORDER BY y ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING)").tree
    frame = tree.find(exp.WindowSpec)
    assert frame is not None
    frame.set(part, word)
    with pytest.raises(Refused, match=word):
        allow(tree)
