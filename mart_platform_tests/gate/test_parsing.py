"""A text becomes one query, or is refused with a sentence; never anything else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from mart_platform.gate.parsing import DEEPEST, DUCKDB, LONGEST, parse
from mart_platform.gate.questions import Named, Refused


def refusal(sql: str) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        parse(sql)
    return caught.value.code, caught.value.sentence


def written(sql: str) -> str:
    return parse(sql).tree.sql(dialect=DUCKDB, comments=False)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT * FROM sales.orders", Named("sales", "orders")),
        ("FROM Sales.ORDERS", Named("sales", "orders")),
        ('SELECT * FROM "sales"."orders"', Named("sales", "orders")),
        ("SELECT * FROM sales@12.orders", Named("sales", "orders", "12")),
        ("SELECT * FROM sales@live.orders", Named("sales", "orders", "live")),
        ("SELECT * FROM sales@SHADOW.orders", Named("sales", "orders", "shadow")),
        ('SELECT * FROM "sales@12".orders', Named("sales", "orders", "12")),
        ('SELECT * FROM "sales"@12.orders', Named("sales", "orders", "12")),
        ("SELECT * FROM sales@1.e5", Named("sales", "e5", "1")),
        ("SELECT * FROM sales@12 . orders", None),
        ("SELECT * FROM sales @12.orders", None),
        ("SELECT * FROM sales@ 12.orders", None),
        ("SELECT * FROM sales@dead.orders", None),
        ("SELECT * FROM (TABLE sales.orders)", Named("sales", "orders")),
    ],
)
def test_a_table_is_named_by_mart_and_version(sql: str, named: Named | None) -> None:
    if named is None:
        assert refusal(sql)[0] in ("syntax", "unknown_table", "not_allowed")
    else:
        assert parse(sql).named == (named,)


@pytest.mark.parametrize(
    ("sql", "known"),
    [
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, A", True),
        ("WITH a AS (SELECT 1) SELECT (SELECT count(*) FROM a) FROM (SELECT * FROM a) t", True),
        ("WITH a AS (SELECT 1) SELECT 1 UNION SELECT * FROM a", True),
        ("WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT * FROM a) SELECT * FROM a", True),
        ("WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM a", True),
        ("WITH a AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT * FROM a) SELECT * FROM b) t", True),
        ('WITH "é" AS (SELECT 1) SELECT * FROM "é"', True),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", False),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", False),
        ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", False),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) t, a", False),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) t WHERE EXISTS (SELECT * FROM a)", False),
        ("WITH a AS (SELECT 1) SELECT * FROM main.a, a.b, b", False),
        ("SELECT * FROM staff", False),
        ("SELECT * FROM x.sales.staff", False),
        ('SELECT * FROM sales."or ders"', False),
        ("SELECT * FROM sales.\u00f8rders", False),
        ('SELECT * FROM "sales@03x".orders', False),
        ("SELECT * FROM \u212aiosk.orders", False),
    ],
)
def test_a_name_without_a_mart_is_a_common_table_that_can_be_seen_from_there(sql: str, known: bool) -> None:
    if known:
        assert parse(sql).named == ()
    else:
        assert refusal(sql)[0] == "unknown_table"


def test_each_table_is_named_once_in_the_order_of_a_walk() -> None:
    question = parse(
        "SELECT * FROM a.b JOIN a.b AS c ON true WHERE EXISTS (FROM a@2.b) AND EXISTS (FROM d.e)"
    )
    assert set(question.named) == {Named("a", "b"), Named("a", "b", "2"), Named("d", "e")}
    assert len(question.named) == 3


def test_versions_are_read_outside_of_strings_comments_and_quotes_only() -> None:
    assert written("SELECT 'sales@12.x', \"sales@12.y\" /* sales@12.z */ FROM a.b -- sales@12.o") == (
        "SELECT 'sales@12.x', \"sales@12.y\" FROM a.b"
    )
    assert '"sales@12".orders.x' in written("SELECT sales@12.orders.x FROM sales@12.orders")
    assert "$$" not in written("SELECT $$a@1.b$$")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "(SELECT 1)",
        "((SELECT 1) UNION SELECT 2)",
        "WITH a AS (SELECT 1) FROM a",
        "FROM a.b",
        "SELECT 1;;",
    ],
)
def test_a_query_begins_with_select_with_or_from(sql: str) -> None:
    assert isinstance(parse(sql).tree, exp.Query)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing",
        ";",
        "()",
        "VALUES (1)",
        "TABLE a.b",
        "DROP TABLE a.b",
        "EXPLAIN SELECT 1",
        "PRAGMA x",
        "COPY a.b TO 'x'",
        "SET x = 1",
        "PIVOT a.b ON x",
        "CALL f()",
        "(DELETE FROM a.b)",
        "WITH a AS (SELECT 1) DELETE FROM a.b",
        "WITH a AS (SELECT 1) INSERT INTO a.b SELECT 1",
        "FROM a.b SELECT 1; DROP TABLE a.b",
        "SELECT 1; SELECT 2",
        "SELECT 1; ; SELECT 2",
    ],
)
def test_anything_else_is_not_allowed(sql: str) -> None:
    assert refusal(sql)[0] == "not_allowed"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT (1", "does not parse"),
        ("SELECT 'a", "not closed"),
        ("SELECT * FRM a.b WHERE 1", "does not parse near"),
        ("SELECT '\0'", "NUL"),
        ("SELECT {:}", "does not parse"),
        ("SELECT 0x1F", "'0x1F' is no number"),
        ("SELECT date '2020-01-01'::timestamp", "two ways"),
        ("SELECT interval '1 day'::varchar", "two ways"),
    ],
)
def test_what_does_not_parse_says_where(sql: str, said: str) -> None:
    code, sentence = refusal(sql)
    assert code == "syntax"
    assert said in sentence


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 x",
        "SELECT 'x'::int",
        "SELECT (date '2020-01-01')::timestamp",
        "SELECT a[1], [2][1]",
        "SELECT 1 AS x1F",
    ],
)
def test_what_only_looks_like_it_parses(sql: str) -> None:
    assert parse(sql).fingerprint


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1),
        "SELECT " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        "SELECT " + "{'a': " * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1),
        "SELECT " + "CASE WHEN true THEN " * (DEEPEST + 1) + "1" + " END" * (DEEPEST + 1),
        "SELECT " + "NOT " * (DEEPEST + 1) + "true",
        "SELECT " + "- " * (DEEPEST + 1) + "1",
        "SELECT a" + "[1]" * (DEEPEST + 2),
        "SELECT * FROM a.b" + " JOIN a.b ON true" * (DEEPEST + 1),
        "SELECT * FROM a.b" + " JOIN a.b" * (DEEPEST + 1) + " ON true" * (DEEPEST + 1),
    ],
)
def test_deep_nesting_is_refused(sql: str) -> None:
    assert refusal(sql) == ("not_allowed", "The query is nested too deep, or joins too much.")


def test_some_nesting_is_not() -> None:
    assert parse("SELECT " + "(" * (DEEPEST - 1) + "1" + ")" * (DEEPEST - 1)).fingerprint
    assert parse("SELECT * FROM a.b" + " JOIN a.b ON true" * DEEPEST).fingerprint
    assert parse("SELECT 1 WHERE " + " AND ".join(["x = 1"] * 1000)).fingerprint
    assert parse("SELECT x IN (" + ", ".join(["1"] * 5000) + ")").fingerprint


def test_what_stands_side_by_side_is_not_deep() -> None:
    assert parse(
        "SELECT " + ", ".join(["CASE WHEN a THEN f([1], {'a': (2)}) END"] * (DEEPEST + 1))
    ).fingerprint


def test_a_long_text_is_refused() -> None:
    assert (LONGEST, DEEPEST) == (100_000, 64)
    assert refusal("SELECT '" + "x" * LONGEST + "'")[0] == "not_allowed"
    assert parse("SELECT '" + "x" * (LONGEST - 9) + "'").fingerprint


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT * FROM "sa les"@12.orders',
        "SELECT a.sales@12.orders",
        "SELECT * FROM sales@dead.orders",
        "SELECT * FROM s\u00e4les@12.orders",
    ],
)
def test_only_a_plain_name_has_a_version(sql: str) -> None:
    assert refusal(sql)[0] == "syntax"


def test_two_queries_are_told_to_come_by_themselves() -> None:
    assert refusal("SELECT 1; SELECT 2")[1] == "One query is answered at a time."


def test_the_line_of_a_mistake_is_told() -> None:
    assert refusal("SELECT 1\nFROM a.b\nWHRE x y z")[1].endswith("line 3.")


def test_every_call_keeps_its_name() -> None:
    sql = "SELECT DATE_DIFF('day', a, b), LIST_HAS_ANY(a, b), STRING_SPLIT(a, b), EPOCH_MS(a) FROM a.b"
    assert written(sql) == sql


def test_a_comment_has_no_part_in_the_query() -> None:
    assert written("SELECT /* a */ 1 -- b\n + /* c */ f(x /* d */) /* e */") == "SELECT 1 + F(x)"


def test_operators_mean_what_they_mean_in_this_release() -> None:
    assert isinstance(parse("SELECT a ~ b").tree.selects[0], exp.RegexpFullMatch)


@pytest.mark.parametrize(
    "sql",
    [
        "select  REGION , sum(Amount) from SALES.orders where x = 5 and y in (1,2,3) -- z",
        'SELECT "region", SUM(amount) FROM sales@7.orders WHERE x = 17.5 AND y IN (4)',
        "SELECT region, sum(amount) FROM \"sales@live\".orders WHERE x = 'a' /* b */ AND y IN ('b', 1)",
        "SELECT region, sum(amount) FROM sales.orders WHERE x = $$a$$ AND y IN ('b')",
    ],
)
def test_a_fingerprint_is_that_of_the_text_without_literals_comments_case_and_version(sql: str) -> None:
    assert (
        parse(sql).fingerprint
        == parse("SELECT region, sum(amount) FROM sales.orders WHERE x = 1 AND y IN (1, 2)").fingerprint
    )


def test_other_queries_have_other_fingerprints() -> None:
    texts = [
        "SELECT a FROM a.b",
        "SELECT b FROM a.b",
        "SELECT a FROM a.c",
        "SELECT a, 1 FROM a.b",
        "SELECT 1, a FROM a.b",
    ]
    prints = {parse(sql).fingerprint for sql in texts}
    assert len(prints) == len(texts)
    assert {len(print_) for print_ in prints} == {16}


def test_a_question_keeps_its_text() -> None:
    assert parse("SELECT 1 -- x").text == "SELECT 1 -- x"


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_query_or_refused(text: str) -> None:
    assert sentence_or_tree(text)


WORDS = [
    "select",
    "from",
    "where",
    "a",
    ".",
    "b",
    ",",
    "(",
    ")",
    "1",
    "'x'",
    "*",
    "join",
    "on",
    "and",
    "or",
    "not",
    "in",
    "is",
    "null",
    "case",
    "when",
    "then",
    "end",
    "as",
    "with",
    "group",
    "by",
    "order",
    "limit",
    "[",
    "]",
    "{",
    "}",
    ":",
    "::",
    "@",
    "$",
    "?",
    "union",
    "lateral",
    "values",
    "interval",
    "over",
    "partition",
    "-",
    "+",
    ";",
    '"',
    "--",
    "/*",
]


@given(st.lists(st.sampled_from(WORDS), max_size=30))
@settings(max_examples=500, deadline=None)
def test_any_words_are_a_query_or_refused(words: list[str]) -> None:
    assert sentence_or_tree("select " + " ".join(words))


def test_a_query_of_too_many_selects_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(Refused, match="more than 200 SELECTs"):
        parse(" UNION ALL ".join(["SELECT 1 FROM sales.shops"] * 201))
    assert parse(" UNION ALL ".join(["SELECT 1 FROM sales.shops"] * 60)).named


def sentence_or_tree(text: str) -> object:
    """Return what a text is parsed to, or why it is not."""
    try:
        return parse(text).tree
    except Refused as refused:
        return refused.sentence
