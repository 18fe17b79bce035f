"""Two marts as the engine holds them, in a DuckDB that is locked down, with somebody who may see a part of one.

Lakes differ in what that somebody may not see, and in nothing else: rows, masked values, tables, a whole mart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mart_platform.gate.erring import sentence_of
from mart_platform.gate.gate import check
from mart_platform.gate.masks import mask_variables
from mart_platform.gate.parsing import parse
from mart_platform.gate.policies import Asker, Policy, policy_of
from mart_platform.gate.questions import Checked, Found, Named, Refused
from mart_platform.spec.access import Band, Mask, Prefix
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform.spec.types import duckdb_type

STAFF = {
    "id": "integer",
    "name": "string",
    "region": "string",
    "salary": "integer",
    "code": "string",
    "born": "date",
    "started": "timestamp",
    "seen": "timestamptz",
    "rate": "decimal(10,2)",
    "score": "double",
    "active": "boolean",
    "grade": "bigint",
    "postcode": "string",
    "tags": "list(string)",
    "home": "struct(city string, floor integer)",
    "note": "string",
}
SHOPS = {
    "shop": "integer",
    "region": "string",
    "opened": "date",
    "turnover": "decimal(12,2)",
    "boss": "string",
}
GROUPS = {"region": "string", "households": "integer", "spent": "decimal(12,2)"}
TERRITORIES = {"manager": "string", "region": "string"}
PAYROLL = {"x": "integer", "y": "string"}
TYPES: dict[str, dict[str, str]] = {
    "sales.staff": STAFF,
    "sales.shops": SHOPS,
    "sales.groups": GROUPS,
    "sales.territories": TERRITORIES,
    "sales.secrets": PAYROLL,
    "hr.payroll": PAYROLL,
}
NUMBERS = {"sales": 3, "hr": 5}
KEY = b"a key of the tests"

CLEAR: Mapping[str, Mask] = dict.fromkeys(
    ("id", "region", "started", "seen", "rate", "score", "active", "grade", "tags", "home", "note"), "clear"
)
MASKED: Mapping[str, Mask] = {
    "name": "partial",
    "salary": "redact",
    "code": "hmac",
    "born": "year",
    "postcode": Prefix(prefix=2),
}


def all_of(table: str) -> TableRights:
    """Return rights to see everything of a table."""
    return TableRights(columns=dict.fromkeys(TYPES[table], "clear"))


SALES = MartRights(
    mart="sales",
    types={name: types for name, types in TYPES.items() if name.startswith("sales.")},
    roles={
        "clerk": RoleRights(
            tables={
                "sales.staff": TableRights(columns={**CLEAR, **MASKED}, rows="region = principal.region"),
                "sales.shops": all_of("sales.shops"),
                "sales.groups": TableRights(
                    columns=dict.fromkeys(GROUPS, "clear"), smallest_group=("households", 20)
                ),
            }
        ),
        "reader": RoleRights(
            tables={
                "sales.staff": TableRights(
                    columns={**CLEAR, **MASKED}, rows="lower(region) = lower(principal.region)"
                ),
                "sales.shops": all_of("sales.shops"),
            }
        ),
        "scout": RoleRights(
            tables={
                "sales.staff": TableRights(
                    columns={**CLEAR, **MASKED},
                    rows="region IN (SELECT t.region FROM sales.territories t WHERE t.manager = principal.name)",
                ),
                "sales.shops": all_of("sales.shops"),
            }
        ),
        "manager": RoleRights(
            tables={
                "sales.staff": TableRights(
                    columns={"id": "clear", "region": "clear", "name": "clear", "salary": Band(band=1000)},
                    rows="region IN (SELECT region FROM sales.territories WHERE manager = principal.name)",
                )
            }
        ),
        "auditor": RoleRights(
            tables={
                "sales.staff": TableRights(columns=dict.fromkeys(STAFF, "clear")),
                "sales.secrets": all_of("sales.secrets"),
                "sales.shops": all_of("sales.shops"),
            }
        ),
        "counter": RoleRights(
            tables={"sales.staff": TableRights(columns={"id": "clear", "region": "clear"})}
        ),
    },
)
HR = MartRights(
    mart="hr",
    types={"hr.payroll": PAYROLL},
    roles={"payer": RoleRights(tables={"hr.payroll": all_of("hr.payroll")})},
)
RIGHTS = {"sales": SALES, "hr": HR}

CANARY = "canary"
"""Stands in every text that nobody may see."""
CANARY_NUMBER = 987_654


def policy(*roles: str, **attributes: Any) -> Policy:
    """Return what somebody with these roles sees."""
    return policy_of(RIGHTS, Asker("ada", roles, attributes))


CLERK = policy("sales.clerk", region="EU")

READER = policy("sales.reader", region="EU")
SCOUT = policy("sales.scout", name="uma")
"""They see what the clerk sees, by filters that the engine does not ask first."""

VISIBLE_STAFF: list[tuple[Any, ...]] = [
    (
        1,
        "Ada {}",
        "EU",
        0,
        "c1",
        "1990-{}",
        "2020-01-01 10:00:00",
        10.5,
        1.5,
        True,
        1,
        "12{}",
        ["a", "b"],
        ("Rome", 1),
    ),
    (
        2,
        "Bob {}",
        "EU",
        0,
        "c2",
        "1985-{}",
        "2021-01-01 11:30:00",
        20.25,
        2.5,
        False,
        2,
        "12{}",
        [],
        ("Oslo", 2),
    ),
    (3, None, "EU", None, "c1", None, None, None, None, None, None, None, None, None),
    (
        4,
        "Eve {}",
        "EU",
        0,
        None,
        "1990-{}",
        "2022-05-05 12:00:00",
        -5.0,
        0.0,
        True,
        2**40,
        "99{}",
        ["c"],
        ("Rome", 3),
    ),
]
EXTREMES: list[tuple[Any, ...]] = [
    (
        2**31 - 1,
        CANARY,
        "APAC",
        1,
        CANARY,
        "5881580-07-10",
        "294247-01-10 04:00:54",
        99999999.99,
        1.7e308,
        True,
        2**63 - 1,
        "canary",
        ["x"],
        ("", 2**31 - 1),
    ),
    (
        -(2**31),
        "9" * 40,
        "APAC",
        1,
        "x",
        "5877642-06-25 (BC)",
        "290309-12-22 (BC) 00:00:00",
        -99999999.99,
        -1.7e308,
        True,
        -(2**63),
        "",
        [],
        ("", -1),
    ),
    (
        0,
        "",
        "US",
        1,
        "",
        "infinity",
        "-infinity",
        0.0,
        float("nan"),
        False,
        0,
        "\U0001f600",
        [""],
        ("\U0001f600", 0),
    ),
]
"""Rows on which most of what can raise does raise."""


@dataclass(frozen=True)
class Hidden:
    """What differs between two lakes: all of it is hidden from the clerk."""

    number: int
    staff: Sequence[tuple[Any, ...]]
    days: str


NOTHING = Hidden(1, [], "01-01")
SOMETHING = Hidden(2, EXTREMES, "12-31")


@dataclass(frozen=True)
class Lake:
    """A locked-down engine."""

    engine: duckdb.DuckDBPyConnection

    def checked(self, sql: str, policy: Policy = CLERK, parameters: Any = ()) -> Checked:
        """Return what the gate makes of a query."""
        question = parse(sql)
        return check(question, policy, {named: found(named) for named in question.named}, parameters)

    def ask(self, sql: str, policy: Policy = CLERK, parameters: Any = ()) -> tuple[Any, ...]:
        """Return the outcome of a query: its columns and rows, or what was said instead."""
        try:
            checked = self.checked(sql, policy, parameters)
            return ("rows", *self.run(checked.sql, parameters, ordered=checked.ordered))
        except Refused as refused:
            return ("refused", refused.code, str(refused))
        except duckdb.Error as error:
            said = sentence_of(str(error), parse(sql))
            return ("refused", said.code, str(said))

    def run(self, sql: str, parameters: Any = (), *, ordered: bool = True) -> tuple[Any, ...]:
        """Return the columns and the rows of a query as it stands."""
        self.engine.execute(sql, parameters or None)
        columns = [(column[0], str(column[1])) for column in self.engine.description or []]
        rows = [repr(row) for row in self.engine.fetchall()]
        return columns, rows if ordered else sorted(rows)


def found(named: Named) -> Found:
    """Return the version of a table that there is."""
    if named.name not in TYPES:
        return Found(NUMBERS.get(named.mart, 1), {"x": "integer"})
    return Found(NUMBERS[named.mart], TYPES[named.name])


def write(folder: Path, hidden: Hidden) -> None:
    """Write the database files of both marts."""
    for mart in NUMBERS:
        with duckdb.connect(str(folder / f"{mart}.duckdb")) as engine:
            engine.execute("SET TimeZone = 'UTC'")
            for table, types in TYPES.items():
                if table.startswith(f"{mart}."):
                    columns = ", ".join(f"{name} {duckdb_type(kind)}" for name, kind in types.items())
                    engine.execute(f"CREATE TABLE {table.partition('.')[2]} ({columns})")
            (_fill_sales if mart == "sales" else _fill_hr)(engine, hidden)


def open_locked(folder: Path) -> Lake:
    """Open the files as the engine does: read only, nothing else within reach, nothing to be changed."""
    engine = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    for mart, number in NUMBERS.items():
        engine.execute(f"""ATTACH '{folder / f"{mart}.duckdb"}' AS "{mart}@{number}" (READ_ONLY)""")
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute("SET threads = 1")
    for name, value in mask_variables(KEY).items():
        engine.execute(f"SET VARIABLE {name} = ?", [value])
    engine.execute("SET enable_external_access = false")
    engine.execute("SET python_enable_replacements = false")
    engine.execute("SET lock_configuration = true")
    return Lake(engine)


def _fill_sales(engine: duckdb.DuckDBPyConnection, hidden: Hidden) -> None:
    secret = f"{CANARY}{hidden.number}"
    # Hidden rows first: what runs on rows in their order comes upon them before it has any other.
    for row in [*hidden.staff, *VISIBLE_STAFF]:
        ident, name, region, salary, code, born, started, rate, score, active, grade, post, tags, home = row
        visible = region == "EU"
        born = born.format(hidden.days) if born and visible else born
        salary = CANARY_NUMBER + hidden.number if salary is not None else None
        values = [
            ident,
            _secret(name, secret),
            region,
            salary,
            code,
            born,
            started,
            started,
        ]
        values += [rate, score, active, grade, _secret(post, str(hidden.number)), tags]
        values += [{"city": home[0], "floor": home[1]} if home else None, str(ident) if visible else secret]
        engine.execute(f"INSERT INTO staff VALUES ({', '.join('?' * len(values))})", values)
    engine.execute(
        "INSERT INTO shops VALUES (1, 'EU', '2015-03-01', 100.5, 'Ada'), (2, 'US', '2016-07-09', 200, 'Bob'),"
        " (3, 'EU', '2017-01-31', NULL, NULL), (4, NULL, NULL, 7.25, 'Ada')"
    )
    engine.execute(
        "INSERT INTO groups VALUES ('EU', 20, 5), ('US', 100, 7.5), ('APAC', 19, ?), ('none', NULL, ?)",
        [hidden.number * 1000, hidden.number],
    )
    engine.execute(
        "INSERT INTO territories VALUES ('ada', 'US'), ('ada', 'EU'), ('bob', 'APAC'), ('uma', 'EU'), ('eve', ?)",
        [secret],
    )
    engine.execute("INSERT INTO secrets SELECT range::INTEGER, ? FROM range(?)", [secret, hidden.number])


def _fill_hr(engine: duckdb.DuckDBPyConnection, hidden: Hidden) -> None:
    engine.execute(
        "INSERT INTO payroll VALUES (?, ?)", [CANARY_NUMBER + hidden.number, f"{CANARY}{hidden.number}"]
    )


def _secret(text: str | None, secret: str) -> str | None:
    return None if text is None else text.replace("{}", secret)
