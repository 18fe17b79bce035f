"""No attack succeeds: nothing that is asked tells lakes apart that differ only in what may not be seen."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mart_platform_tests.gate.lake import CANARY, CANARY_NUMBER, CLERK, SCOUT, Lake, policy

ATTACKS = Path(__file__).parent.parent / "data" / "attacks"
UNION = policy("sales.clerk", "sales.manager", region="EU", name="nobody")
"""A second role whose row filter looks up a table; it lets nothing more through."""

SPELLINGS = (
    {
        "visible": "sales.staff",
        "hidden": "hr.payroll",
        "physical": '"sales@3".main.staff',
        "physical_quoted": '"sales@3"."main"."staff"',
        "hidden_fullwidth": "ｈｒ.ｐａｙｒｏｌｌ",
    },
    {
        "visible": '"SALES"."Staff"',
        "hidden": '"hr"."payroll"',
        "physical": '"sales@3"."staff"',
        "physical_quoted": '"SALES@3"."MAIN"."STAFF"',
        "hidden_fullwidth": "hr．payroll",
    },
    {
        "visible": "sales@3.staff",
        "hidden": "sales.secrets",
        "physical": '"hr@5".main.payroll',
        "physical_quoted": '"hr@5"."main"."payroll"',
        "hidden_fullwidth": "\u017fales.\u017fecrets",
    },
    {
        "visible": 'sales /* */ . -- x\n "staff"',
        "hidden": "hr@5.payroll",
        "physical": "main.staff",
        "physical_quoted": '"main"."staff"',
        "hidden_fullwidth": "hr.payro\u2113\u2113",
    },
)
ELSEWHERE = {"files": "/**/*.parquet", "glob": "/etc/*", "path": "/etc/passwd", "sqlite": "/tmp/any.sqlite"}

# Written out in escapes: they look like blanks or like nothing.
UNSEEN = [
    "select shop from\u00a0sales.shops",
    "select shop as x\u00a0from\u00a0hr.payroll from sales.shops",
    "select x\u00a0from\u00a0hr.payroll from sales.shops",
    "select 1 as a\u2003from\u2003hr.payroll",
    "select shop from sales.shops as s\u00a0join\u00a0hr.payroll\u00a0on\u00a0true",
    "select \u200bshop from sales.shops",
    "select shop from sales.shops\u200b",
    "select shop from sales.shops\ufeff where 1 = 1",
    "select \u202e from sales.shops",
    "select '\x00' from sales.shops",
    "select shop from sales.shops -- \x00\n from hr.payroll",
    "select 1 \x0b from hr.payroll",
    "select 1 \x0c union select x from hr.payroll",
    "select 'a\\' from hr.payroll --'",
    'select "a\\" from hr.payroll --"',
    "select 1 /* /* */ from hr.payroll */",
    "select 1 -- \r from hr.payroll",
    "select 1 --\u2028 from hr.payroll",
    "select " + "(" * 5000 + "1" + ")" * 5000,
    "select " + "not " * 20000 + "true",
    "select " + "-" * 1 + " -" * 20000 + "1",
    "select 1" + " + 1" * 20000,
    "select 1" + " union all select 1" * 4000,
    "select * from sales.shops" + " join sales.shops" * 3000,
    "select x" + "[1]" * 5000 + " from sales.shops",
    "select " + "case when true then " * 3000 + "1",
    "select '" + "x" * 200_000 + "'",
]


def attempts() -> Iterator[str]:
    for line in (ATTACKS / "queries.sql").read_text(encoding="utf-8").splitlines():
        for spelling in SPELLINGS:
            names = {**ELSEWHERE, **spelling}
            yield re.sub(r"\{(\w+)\}", lambda found, names=names: names[found[1]], line)  # type: ignore[misc]
    yield from (ATTACKS / "own.sql").read_text(encoding="utf-8").splitlines()
    yield from UNSEEN


ENDLESS = "range(1000000)"
"""A cross join of two of these is for the ad-hoc lane, which ends it; here it is only looked at."""

TEXTS = sorted({sql for sql in attempts() if ENDLESS not in sql})


def outcome(lake: Lake, sql: str, seen: Any) -> Any:
    return lake.ask(sql, seen, (1,) if re.search(r"[?]|\$1\b", sql) else ())


@pytest.mark.parametrize("seen", [CLERK, UNION, SCOUT], ids=["one role", "two roles", "a looked-up filter"])
def test_no_attack_tells_lakes_apart_that_differ_only_in_what_is_hidden(lakes: list[Lake], seen: Any) -> None:
    told = []
    for sql in TEXTS:
        one, other = (outcome(lake, sql, seen) for lake in lakes[:2])
        if one != other:
            told.append(sql[:200])
    assert told == []


def test_no_attack_brings_back_what_is_hidden(lake: Lake) -> None:
    secrets = re.compile(f"{CANARY}|{CANARY_NUMBER // 10}")
    shown = [sql for sql in TEXTS if CANARY not in sql and secrets.search(repr(lake.ask(sql)))]
    assert shown == []


def test_no_attack_reads_a_file_or_a_setting(lake: Lake) -> None:
    shown = [sql for sql in TEXTS if re.search(r"root:|TimeZone|main\.|@3|@5|mask_", repr(lake.ask(sql)[2:]))]
    assert [sql for sql in shown if lake.ask(sql)[0] == "rows"] == []


def test_no_attack_changes_anything(lake: Lake, tmp_path: Path) -> None:
    before = lake.run('SELECT count(*), sum(hash(s)) FROM "sales@3".main.staff s')
    for sql in TEXTS:
        lake.ask(sql)
    assert lake.run('SELECT count(*), sum(hash(s)) FROM "sales@3".main.staff s') == before
    assert not Path("/tmp/gate_attack.csv").exists()


def test_what_would_run_for_ever_may_not_run_beside_dashboards(lake: Lake) -> None:
    endless = [sql for sql in set(attempts()) if ENDLESS in sql]
    assert len(endless) == 3
    assert not any(lake.checked(sql).bounded for sql in endless)


def test_there_are_hundreds_of_attempts_and_most_are_refused_by_the_gate_itself(lake: Lake) -> None:
    refused = [sql for sql in TEXTS if lake.ask(sql)[1] in ("not_allowed", "unknown_table", "syntax")]
    assert len(TEXTS) > 500
    assert len(refused) / len(TEXTS) > 0.65


@pytest.mark.parametrize("sql", ["SELECT * FROM {}", "SELECT (SELECT count(*) FROM {})", "FROM {} SELECT y"])
def test_a_hidden_table_and_none_at_all_get_the_same_answer(lake: Lake, sql: str) -> None:
    hidden, missing = "sales.secrets", "sales.nothing"
    answers = [lake.ask(sql.format(name))[1:] for name in (hidden, missing)]
    assert answers[0] == tuple(said.replace(missing, hidden) for said in answers[1])


@pytest.mark.parametrize("sql", ["SELECT {} FROM sales.staff", "SELECT id FROM sales.staff s WHERE s.{} = 1"])
def test_a_hidden_column_and_none_at_all_get_the_same_answer(lake: Lake, sql: str) -> None:
    counter = policy("sales.counter")
    answers = [lake.ask(sql.format(name), counter)[1:] for name in ("salary", "nothing")]
    assert answers[0] == tuple(said.replace("nothing", "salary") for said in answers[1])
