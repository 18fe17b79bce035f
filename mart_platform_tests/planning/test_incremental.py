"""Which models may be rebuilt by interval: the cases of ``data/incremental`` and what they leave out."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mart_platform.planning.describing import EmptyTables
from mart_platform.planning.incremental import interval_of
from mart_platform.planning.incremental.self_test import Trial, failures
from mart_platform.planning.plan import Binding, Lookup
from mart_platform.planning.queries import Query, parse_query
from mart_platform.spec.tables import Contract, Grain, Partition
from mart_platform_tests.planning.proving import BY_DAY, CUSTOMERS, EVENTS, PAYMENTS, proved, table

MODELS = Path(__file__).parents[1] / "data" / "incremental" / "models.csv"
CASES = {row["name"]: row for row in csv.DictReader(MODELS.read_text(encoding="utf-8").splitlines())}

LATEST = Contract(table="mart.made", description="", kind="upsert", key=("id",), order_by="ts")
HISTORY = Contract(table="mart.made", description="", kind="scd2", key=("id",), order_by="ts")
BY_HOUR = table(
    "shop.clicks", Partition(column="ts", grain="hour"), ts="timestamp", at="timestamptz", order="date"
)


@pytest.fixture(scope="module")
def empty() -> Iterator[EmptyTables]:
    with EmptyTables() as tables:
        yield tables


def by(grain: Grain) -> Contract:
    return BY_DAY.model_copy(update={"partition": Partition(column="day", grain=grain)})


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_bound_to_exactly_the_inputs_that_the_list_calls_safe(
    name: str, empty: EmptyTables
) -> None:
    sql = re.sub(r"\b(from|join) (ev|pay|cust)\b", r"\1 shop.\2", CASES[name]["sql"])
    timed = {f"shop.{name}" for name in ("ev", "pay") if f"shop.{name} " in f"{sql} "}
    expected = {"yes": timed, "no": set(), "ev only": {"shop.ev"}}[CASES[name]["safe_by_day"]]
    assert proved(sql, empty=empty).bindings.keys() == expected


@pytest.mark.parametrize(
    ("sql", "expression"),
    [
        ("SELECT d + 7 AS day FROM shop.ev", '("d" + 7)'),
        ("SELECT st::DATE AS day FROM shop.ev", 'CAST("st" AS DATE)'),
        ("SELECT ts::DATE AS day FROM shop.ev WHERE ts IS NOT NULL AND id > 3", 'CAST("ts" AS DATE)'),
        ("SELECT d AS day FROM (SELECT ts::DATE AS d FROM shop.ev)", 'CAST("ts" AS DATE)'),
        ("SELECT d AS day FROM shop.ev WHERE d > '2010-01-01' AND d < '2010-03-01'", '"d"'),
        ("SELECT d AS day, amt / sum(amt) OVER (PARTITION BY d) AS x FROM shop.ev", '"d"'),
        (
            "SELECT d AS day FROM shop.ev e WHERE amt > (SELECT avg(amt) FROM shop.ev f WHERE f.d = e.d)",
            '"d"',
        ),
        (
            "WITH a AS (SELECT d, sum(amt) AS x FROM shop.ev GROUP BY d) "
            "SELECT a.d AS day, a.x, b.x AS y FROM a JOIN a AS b ON a.d = b.d",
            '"d"',
        ),
    ],
)
def test_the_binding_is_what_the_model_makes_of_the_inputs_own_columns(
    sql: str, expression: str, empty: EmptyTables
) -> None:
    assert proved(sql, EVENTS, empty=empty).bindings["shop.ev"].expression == expression


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT d AS day FROM shop.ev UNION ALL SELECT DATE '2017-06-01' FROM shop.ev",
        "SELECT d AS day FROM shop.ev UNION ALL SELECT make_date(2017, 6, 1) FROM shop.ev",
        "SELECT d AS day, amt / (SELECT sum(amt) FROM shop.ev) AS x FROM shop.ev",
        "SELECT d AS day FROM shop.ev WHERE d = (SELECT max(d) FROM shop.ev)",
        "SELECT DISTINCT ON (cust) d AS day, cust FROM shop.ev ORDER BY cust, ts, id",
        "SELECT d AS day, id FROM shop.ev ORDER BY day, id LIMIT 3",
        "SELECT a.d AS day FROM shop.ev AS a JOIN shop.ev AS b ON a.d = b.d + 1",
        "SELECT unnest([d, d + 1]) AS day FROM shop.ev",
    ],
)
def test_a_model_that_needs_other_rows_of_an_input_is_not_bound_to_it(sql: str, empty: EmptyTables) -> None:
    proof = proved(sql, EVENTS, empty=empty)
    assert proof.bindings == {}
    assert proof.unbound == {
        "shop.ev": "the filter on day does not reach shop.ev: every change of it rebuilds all intervals"
    }


@pytest.mark.parametrize(
    ("sql", "because"),
    [
        ("SELECT d AS day, any_value(id) AS id FROM shop.ev GROUP BY d", "ANY_VALUE(id) has no ORDER BY"),
        ("SELECT d AS day, id FROM shop.ev LIMIT 3", "LIMIT has no ORDER BY"),
        ("SELECT d AS day, random() AS x FROM shop.ev", "gives another value at every run"),
        (
            "SELECT d AS day, id, row_number() OVER (PARTITION BY d ORDER BY cust) AS n FROM shop.ev",
            "its rows depend on the order in which they are read",
        ),
        (
            "SELECT d AS day, error('no') AS x FROM shop.ev",
            "cannot be tried on random rows",
        ),
    ],
)
def test_a_model_that_gives_other_rows_at_each_run_is_bound_to_nothing(
    sql: str, because: str, empty: EmptyTables
) -> None:
    proof = proved(sql, EVENTS, empty=empty)
    assert proof.bindings == {}
    assert because in proof.unbound["shop.ev"]


def test_a_full_join_binds_both_sides_only_where_the_day_is_of_either(empty: EmptyTables) -> None:
    either = "SELECT coalesce(e.d, p.d) AS day, p.v FROM shop.ev AS e FULL JOIN shop.pay AS p ON e.d = p.d"
    assert proved(either, empty=empty).bindings.keys() == {"shop.ev", "shop.pay"}
    left = "SELECT e.d AS day, p.v FROM shop.ev AS e FULL JOIN shop.pay AS p ON e.d = p.d"
    assert proved(left, empty=empty).bindings == {}


@pytest.mark.parametrize("contract", [LATEST, HISTORY], ids=["upsert", "scd2"])
def test_changes_are_bound_by_the_bucket_of_their_key(contract: Contract, empty: EmptyTables) -> None:
    proof = proved(
        "SELECT coalesce(id, -1) AS id, ts, amt FROM shop.ev", EVENTS, contract=contract, empty=empty
    )
    [binding] = proof.bindings.values()
    assert binding == Binding(expression='(hash(COALESCE("id", -1)) % 64)::BIGINT', columns=("id",))


def test_a_key_of_which_no_value_can_be_asked_for_is_not_proved(empty: EmptyTables) -> None:
    proof = proved("SELECT amt AS id, ts FROM shop.ev", EVENTS, contract=LATEST, empty=empty)
    assert proof.unbound["shop.ev"].startswith("nothing can be shown for id, which is DOUBLE")


@pytest.mark.parametrize(
    ("grain", "sql", "from_key"),
    [
        ("day", "SELECT ts::DATE AS day FROM shop.clicks", True),
        ("month", "SELECT ts AS day FROM shop.clicks", True),
        ("hour", "SELECT ts AS day FROM shop.clicks", True),
        ("day", "SELECT (ts + INTERVAL 30 MINUTE)::DATE AS day FROM shop.clicks", False),
        ("day", 'SELECT "at"::DATE AS day FROM shop.clicks', False),
    ],
)
def test_an_interval_of_the_input_tells_that_of_its_rows_where_it_nests_in_it(
    grain: Grain, sql: str, from_key: bool, empty: EmptyTables
) -> None:
    [binding] = proved(sql, BY_HOUR, contract=by(grain), empty=empty).bindings.values()
    assert binding.from_key is from_key
    assert binding.monotone


def test_a_week_does_not_nest_in_a_month(empty: EmptyTables) -> None:
    weekly = table("shop.weekly", Partition(column="d", grain="week"), d="date")
    [binding] = proved(
        "SELECT d AS day FROM shop.weekly", weekly, contract=by("month"), empty=empty
    ).bindings.values()
    assert not binding.from_key


def test_any_function_of_a_date_partition_by_day_is_told_by_the_day(empty: EmptyTables) -> None:
    [binding] = proved("SELECT last_day(d) AS day FROM shop.ev", EVENTS, empty=empty).bindings.values()
    assert binding.from_key
    assert not binding.monotone


def test_a_column_may_bear_the_name_of_a_keyword(empty: EmptyTables) -> None:
    sql = 'SELECT "order" + 1 AS day FROM shop.clicks'
    [binding] = proved(sql, BY_HOUR, empty=empty).bindings.values()
    assert binding.expression == '("order" + 1)'
    assert binding.columns == ("order",)


@pytest.mark.parametrize(
    ("joined", "on"),
    [
        ("shop.ev AS e LEFT JOIN shop.cust AS c USING (cust)", [("cust", "cust")]),
        ("shop.cust AS c JOIN shop.ev AS e ON c.cust = e.cust AND c.nation = 'a'", [("cust", "cust")]),
        ("shop.ev AS e, shop.cust AS c WHERE c.cust = e.id", [("id", "cust")]),
        (
            "(SELECT cust, d, count(*) AS n FROM shop.ev GROUP BY ALL) AS e JOIN shop.cust AS c USING (cust)",
            [("cust", "cust")],
        ),
    ],
)
def test_an_input_that_is_joined_once_by_equality_is_a_lookup(
    joined: str, on: list[tuple[str, str]], empty: EmptyTables
) -> None:
    proof = proved(f"SELECT e.d AS day, c.nation FROM {joined}", EVENTS, CUSTOMERS, empty=empty)
    assert proof.lookups == {"shop.cust": Lookup(fact="shop.ev", on=tuple(on))}
    assert proof.unbound == {}


@pytest.mark.parametrize(
    "joined",
    [
        "shop.cust AS c LEFT JOIN shop.ev AS e ON c.cust = e.cust",
        "shop.ev AS e RIGHT JOIN shop.cust AS c ON c.cust = e.cust",
        "shop.ev AS e LEFT JOIN shop.cust AS c ON c.cust = e.cust OR c.nation = 'a'",
        "shop.ev AS e LEFT JOIN shop.cust AS c ON c.cust + 1 = e.cust",
        "shop.ev AS e LEFT JOIN shop.cust AS c ON c.cust IS NOT DISTINCT FROM e.cust",
        "shop.ev AS e JOIN shop.cust AS c ON c.cust = e.cust JOIN shop.cust AS o ON o.cust = e.id",
        "(SELECT d, max(cust) AS cust FROM shop.ev GROUP BY d) AS e JOIN shop.cust AS c USING (cust)",
        "shop.ev AS e JOIN (SELECT *, count(*) OVER () AS n FROM shop.cust) AS c USING (cust)",
        "shop.ev AS e ASOF JOIN shop.cust AS c ON e.cust >= c.cust",
        "shop.ev AS e, shop.cust AS c",
    ],
)
def test_an_input_that_is_joined_in_any_other_way_is_unbound(joined: str, empty: EmptyTables) -> None:
    proof = proved(f"SELECT e.d AS day, c.nation FROM {joined}", EVENTS, CUSTOMERS, empty=empty)
    assert proof.lookups == {}
    assert proof.unbound.keys() >= {"shop.cust"}


def test_columns_of_two_rows_of_the_fact_do_not_pair_together(empty: EmptyTables) -> None:
    sql = (
        "SELECT a.d AS day, p.v FROM shop.ev AS a JOIN shop.ev AS b ON a.d = b.d "
        "JOIN shop.pay AS p ON p.pid = a.id AND p.id = b.cust"
    )
    lookup = proved(sql, EVENTS, PAYMENTS, empty=empty).lookups["shop.pay"]
    assert len(lookup.on) == 1


def trial(sql: str) -> Trial:
    query = parse_query("made.sql", sql)
    assert isinstance(query, Query)
    events = {"id": "BIGINT", "cust": "BIGINT", "d": "DATE", "amt": "DOUBLE"}
    return Trial(
        sql=sql,
        tree=query.tree,
        columns={"day": "DATE", "n": "BIGINT"},
        interval='"day"',
        interval_type="DATE",
        grain="day",
        schemas={"shop.ev": events, "shop.cust": {"cust": "BIGINT", "nation": "VARCHAR"}},
        keys={},
    )


def test_a_binding_to_another_day_does_not_pass_the_trial(empty: EmptyTables) -> None:
    counted = trial("SELECT d AS day, count(*) AS n FROM shop.ev GROUP BY d")
    wrong = {"shop.ev": Binding(expression='("d" + 1)', columns=("d",))}
    assert failures(counted, wrong, {}, empty).bindings == {"shop.ev"}


def test_only_the_wrong_one_of_two_bindings_fails(empty: EmptyTables) -> None:
    sql = "SELECT d AS day, (SELECT count(nation) FROM shop.cust) AS n FROM shop.ev GROUP BY d"
    bindings = {
        "shop.ev": Binding(expression='"d"', columns=("d",)),
        "shop.cust": Binding(expression="DATE '2017-02-22' + (cust % 4)::INTEGER", columns=("cust",)),
    }
    assert failures(trial(sql), bindings, {}, empty).bindings == {"shop.cust"}


def test_a_lookup_by_another_column_does_not_pass_the_trial(empty: EmptyTables) -> None:
    sql = "SELECT d AS day, count(nation) AS n FROM shop.ev LEFT JOIN shop.cust USING (cust) GROUP BY d"
    binding = {"shop.ev": Binding(expression='"d"', columns=("d",))}
    right = {"shop.cust": Lookup(fact="shop.ev", on=(("cust", "cust"),))}
    wrong = {"shop.cust": Lookup(fact="shop.ev", on=(("id", "cust"),))}
    assert failures(trial(sql), binding, right, empty).lookups == frozenset()
    assert failures(trial(sql), binding, wrong, empty).lookups == {"shop.cust"}


@pytest.mark.parametrize(
    ("grain", "kind", "interval"),
    [
        ("day", "DATE", '"day"'),
        ("day", "TIMESTAMP", 'CAST("day" AS DATE)'),
        ("week", "DATE", "CAST(date_trunc('week', \"day\") AS DATE)"),
        ("month", "TIMESTAMP WITH TIME ZONE", "CAST(date_trunc('month', timezone('UTC', \"day\")) AS DATE)"),
        ("hour", "TIMESTAMP", "date_trunc('hour', \"day\")"),
    ],
)
def test_the_interval_of_a_row_is_sql_over_its_own_columns(grain: Grain, kind: str, interval: str) -> None:
    assert interval_of(by(grain), {"day": kind}) == interval


@pytest.mark.parametrize("kind", ["full", "view"])
def test_a_table_of_one_piece_has_no_intervals(kind: str) -> None:
    contract = Contract.model_validate({"table": "m.t", "description": "", "kind": kind})
    assert interval_of(contract, {}) is None
