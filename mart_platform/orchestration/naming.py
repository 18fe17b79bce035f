"""What the words of the plan are called in Dagster, whose names are narrower than ours."""

import re
from collections.abc import Iterable

import dagster as dg

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.spec.problems import UserError

PUBLICATION = "publication"
"""The second part of the key of a mart's publication, so no table may be called that."""

BUILD_ALL = "build_all"
MAINTAIN = "maintain"
CONTRACT = "contract"
READABLE = "readable"


def table_key(name: str) -> dg.AssetKey:
    """Return the key of a table ``schema.table``."""
    return dg.AssetKey(name.split("."))


def publication_key(mart: str) -> dg.AssetKey:
    """Return the key of a mart's publication."""
    return dg.AssetKey([mart, PUBLICATION])


def subject_of(key: dg.AssetKey) -> str:
    """Return the table, or the mart whose publication it is, that a key stands for."""
    schema, name = key.path
    return schema if name == PUBLICATION else f"{schema}.{name}"


def step_name(key: dg.AssetKey) -> str:
    """Return the name of the step that makes an asset.

    >>> step_name(dg.AssetKey(["sales", "dim_store"]))
    'sales__dim_store'
    """
    return "__".join(key.path)


def job_name(mart: str) -> str:
    """Return the name of the job that builds and publishes a mart."""
    return f"build_{mart}"


def published_database(mart: str) -> str:
    """Return the name of the resource that reads a mart's published DuckDB file."""
    return f"published_{mart}"


def group_of(table: PlannedTable) -> str:
    """Return the group of a table: its source, ``canonical`` or its mart."""
    return table.schema_name


def check_names(names: Iterable[str]) -> dict[str, str]:
    """Map names of checks to names that Dagster takes, each of them once.

    >>> check_names(["sales-fresh", "sales fresh", "no_line_lost"])
    {'sales-fresh': 'sales_fresh', 'sales fresh': 'sales_fresh_2', 'no_line_lost': 'no_line_lost'}
    """
    taken: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", name)
        used, number = set(taken.values()), 1
        chosen = plain
        while chosen in used:
            number += 1
            chosen = f"{plain}_{number}"
        taken[name] = chosen
    return taken


def owners(team: str, contact: str = "") -> list[str]:
    """Return a team, and its contact when it is an e-mail address, as owners."""
    return [f"team:{team}", *([contact] if "@" in contact and "://" not in contact else [])]


def refuse_taken_names(plan: Plan) -> None:
    """Refuse names of marts and tables that are taken here. Raises UserError."""
    for mart in plan.marts.values():
        if f"{mart.spec.mart}.{PUBLICATION}" in mart.tables:
            raise UserError(
                f"{mart.folder}: a table cannot be called '{PUBLICATION}', which is what Dagster calls the "
                "mart's own. Rename it."
            )
        if job_name(mart.spec.mart) == BUILD_ALL:
            raise UserError(
                f"{mart.folder}: a mart cannot be called '{mart.spec.mart}', because the job {BUILD_ALL} "
                "builds all marts. Rename it."
            )
