"""A mart of a small bank: all masks, a row filter that looks something up, groups that are too small."""

from collections.abc import Mapping
from pathlib import Path

from mart_platform.assembly import Assembled, Places
from mart_platform.ports import Relation
from mart_platform.spec.access import Band, Mask, Prefix
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform.spec.settings import EngineSettings, Settings

SETTINGS = Settings(engine=EngineSettings(memory="1GB", threads=2))

TYPES: Mapping[str, Mapping[str, str]] = {
    "bank.account": {
        "account": "integer",
        "region": "string",
        "owner": "string",
        "iban": "string",
        "postcode": "string",
        "born": "date",
        "balance": "decimal(12,2)",
        "score": "integer",
        "remark": "string",
    },
    "bank.payment": {
        "payment": "bigint",
        "account": "integer",
        "amount": "double",
        "at": "timestamp",
        "purpose": "string",
    },
    "bank.total": {"region": "string", "day": "date", "customers": "integer", "amount": "decimal(18,2)"},
    "bank.staff": {"region": "string", "name": "string", "salary": "integer"},
}

ROWS: Mapping[str, str] = {
    "bank.account": """
        SELECT i AS account, ['north', 'south', 'east'][1 + i % 3] AS region,
            ['Ada', 'Ben', 'Cleo', NULL][1 + i % 4] || ' ' || i AS owner,
            'DE' || (1000 + i) AS iban, lpad(CAST(i * 37 % 99999 AS VARCHAR), 5, '0') AS postcode,
            DATE '1950-01-01' + CAST(i * 31 AS INTEGER) AS born, i * 7.25 AS balance, i % 13 AS score,
            CASE WHEN i % 5 = 0 THEN CAST(i AS VARCHAR) ELSE 'none' END AS remark
        FROM range(300) AS t(i)""",
    "bank.payment": """
        SELECT i AS payment, i * 7 % 300 AS account, i * 1.5 AS amount,
            TIMESTAMP '2017-01-01' + to_hours(i) AS at,
            CASE WHEN i % 3 = 0 THEN CAST(i AS VARCHAR) ELSE 'rent' END AS purpose
        FROM range(1500) AS t(i)""",
    "bank.total": """
        SELECT ['north', 'south', 'east'][1 + i % 3] AS region, DATE '2017-01-01' + CAST(i AS INTEGER) AS day,
            i % 40 AS customers, i * 99.5 AS amount
        FROM range(120) AS t(i)""",
    "bank.staff": "SELECT 'north' AS region, 'Nora' AS name, 4100 AS salary",
}

OF_REGION = "region = principal.region"
OF_ACCOUNT = "account IN (SELECT account FROM bank.account WHERE region = principal.region)"
CLERK: Mapping[str, Mask] = {
    "owner": "partial",
    "iban": "hmac",
    "postcode": Prefix(prefix=2),
    "born": "year",
    "balance": Band(band=100),
    "remark": "redact",
}


def table_rights(
    name: str,
    masks: Mapping[str, Mask] | None = None,
    rows: str | None = None,
    *,
    without: tuple[str, ...] = (),
    smallest_group: tuple[str, int] | None = None,
) -> TableRights:
    columns = {column: (masks or {}).get(column, "clear") for column in TYPES[name] if column not in without}
    return TableRights(columns=columns, rows=rows, smallest_group=smallest_group)


def bank_rights() -> MartRights:
    """Return what clerks, analysts and auditors see; nobody sees the staff."""
    return MartRights(
        mart="bank",
        types={name: dict(columns) for name, columns in TYPES.items()},
        roles={
            "clerk": RoleRights(
                tables={
                    "bank.account": table_rights("bank.account", CLERK, OF_REGION, without=("score",)),
                    "bank.payment": table_rights("bank.payment", rows=OF_ACCOUNT),
                    "bank.total": table_rights("bank.total", rows=OF_REGION),
                }
            ),
            "analyst": RoleRights(
                tables={
                    "bank.account": table_rights(
                        "bank.account", {"owner": "redact", "born": "year"}, without=("iban", "remark")
                    ),
                    "bank.total": table_rights("bank.total", smallest_group=("customers", 20)),
                }
            ),
            "auditor": RoleRights(
                tables={name: table_rights(name) for name in TYPES if name != "bank.staff"}
            ),
        },
    )


def with_table(rights: MartRights, role: str, name: str, table: TableRights) -> MartRights:
    """Return rights in which a role sees a table otherwise."""
    held = rights.roles[role]
    changed = held.model_copy(update={"tables": {**held.tables, name: table}})
    return rights.model_copy(update={"roles": {**rights.roles, role: changed}})


class Bank:
    """The tables of the bank below a folder, and the platform in which it is probed."""

    def __init__(self, folder: Path) -> None:
        self.platform = Assembled(Places(warehouse=folder / "warehouse", data=folder / "data"), SETTINGS)
        self.relations = [self._written(name, sql) for name, sql in ROWS.items()]

    def _written(self, name: str, sql: str) -> Relation:
        columns = TYPES[name]
        with self.platform.engine.session([]) as session:
            files = session.write(sql, columns, self.platform.data.lake / name)
        return Relation(name, columns, tuple(self.platform.data.absolute(file.path) for file in files))
