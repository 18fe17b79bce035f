"""What may be seen is answered as by hand: the same query over the permitted rows, columns and values."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.gate.gate import check
from mart_platform.gate.parsing import parse
from mart_platform.gate.policies import Asker, policy_of
from mart_platform.gate.questions import Found
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform.spec.types import duckdb_type
from mart_platform_tests.gate.lake import CLERK, READER, SCOUT, Lake, policy

QUERIES = sorted((Path(__file__).parent.parent / "data" / "tpch" / "queries").glob("q*.sql"))
_NATIONS = "['FRANCE', 'GERMANY', 'BRAZIL', 'CANADA', 'SAUDI ARABIA', 'CHINA', 'INDIA', 'JAPAN']"
_DAY = "DATE '1992-01-01' + (hash({}) % 2400)::INTEGER"
TABLES: dict[str, tuple[int, dict[str, tuple[str, str]]]] = {
    "region": (
        5,
        {
            "r_regionkey": ("integer", "i"),
            "r_name": ("string", "['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'][i + 1]"),
            "r_comment": ("string", "'r' || i"),
        },
    ),
    "nation": (
        8,
        {
            "n_nationkey": ("integer", "i"),
            "n_name": ("string", f"{_NATIONS}[i + 1]"),
            "n_regionkey": ("integer", "i % 5"),
            "n_comment": ("string", "'n' || i"),
        },
    ),
    "supplier": (
        20,
        {
            "s_suppkey": ("integer", "i"),
            "s_name": ("string", "'Supplier#' || i"),
            "s_address": ("string", "'address ' || i"),
            "s_nationkey": ("integer", "i % 8"),
            "s_phone": ("string", "(10 + i) || '-555'"),
            "s_acctbal": ("decimal(15,2)", "i * 11.5 - 50"),
            "s_comment": ("string", "CASE WHEN i % 7 = 0 THEN 'a Customer of Complaints' ELSE 'c' END"),
        },
    ),
    "customer": (
        60,
        {
            "c_custkey": ("integer", "i"),
            "c_name": ("string", "'Customer#' || i"),
            "c_address": ("string", "'address ' || i"),
            "c_nationkey": ("integer", "i % 8"),
            "c_phone": ("string", "(10 + i % 25) || '-555-' || i"),
            "c_acctbal": ("decimal(15,2)", "i * 100 - 2000"),
            "c_mktsegment": ("string", "['BUILDING', 'AUTOMOBILE', 'MACHINERY'][i % 3 + 1]"),
            "c_comment": ("string", "'c' || i"),
        },
    ),
    "part": (
        80,
        {
            "p_partkey": ("integer", "i"),
            "p_name": ("string", "['forest', 'green', 'blue'][i % 3 + 1] || ' part'"),
            "p_mfgr": ("string", "'Manufacturer#' || i % 5"),
            "p_brand": ("string", "'Brand#' || ['12', '23', '34', '45'][i % 4 + 1]"),
            "p_type": ("string", "['ECONOMY ANODIZED STEEL', 'LARGE BRASS', 'PROMO TIN'][i % 3 + 1]"),
            "p_size": ("integer", "[15, 49, 14, 23, 45, 19, 3, 36, 9, 1, 5][i % 11 + 1]"),
            "p_container": ("string", "['SM CASE', 'MED BOX', 'LG PACK', 'JUMBO PKG'][i % 4 + 1]"),
            "p_retailprice": ("decimal(15,2)", "900 + i"),
            "p_comment": ("string", "'p' || i"),
        },
    ),
    "partsupp": (
        160,
        {
            "ps_partkey": ("integer", "i % 80"),
            "ps_suppkey": ("integer", "(i * 7) % 20"),
            "ps_availqty": ("integer", "i * 37 % 10000"),
            "ps_supplycost": ("decimal(15,2)", "i * 3.25"),
            "ps_comment": ("string", "'ps' || i"),
        },
    ),
    "orders": (
        300,
        {
            "o_orderkey": ("integer", "i"),
            "o_custkey": ("integer", "i % 40"),
            "o_orderstatus": ("string", "['F', 'O', 'P'][i % 3 + 1]"),
            "o_totalprice": ("decimal(15,2)", "i * 1000.5"),
            "o_orderdate": ("date", _DAY.format("i")),
            "o_orderpriority": ("string", "['1-URGENT', '2-HIGH', '5-LOW'][i % 3 + 1]"),
            "o_clerk": ("string", "'Clerk#' || i"),
            "o_shippriority": ("integer", "0"),
            "o_comment": ("string", "CASE WHEN i % 9 = 0 THEN 'special requests' ELSE 'x' END"),
        },
    ),
    "lineitem": (
        1500,
        {
            "l_orderkey": ("integer", "i % 300"),
            "l_partkey": ("integer", "i % 80"),
            "l_suppkey": ("integer", "(i * 7) % 20"),
            "l_linenumber": ("integer", "i // 300"),
            "l_quantity": ("decimal(15,2)", "1 + i * 13 % 50 + CASE WHEN i % 300 < 5 THEN 250 ELSE 0 END"),
            "l_extendedprice": ("decimal(15,2)", "1000 + i * 7.5"),
            "l_discount": ("decimal(15,2)", "(i % 11) / 100.0"),
            "l_tax": ("decimal(15,2)", "(i % 9) / 100.0"),
            "l_returnflag": ("string", "['A', 'N', 'R'][i % 3 + 1]"),
            "l_linestatus": ("string", "['F', 'O'][i % 2 + 1]"),
            "l_shipdate": ("date", _DAY.format("i + 7")),
            "l_commitdate": ("date", _DAY.format("i + 11")),
            "l_receiptdate": ("date", _DAY.format("i + 13")),
            "l_shipinstruct": ("string", "['DELIVER IN PERSON', 'NONE'][i % 2 + 1]"),
            "l_shipmode": ("string", "['MAIL', 'SHIP', 'AIR', 'AIR REG'][i % 4 + 1]"),
            "l_comment": ("string", "'l' || i"),
        },
    ),
}
TPCH = {
    f"tpch.{name}": {column: kind for column, (kind, _) in columns.items()}
    for name, (_, columns) in TABLES.items()
}
_NAMES = re.compile(r"\btpch\.(?=[a-z])")
FILTERS = {
    "lineitem": "l_partkey % 3 > 0",
    "orders": "o_custkey IN (SELECT c_custkey FROM tpch.customer WHERE c_acctbal > 0)",
}


@pytest.fixture(scope="module")
def tpch() -> duckdb.DuckDBPyConnection:
    """Tables of TPC-H with a few rows each, of which most queries find some."""
    engine = duckdb.connect()
    engine.execute("ATTACH ':memory:' AS \"tpch@1\"")
    for name, (rows, columns) in TABLES.items():
        values = ", ".join(
            f"CAST({value} AS {duckdb_type(kind)}) AS {column}" for column, (kind, value) in columns.items()
        )
        engine.execute(f'CREATE TABLE "tpch@1".main.{name} AS SELECT {values} FROM range({rows}) t(i)')
    engine.execute('CREATE SCHEMA "tpch@1".kept')
    for name in TABLES:
        kept = FILTERS.get(name, "true").replace("tpch.", '"tpch@1".main.')
        engine.execute(f'CREATE TABLE "tpch@1".kept.{name} AS FROM "tpch@1".main.{name} WHERE {kept}')
    return engine


def everything(**rows: str) -> Any:
    tables = {
        name: TableRights(columns=dict.fromkeys(types, "clear"), rows=rows.get(name.partition(".")[2]))
        for name, types in TPCH.items()
    }
    mart = MartRights(mart="tpch", types=TPCH, roles={"all": RoleRights(tables=tables)})
    return policy_of({"tpch": mart}, Asker("x", ("tpch.all",), {}))


def rows_of(engine: duckdb.DuckDBPyConnection, sql: str) -> Any:
    found = engine.execute(sql)
    return [(column[0], str(column[1])) for column in found.description or []], sorted(
        map(repr, found.fetchall())
    )


def rewritten(text: str, seen: Any) -> str:
    question = parse(text)
    return check(question, seen, {named: Found(1, TPCH[named.name]) for named in question.named}).sql


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_the_22_queries_of_tpch_come_through_unchanged(tpch: duckdb.DuckDBPyConnection, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    bare = _NAMES.sub('"tpch@1".main.', text)
    assert rows_of(tpch, rewritten(text, everything())) == rows_of(tpch, bare)


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_under_a_row_filter_they_give_what_they_give_over_the_rows_that_it_lets_through(
    tpch: duckdb.DuckDBPyConnection, path: Path
) -> None:
    text = path.read_text(encoding="utf-8")
    by_hand = _NAMES.sub('"tpch@1".kept.', text)
    assert rows_of(tpch, rewritten(text, everything(**FILTERS))) == rows_of(tpch, by_hand)


def test_most_of_these_queries_find_rows(tpch: duckdb.DuckDBPyConnection) -> None:
    texts = [path.read_text(encoding="utf-8") for path in QUERIES]
    found = [rows_of(tpch, rewritten(text, everything()))[1] for text in texts]
    assert len(QUERIES) == 22
    assert sum(bool(rows) for rows in found) >= 16


# ---- A policy is a table of its own: what it shows, written by hand ------------------------------------------

SEEN = """
CREATE OR REPLACE TEMP TABLE seen AS SELECT
    id,
    CASE WHEN name = '' THEN '' ELSE left(name, 1) || '***' END AS name,
    region,
    NULL::INTEGER AS salary,
    make_date(year(born), 1, 1) AS born,
    started, rate, score, active, grade,
    left(postcode, 2) AS postcode,
    note
FROM "sales@3".main.staff WHERE region = 'EU'
"""
COLUMNS = [
    "id",
    "name",
    "region",
    "salary",
    "born",
    "started",
    "rate",
    "score",
    "active",
    "grade",
    "postcode",
    "note",
]
NUMBERS = ["id", "rate", "score", "grade"]
CONDITIONS = [
    "id > 1",
    "rate < 20",
    "name = 'A***'",
    "name LIKE 'B%'",
    "postcode = '12'",
    "born >= DATE '1986-01-01'",
    "active",
    "NOT active",
    "grade IS NULL",
    "note::INTEGER > 1",
    "id + 1 > 2",
    "salary IS NULL",
    "score BETWEEN 1 AND 2",
    "region IN ('EU', 'US')",
    "id IN (SELECT max(id) FROM {})",
    "EXISTS (SELECT 1 FROM {} AS u WHERE u.postcode = t.postcode AND u.id > t.id)",
    "year(started) = 2020",
]
conditions = st.lists(st.sampled_from(CONDITIONS), max_size=3).map(
    lambda chosen: " WHERE " + " AND ".join(chosen) if chosen else ""
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query on ``{}``, whose rows have one order."""
    where = draw(conditions)
    key, number = draw(st.sampled_from(COLUMNS)), draw(st.sampled_from(NUMBERS))
    columns = ", ".join(draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique=True)))
    shapes = [
        f"SELECT {columns} FROM {{}} AS t{where}",
        f"SELECT t.{key}, count(*), sum({number}), min({key}) FROM {{}} AS t{where} GROUP BY t.{key}",
        f"SELECT {key}, max({number}) AS m FROM {{}} AS t{where} GROUP BY ALL HAVING count(*) > 1",
        f"SELECT id, row_number() OVER (PARTITION BY {key} ORDER BY id) FROM {{}} AS t{where}",
        f"SELECT DISTINCT {key} FROM {{}} AS t{where}",
        f"SELECT x.id, y.{key} FROM (SELECT * FROM {{}} AS t{where}) x JOIN {{}} AS y USING ({key})",
        f"WITH w AS (SELECT * FROM {{}} AS t{where}) SELECT {columns} FROM w UNION ALL SELECT {columns} FROM w",
        f"SELECT {columns} FROM {{}} AS t{where} ORDER BY id LIMIT 2",
        f"SELECT (SELECT count(*) FROM {{}} AS v WHERE v.id < t.id), {key} FROM {{}} AS t{where}",
    ]
    return draw(st.sampled_from(shapes))


@given(text=queries(), seen=st.sampled_from([CLERK, READER, SCOUT]))
@settings(max_examples=150, deadline=None)
def test_any_query_gives_what_it_gives_over_a_table_of_what_is_shown(
    lake: Lake, text: str, seen: Any
) -> None:
    lake.engine.execute(SEEN)
    columns, rows = lake.run(text.replace("{}", "temp.seen"))
    outcome = lake.ask(text.replace("{}", "sales.staff"), seen)
    assert outcome[0] == "rows", outcome
    assert [kind for _, kind in outcome[1]] == [kind for _, kind in columns]
    assert sorted(outcome[2]) == sorted(rows)


def test_two_roles_give_each_row_its_most_revealing_values(lake: Lake) -> None:
    both = policy("sales.clerk", "sales.manager", region="EU", name="bob")
    found = lake.ask("SELECT id, region, name, salary, code IS NULL FROM sales.staff ORDER BY id", both)
    rows = found[2]
    assert rows[0].startswith("(-2147483648, 'APAC', '9999")  # bob's territory: names in clear, no hash
    assert "987000, True)" in rows[0]
    assert rows[1] == "(1, 'EU', 'A***', None, False)"  # the clerk's region: a part of the name, the hash
    assert not any("'US'" in row for row in rows)


def test_rows_of_small_groups_and_of_unknown_ones_are_hidden(lake: Lake) -> None:
    assert lake.ask("SELECT region FROM sales.groups ORDER BY 1")[2] == ["('EU',)", "('US',)"]
    assert lake.ask("SELECT count(*) FROM sales.groups WHERE households IS NULL OR households < 20")[2] == [
        "(0,)"
    ]


def test_without_the_attribute_of_its_filter_a_role_sees_no_row(lake: Lake) -> None:
    for attributes in ({}, {"region": ""}, {"region": "eu"}, {"region": "EU' OR 'x' = 'x"}):
        assert lake.ask("SELECT count(*) FROM sales.staff", policy("sales.clerk", **attributes))[2] == [
            "(0,)"
        ]
