"""What the planner knows of hidden rows changes no answer."""

import duckdb
import pytest

from mart_platform.gate.gate import check
from mart_platform.gate.policies import Asker, policy_of
from mart_platform.gate.questions import Found, Named
from mart_platform.spec.rights import MartRights, RoleRights, TableRights

TYPES = {"shop": "string", "note": "string", "n": "bigint", "day": "date"}
RIGHTS = MartRights(
    mart="sales",
    types={"sales.lines": TYPES},
    roles={
        "clerk": RoleRights(
            tables={"sales.lines": TableRights(columns=dict.fromkeys(TYPES, "clear"), rows="shop = 'A'")}
        )
    },
)
POLICY = policy_of({"sales": RIGHTS}, Asker("ada", ("sales.clerk",), {}))
SEEN = "('A', 'rent', 1, DATE '2017-01-01'), ('A', 'abcdef', 9, DATE '2017-01-02')"
HIDDEN = ("('B', 'plain', 3, DATE '2017-01-03')", "('B', 'ünïcode', -5, DATE '5877642-06-25 (BC)')")


def answer(sql: str, hidden: str) -> list[tuple[object, ...]] | type[duckdb.Error]:
    """Return the answer of the gate's query where this row is hidden, or how it fails."""
    checked = check(sql, POLICY, {Named("sales", "lines"): Found(1, TYPES)})
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS \"sales@1\"")
        connection.execute(
            f'CREATE TABLE "sales@1".main.lines AS FROM (VALUES {SEEN}, {hidden}) AS v(shop, note, n, day)'
        )
        try:
            return connection.execute(checked.sql).fetchall()
        except duckdb.Error as error:
            return type(error)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT substring(note, n, -1) FROM sales.lines",
        "SELECT substr(note, n, 5), substr(note, -n, 2) FROM sales.lines",
        "SELECT substring(note FROM 9 FOR -1) FROM sales.lines",
        "SELECT count(*) FROM sales.lines WHERE substring(note, n, -1) = 'f'",
        "SELECT substring(max(note), 9, -3) FROM sales.lines",
        "SELECT count(*) FROM (SELECT -n AS n FROM sales.lines WHERE note) a JOIN sales.lines b ON a.n = b.n",
        "SELECT date_trunc('month', day) FROM sales.lines",
        "SELECT datetrunc('year', day) FROM sales.lines WHERE n > 0",
    ],
)
def test_an_answer_is_the_same_whatever_is_hidden(sql: str) -> None:
    one, other = (answer(sql, hidden) for hidden in HIDDEN)
    assert one == other
    assert one
