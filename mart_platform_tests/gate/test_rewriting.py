"""A query is rewritten to what the policy shows; what it may touch is told for its price, its cache, its receipt."""

from typing import Any

import duckdb
import pytest

from mart_platform.gate.gate import check
from mart_platform.gate.moments import is_shifted_day
from mart_platform.gate.parsing import parse
from mart_platform.gate.policies import Asker, Policy, policy_of
from mart_platform.gate.questions import Checked, Found, Named, Refused
from mart_platform.spec.access import Band
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform_tests.gate.lake import CLERK, GROUPS, NUMBERS, STAFF, TYPES, Lake, found, policy

AUDITOR = policy("sales.auditor")


def checked(sql: str, seen: Policy = CLERK, parameters: Any = ()) -> Checked:
    question = parse(sql)
    return check(question, seen, {named: found(named) for named in question.named}, parameters)


def test_a_table_becomes_a_subquery_of_what_is_shown() -> None:
    assert checked("SELECT id, name FROM sales.staff AS s WHERE id > 1").sql == (
        'SELECT "id", "name" FROM (SELECT "staff@"."id" AS "id", CASE WHEN "staff@"."name" = \'\' THEN \'\' ELSE '
        'LEFT("staff@"."name", 1) || \'***\' END AS "name" FROM "sales@3"."main"."staff" AS "staff@" WHERE '
        '"staff@"."region" = \'EU\') AS "s" WHERE "id" > 1'
    )


def test_a_query_that_may_raise_has_a_fence_in_each_table_that_hides_rows_and_in_no_other() -> None:
    sql = checked(
        "SELECT s.id FROM sales.staff s, sales.shops h, sales.groups g WHERE s.note::int = h.shop"
    ).sql
    assert sql.count("OFFSET 0") == 2
    assert '"region" = \'EU\' OFFSET 0) AS "s"' in sql
    assert '"households" >= 20 OFFSET 0) AS "g"' in sql


def test_without_hidden_rows_there_is_neither_filter_nor_fence() -> None:
    found_ = checked("SELECT note::int FROM sales.staff", AUDITOR)
    assert (found_.fenced, found_.filtered) == (False, ())
    assert "WHERE" not in found_.sql
    assert "OFFSET" not in found_.sql


def test_two_roles_are_one_case_of_the_most_revealing_mask() -> None:
    both = policy("sales.clerk", "sales.manager", region="EU", name="ada")
    sql = checked("SELECT salary FROM sales.staff", both).sql
    looked_up = (
        '"staff@"."region" IN (SELECT "territories@"."region" FROM "sales@3"."main"."territories" AS "territories@"'
        ' WHERE "territories@"."manager" = \'ada\')'
    )
    assert f"CASE WHEN {looked_up} THEN TRY_CAST(" in sql
    assert 'WHEN "staff@"."region" = \'EU\' THEN CAST(NULL AS INT) END AS "salary"' in sql
    where = sql.rpartition(' WHERE ("staff@"')[2] or sql
    assert f" OR {looked_up}" in where or f"{looked_up} OR " in where


def test_a_role_of_all_rows_is_the_rest_of_the_case() -> None:
    both = policy("sales.clerk", "sales.counter", region="EU")
    sql = checked("SELECT name FROM sales.staff", both).sql
    assert 'CASE WHEN "staff@"."region" = \'EU\' THEN' in sql
    assert 'ELSE CAST(NULL AS TEXT) END AS "name"' in sql
    assert sql.endswith('FROM "sales@3"."main"."staff" AS "staff@") AS "staff"')


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT staff.id FROM sales.staff",
        "SELECT sales.staff.id FROM sales.staff",
        'SELECT "SALES".STAFF."Id" FROM "Sales"."Staff"',
        "SELECT sales.staff.* FROM sales.staff",
        "SELECT sales.staff.home.city FROM sales.staff",
        "SELECT staff.home.city FROM sales.staff",
        "SELECT home.city FROM sales.staff",
        "SELECT a.home.city FROM sales.staff a JOIN sales.staff b ON a.id = b.id",
        "SELECT s.id FROM sales.staff s",
        "SELECT staff FROM sales.staff",
        "SELECT s.a FROM sales.staff s(a, b)",
        "SELECT sales@3.staff.id FROM sales@3.staff",
        "SELECT id FROM (sales.staff JOIN sales.shops ON staff.region = shops.region)",
        "SELECT t.id FROM (sales.staff s JOIN sales.shops h ON s.region = h.region) t",
        "SELECT h.shop, l.n FROM sales.shops h, LATERAL (SELECT count(*) AS n FROM sales.staff s WHERE s.region = h.region) l",
        "FROM sales.staff SELECT id",
        "WITH staff AS (SELECT 7 AS id) SELECT * FROM staff, sales.staff AS other",
        "WITH a AS (SELECT id FROM sales.staff), b AS (SELECT id FROM a) SELECT * FROM b WHERE id IN (SELECT id FROM a)",
        "SELECT * FROM sales.staff JOIN sales.shops USING (region) NATURAL JOIN sales.groups",
        "SELECT * FROM sales.shops ASOF JOIN sales.staff ON shops.region = staff.region AND shops.opened >= staff.born",
        "SELECT unnest(tags) FROM sales.staff",
        "SELECT id, u.t FROM sales.staff, unnest(tags) AS u(t)",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n, id FROM t, sales.staff",
        "(SELECT id FROM sales.staff) UNION (SELECT shop FROM sales.shops) ORDER BY 1",
        "SELECT id FROM sales.staff ORDER BY name LIMIT 1 OFFSET 1",
        "SELECT * EXCLUDE (name) REPLACE (region || 'x' AS region) FROM sales.staff",
    ],
)
def test_names_work_as_they_do_on_bare_tables(lake: Lake, sql: str) -> None:
    """A policy that shows all: the same rows as the query has on the tables themselves."""
    bare = sql.replace("sales@3.", "sales.")
    for table in ("staff", "shops", "groups"):
        bare = bare.replace(f"FROM sales.{table}", f'FROM "sales@3".main.{table}').replace(
            f"JOIN sales.{table}", f'JOIN "sales@3".main.{table}'
        )
        bare = bare.replace(f", sales.{table}", f', "sales@3".main.{table}').replace(
            f"sales.{table}.", f"{table}."
        )
        bare = bare.replace(f"(sales.{table}", f'("sales@3".main.{table}').replace('"SALES".STAFF.', "staff.")
        bare = bare.replace('"Sales"."Staff"', '"sales@3".main.staff')
    expected = lake.run(bare)
    outcome = lake.ask(sql, everything())
    assert outcome[0] == "rows", outcome
    assert (outcome[1], sorted(outcome[2])) == (expected[0], sorted(expected[1]))


def everything() -> Policy:
    tables = {
        name: TableRights(columns=dict.fromkeys(types, "clear"))
        for name, types in TYPES.items()
        if name[:3] != "hr."
    }
    rights = MartRights(mart="sales", types=TYPES, roles={"all": RoleRights(tables=tables)})
    return policy_of({"sales": rights}, Asker("x", ("sales.all",), {}))


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        (
            "SELECT id FROM sales.shops JOIN sales.staff ON true",
            {"sales.shops": "shop", "sales.staff": "id region"},
        ),
        ("SELECT count(*) FROM sales.shops", {"sales.shops": "shop"}),
        ("SELECT h.shop FROM sales.shops h WHERE opened > '2017-01-01'", {"sales.shops": "opened shop"}),
        ("SELECT * FROM sales.shops", {"sales.shops": "boss opened region shop turnover"}),
        ("SELECT h.* FROM sales.shops h", {"sales.shops": "boss opened region shop turnover"}),
        ("SELECT h FROM sales.shops h", {"sales.shops": "boss opened region shop turnover"}),
        ("SELECT shop, * FROM sales.shops", {"sales.shops": "boss opened region shop turnover"}),
        (
            "SELECT t.* FROM (sales.shops h JOIN (SELECT 1) x ON true) t",
            {"sales.shops": "boss opened region shop turnover"},
        ),
        (
            "SELECT t FROM (sales.shops h JOIN (SELECT 1) x ON true) t",
            {"sales.shops": "boss opened region shop turnover"},
        ),
        ("SELECT t.boss FROM (sales.shops h JOIN (SELECT 1) x ON true) t", {"sales.shops": "boss"}),
        ("SELECT t.boss FROM (SELECT shop FROM sales.shops) t", {"sales.shops": "shop"}),
        ("SELECT a FROM sales.shops h(a, b)", {"sales.shops": "boss opened region shop turnover"}),
        (
            "SELECT 1 FROM sales.shops NATURAL JOIN (SELECT 1 AS shop) x",
            {"sales.shops": "boss opened region shop turnover"},
        ),
        ("SELECT 1 FROM sales.shops JOIN (SELECT 'x' AS boss) x USING (boss)", {"sales.shops": "boss"}),
        ("SELECT * FROM (SELECT shop FROM sales.shops) t", {"sales.shops": "shop"}),
        ("SELECT count(t.*) FROM (SELECT shop FROM sales.shops) t", {"sales.shops": "shop"}),
        ("SELECT a.shop FROM sales.shops a, sales.shops b WHERE b.boss = 'x'", {"sales.shops": "boss shop"}),
        ("SELECT sales.shops.boss FROM sales.shops", {"sales.shops": "boss"}),
        ("SELECT SHOPS.Boss FROM sales.shops", {"sales.shops": "boss"}),
        ("SELECT id FROM sales.staff WHERE home.floor = 1", {"sales.staff": "home id region"}),
        ("SELECT region FROM sales.groups", {"sales.groups": "households region"}),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM sales.shops WHERE boss = 'x')", {"sales.shops": "boss"}),
        ("SELECT 1", {}),
    ],
)
def test_the_columns_that_it_may_touch_are_told(sql: str, reads: dict[str, str]) -> None:
    assert checked(sql).reads == {table: tuple(columns.split()) for table, columns in reads.items()}


def test_what_a_row_filter_looks_up_is_read_too() -> None:
    manager = policy("sales.manager", name="ada")
    assert checked("SELECT id FROM sales.staff", manager).reads == {
        "sales.staff": ("id", "region"),
        "sales.territories": ("manager", "region"),
    }


def test_a_column_that_is_not_shown_is_not_read() -> None:
    counter = policy("sales.counter")
    assert checked("SELECT * FROM sales.staff", counter).reads == {"sales.staff": ("id", "region")}


def test_masks_are_told_for_the_columns_that_are_read() -> None:
    found_ = checked("SELECT id, code, salary FROM sales.staff")
    assert found_.masked == {"sales.staff.code": "hmac", "sales.staff.salary": "redact"}
    assert found_.keyed
    assert not checked("SELECT id, name FROM sales.staff").keyed
    both = policy("sales.clerk", "sales.manager", region="EU", name="ada")
    assert checked("SELECT salary FROM sales.staff", both).masked == {
        "sales.staff.salary": "band 1000 or redact"
    }


def test_what_was_checked_says_version_policy_filter_and_order() -> None:
    found_ = checked("SELECT h.shop FROM sales.shops h, sales.groups g ORDER BY 1")
    assert found_.versions == {"sales": 3}
    assert found_.policies == CLERK.digest
    assert found_.filtered == ("sales.groups",)
    assert found_.ordered
    assert not checked("SELECT * FROM (SELECT shop FROM sales.shops ORDER BY 1) t").ordered
    assert checked("(SELECT shop FROM sales.shops ORDER BY 1)").ordered
    assert checked("((SELECT 1) UNION SELECT 2) ORDER BY 1").ordered
    assert checked("SELECT 1 UNION SELECT 2 ORDER BY 1").ordered


@pytest.mark.parametrize(
    ("sql", "volatile"),
    [
        ("SELECT now()", True),
        ("SELECT current_date", True),
        ("SELECT current_timestamp", True),
        ("SELECT localtimestamp", True),
        ("SELECT today()", True),
        ("SELECT age(timestamp '2020-01-01')", True),
        ("SELECT age(timestamp '2020-01-01', timestamp '2020-01-02')", False),
        ("SELECT date '2020-01-01'", False),
    ],
)
def test_what_depends_on_the_clock_is_volatile(sql: str, volatile: bool) -> None:
    assert checked(sql).volatile is volatile


def test_a_query_reads_one_version_of_a_mart() -> None:
    question = parse("SELECT * FROM sales@3.shops JOIN sales@4.shops AS other ON true")
    versions = {
        Named("sales", "shops", "3"): Found(3, TYPES["sales.shops"]),
        Named("sales", "shops", "4"): Found(4, TYPES["sales.shops"]),
    }
    with pytest.raises(Refused, match="reads one version of sales"):
        check(question, CLERK, versions)
    same = {**versions, Named("sales", "shops", "4"): Found(3, TYPES["sales.shops"])}
    assert check(question, CLERK, same).versions == {"sales": 3}


@pytest.mark.parametrize("missing", ["region", "households"])
def test_a_version_without_a_column_that_decides_is_refused(missing: str) -> None:
    """Else the filter could find a column of that name in the query around it."""
    table, types = ("staff", STAFF) if missing == "region" else ("groups", GROUPS)
    older = {name: kind for name, kind in types.items() if name != missing}
    question = parse(f"SELECT * FROM sales.{table}")
    with pytest.raises(Refused, match=f"sales.{table} cannot be read in this version") as caught:
        check(question, CLERK, {Named("sales", table): Found(2, older)})
    assert caught.value.code == "no_version"


def test_a_version_with_other_columns_shows_those_that_it_has() -> None:
    older = Found(2, {"region": "string", "shop": "integer", "closed": "date"})
    question = parse("SELECT * FROM sales.shops")
    assert check(question, CLERK, {Named("sales", "shops"): older}).reads == {
        "sales.shops": ("region", "shop")
    }
    with pytest.raises(Refused, match="cannot be read in this version"):
        check(question, CLERK, {Named("sales", "shops"): Found(2, {"closed": "date"})})


def test_a_version_that_was_not_found_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be read in this version"):
        check("SELECT * FROM sales.shops", CLERK, {})


def test_columns_come_in_the_order_of_the_version_and_with_its_types() -> None:
    older = Found(2, {"turnover": "decimal(12,2)", "shop": "integer"})
    rights = TableRights(columns={"shop": "redact", "turnover": Band(band=10)})
    mart = MartRights(mart="sales", types=TYPES, roles={"a": RoleRights(tables={"sales.shops": rights})})
    seen = policy_of({"sales": mart}, Asker("x", ("sales.a",), {}))
    sql = check("SELECT * FROM sales.shops", seen, {Named("sales", "shops"): older}).sql
    assert sql.index("turnover") < sql.index("shop@" if "shop@" in sql else '"shop"')
    assert 'CAST(NULL AS INT) AS "shop"' in sql
    assert 'AS DECIMAL(12, 2)) AS "turnover"' in sql


def test_the_same_question_under_the_same_policy_is_the_same_sql() -> None:
    sql = "SELECT region, sum(rate) FROM sales.staff GROUP BY 1"
    question = parse(sql)
    assert checked(sql) == check(question, CLERK, {named: found(named) for named in question.named})
    assert checked(sql) == check(question, CLERK, {named: found(named) for named in question.named})


def test_a_text_is_parsed_and_allowed_on_the_way() -> None:
    with pytest.raises(Refused, match="getvariable"):
        check("SELECT getvariable('mask_inner')", CLERK, {})
    with pytest.raises(Refused, match="does not parse"):
        check("SELECT (", CLERK, {})


def test_a_table_of_another_mart_is_unknown() -> None:
    for name in ("hr.payroll", "sales.secrets", "sales.nothing", "nothing.staff"):
        with pytest.raises(Refused, match=f"There is no table {name} that you may read") as caught:
            checked(f"SELECT * FROM {name}")
        assert caught.value.code == "unknown_table"


def test_columns_without_a_name_are_called_as_without_a_policy(lake: Lake) -> None:
    sql = "SELECT (SELECT max(shop) FROM sales.shops), date_trunc('month', started), id IN (SELECT shop FROM sales.shops) FROM sales.staff"
    names = [name for name, _ in lake.ask(sql)[1]]
    assert names == [
        "(SELECT max(shop) FROM sales.shops)",
        "date_trunc('month', started)",
        "id IN (SELECT shop FROM sales.shops)",
    ]
    for name, _ in lake.ask("SELECT *, id + 1, count(*) OVER () FROM sales.staff")[1]:
        assert "@" not in name


def test_date_trunc_does_not_see_the_statistics_of_hidden_rows(lakes: list[Lake]) -> None:
    sql = "SELECT date_trunc('year', started) AS y FROM sales.staff ORDER BY 1"
    assert "GREATEST(" in checked(sql).sql
    assert "GREATEST(" not in checked(sql, AUDITOR).sql
    assert lakes[3].ask(sql) == lakes[1].ask(sql)
    with pytest.raises(duckdb.Error):
        lakes[3].run(checked(sql).sql.replace("GREATEST(", "("))


def test_a_day_stays_a_day_beside_a_date(lake: Lake) -> None:
    sql = "SELECT shop FROM sales.shops WHERE opened >= DATE '2017-03-01' - INTERVAL 3 MONTH"
    assert "CAST(CAST('2017-03-01' AS DATE) - INTERVAL '3' MONTH AS DATE)" in checked(sql).sql
    assert lake.ask(sql)[2] == ["(3,)"]
    kept = [
        "SELECT shop FROM sales.shops WHERE opened >= TIMESTAMP '2017-03-01 10:00:00' - INTERVAL 3 DAY",
        "SELECT shop FROM sales.shops WHERE opened >= CAST(boss AS DATE) - INTERVAL 3 DAY",
        "SELECT shop FROM sales.shops WHERE opened >= TIMESTAMP '2017-03-01' - INTERVAL 3 DAY",
        "SELECT shop FROM sales.shops WHERE opened >= DATE 'never' - INTERVAL 3 DAY",
        "SELECT shop FROM sales.shops WHERE opened >= DATE '2017-03-01' - INTERVAL '1.5' DAY",
        "SELECT DATE '2017-03-01' + INTERVAL 3 DAY - opened FROM sales.shops",
        "SELECT shop FROM sales.shops WHERE turnover > 5",
        "SELECT id FROM sales.staff WHERE started >= DATE '2017-03-01' - INTERVAL 3 MONTH",
        "SELECT shop FROM sales.shops WHERE opened >= DATE '2017-03-01' - INTERVAL 3 HOUR",
        "SELECT shop FROM sales.shops WHERE opened >= DATE '2017-03-01' - INTERVAL 9999999 DAY",
        "SELECT DATE '2017-03-01' - INTERVAL 3 MONTH FROM sales.shops",
    ]
    for each in kept:
        assert "AS DATE) AS" not in checked(each).sql
        assert "MONTH AS DATE)" not in checked(each).sql
        assert "DAY AS DATE)" not in checked(each).sql
        assert "HOUR AS DATE)" not in checked(each).sql


@pytest.mark.parametrize(
    ("sql", "bounded"),
    [
        ("SELECT region, sum(shop) FROM sales.shops GROUP BY 1", True),
        ("SELECT * FROM sales.staff s JOIN sales.shops h ON s.region = h.region", True),
        ("SELECT * FROM sales.staff s, sales.shops h WHERE s.region = h.region", True),
        ("SELECT * FROM sales.staff, sales.shops WHERE id = shop", True),
        ("SELECT * FROM sales.staff JOIN sales.shops USING (region)", True),
        (
            "SELECT * FROM sales.staff s, sales.shops h, sales.groups g WHERE s.region = h.region AND h.region = g.region",
            True,
        ),
        (
            "SELECT * FROM sales.staff s, sales.shops h WHERE (s.region = h.region AND id = 1) OR (s.region = h.region AND id = 2)",
            True,
        ),
        ("SELECT * FROM (sales.staff s JOIN sales.shops h ON s.region = h.region)", True),
        ("SELECT * FROM sales.shops CROSS JOIN (SELECT max(id) AS m FROM sales.staff) t", True),
        ("WITH m AS (SELECT max(id) AS m FROM sales.staff) SELECT * FROM sales.shops, m", True),
        ("WITH p AS (SELECT 5 AS n) SELECT * FROM sales.shops, p", True),
        ("SELECT * FROM sales.staff, unnest(tags) AS u(t)", True),
        ("SELECT * FROM sales.shops h, LATERAL (SELECT h.shop + 1 AS n) l", True),
        ("SELECT * FROM sales.shops ASOF JOIN sales.staff ON opened >= born", True),
        ("SELECT 1", True),
        ("SELECT lpad(boss, 1000) || rpad(boss, 1000) FROM sales.shops", True),
        ("SELECT concat('a', boss, '-', region) FROM sales.shops", True),
        ("SELECT replace(boss, 'a', 'b') FROM sales.shops", True),
        ("SELECT * FROM range(1000000)", True),
        ("SELECT * FROM sales.staff JOIN sales.shops USING (region) JOIN sales.groups USING (region)", True),
        ("SELECT * FROM sales.shops, (SELECT id FROM sales.staff) t WHERE shop = id", True),
        ("SELECT * FROM sales.staff JOIN sales.shops USING (region) CROSS JOIN sales.groups", False),
        ("SELECT * FROM sales.staff CROSS JOIN sales.groups JOIN sales.shops USING (region)", False),
        ("SELECT * FROM sales.staff, sales.shops WHERE region = 'EU'", False),
        ("SELECT * FROM sales.staff, sales.shops WHERE region = region", False),
        ("SELECT * FROM sales.staff, sales.shops WHERE id = grade", False),
        ("SELECT * FROM sales.staff, sales.shops, sales.groups WHERE id = shop", False),
        ("SELECT * FROM sales.shops, (SELECT id FROM sales.staff) t WHERE shop = turnover", False),
        ("SELECT 'a' || 'b', " + " || ".join(["boss"] * 20) + " FROM sales.shops", False),
        ("SELECT * FROM sales.staff, sales.shops", False),
        ("SELECT * FROM sales.staff CROSS JOIN sales.shops", False),
        ("SELECT * FROM sales.staff JOIN sales.shops ON true", False),
        ("SELECT * FROM sales.staff s JOIN sales.shops h ON s.id > h.shop", False),
        ("SELECT * FROM sales.staff s JOIN sales.shops h ON s.id = s.grade", False),
        ("SELECT * FROM sales.staff s JOIN sales.shops h ON s.id = 1", False),
        ("SELECT * FROM sales.staff s, sales.shops h, sales.groups g WHERE s.region = h.region", False),
        ("SELECT * FROM (sales.staff JOIN sales.shops ON true)", False),
        ("SELECT * FROM (sales.staff JOIN sales.shops ON true) t", False),
        ("SELECT * FROM range(1000000) a, range(1000000) b", False),
        ("SELECT * FROM sales.shops, (SELECT id FROM sales.staff) t", False),
        ("SELECT * FROM sales.shops, (SELECT max(id) FROM sales.staff GROUP BY region) t", False),
        ("SELECT * FROM sales.shops, (SELECT max(id) OVER () FROM sales.staff) t", False),
        ("SELECT * FROM sales.shops, (SELECT unnest([1, 2])) t", False),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM sales.staff, sales.shops)", False),
        ("WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t) SELECT * FROM t", False),
        ("SELECT string_agg(boss) FROM sales.shops", False),
        ("SELECT list(boss) FROM sales.shops", False),
        ("SELECT array_agg(boss) FROM sales.shops", False),
        ("SELECT histogram(boss) FROM sales.shops", False),
        ("SELECT repeat(boss, 5) FROM sales.shops", False),
        ("SELECT regexp_replace(boss, 'a', 'aa', 'g') FROM sales.shops", False),
        ("SELECT list_concat(tags, tags) FROM sales.staff", False),
        ("SELECT replace(boss, 'a', region) FROM sales.shops", False),
        (
            "SELECT replace(replace(boss, 'a', '"
            + "a" * 100
            + "'), 'a', '"
            + "a" * 100
            + "') FROM sales.shops",
            False,
        ),
        ("SELECT " + " || ".join(["boss"] * 20) + " FROM sales.shops", False),
        (
            "SELECT concat(concat(boss, boss, boss, boss, boss, boss, boss, boss), "
            + "boss, " * 700
            + "boss) FROM sales.shops",
            False,
        ),
    ],
)
def test_what_can_grow_without_end_is_not_bounded(sql: str, bounded: bool) -> None:
    assert checked(sql).bounded is bounded


def test_numbers_of_publications_are_those_that_were_found() -> None:
    assert checked("SELECT * FROM sales.shops").versions == {"sales": NUMBERS["sales"]}
    assert (
        '"sales@7"."main"."shops"'
        in check(
            "SELECT * FROM sales.shops", CLERK, {Named("sales", "shops"): Found(7, TYPES["sales.shops"])}
        ).sql
    )


def test_a_mask_of_one_role_for_all_rows_and_of_another_for_some_is_for_all_rows(lake: Lake) -> None:
    roles = {
        "a": TableRights(columns={"id": "clear", "name": "clear"}, rows="id = 1"),
        "b": TableRights(columns={"id": "clear", "name": "partial", "region": "clear"}, rows="id = 2"),
        "c": TableRights(columns={"id": "clear", "name": "partial", "grade": "clear"}),
    }
    rights = {name: RoleRights(tables={"sales.staff": role}) for name, role in roles.items()}
    mart = MartRights(mart="sales", types=TYPES, roles=rights)
    seen = policy_of({"sales": mart}, Asker("x", ("sales.a", "sales.b", "sales.c"), {}))
    outcome = lake.ask("SELECT id, name FROM sales.staff WHERE id IN (1, 2, 4) ORDER BY id", seen)
    assert outcome[2] == ["(1, 'Ada canary2')", "(2, 'B***')", "(4, 'E***')"]


def test_a_keyed_hash_in_some_rows_needs_the_key() -> None:
    both = policy("sales.clerk", "sales.manager", region="EU", name="ada")
    assert checked("SELECT code FROM sales.staff", both).keyed


@pytest.mark.parametrize(
    ("sql", "shifted"),
    [
        ("DATE '2017-03-01' - INTERVAL 1000000 DAY", True),
        ("DATE '2017-03-01' - INTERVAL 1000001 DAY", False),
        ("current_date - INTERVAL 142857 WEEK", True),
        ("current_date - INTERVAL 142858 WEEK", False),
        ("current_date + INTERVAL 32258 MONTH", True),
        ("current_date + INTERVAL 32259 MONTH", False),
        ("current_date + INTERVAL 10869 QUARTER", True),
        ("current_date + INTERVAL 10870 QUARTER", False),
        ("current_date + INTERVAL 2732 YEAR", True),
        ("current_date + INTERVAL 2733 YEAR", False),
        ("current_date = INTERVAL 1 DAY", False),
        ("current_date - 5", False),
        ("INTERVAL 1 DAY", False),
        ('CAST("2017-03-01" AS DATE) - INTERVAL 1 DAY', False),
        ("opened - INTERVAL 1 DAY", False),
    ],
)
def test_a_day_is_shifted_by_whole_days_that_are_not_too_many(sql: str, shifted: bool) -> None:
    assert is_shifted_day(parse(f"SELECT {sql}").tree.selects[0]) is shifted


def test_a_name_that_is_given_stays(lake: Lake) -> None:
    columns = lake.ask(
        "SELECT (SELECT max(shop) FROM sales.shops) AS m, date_trunc('year', opened) y FROM sales.shops"
    )[1]
    assert [name for name, _ in columns] == ["m", "y"]


@pytest.mark.parametrize(
    ("value", "times"),
    [
        ("date_trunc('month', started)", 1),
        ("datetrunc('month', started)", 1),
        ("date_trunc('month')", 0),
        ("substring(note, 1, 2)", 1),
        ("substring(note from 2)", 1),
        ("substr(note, 1, 2)", 1),
        ("substr()", 0),
        ("upper(note)", 0),
        ("date_diff('month', started)", 0),
        ("greatest(id, 1)", 1),
        ("date_trunc('year', date_trunc('month', started))", 2),
    ],
)
def test_calls_that_ask_for_the_statistics_of_a_column_do_not_get_them(value: str, times: int) -> None:
    sql = checked(f"SELECT {value} AS x FROM sales.staff").sql
    assert sql.partition(" FROM (")[0].count("GREATEST(") == times
