"""A new mart: a complete folder, made from one canonical table, that can be published as it stands."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from string import Template

from pydantic import TypeAdapter, ValidationError
from sqlglot import exp

from mart_platform.planning.plan import Plan, PlannedColumn, PlannedTable
from mart_platform.spec.checks import NotNull, Unique
from mart_platform.spec.marts import Contact
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.warehouse import TAKEN_NAMES
from mart_platform.spec.words import Name


def new_mart(
    plan: Plan,
    root: Path,
    name: str,
    from_table: str,
    owner: str,
    contact: str,
    on_call: str,
    today: date | None = None,
) -> list[Path]:
    """Write the folder ``marts/<name>``, with one table of what ``from_table`` holds, and return its files.

    ``owner`` is a team, ``from_table`` a canonical table. Columns with a label of sensitive data are left
    out, but for those of the key. The folder appears as a whole or not at all. Raises UserError when the
    name is taken or not in snake_case, the table is unknown, or somebody is not named.
    """
    _refuse_name(plan, root, name)
    table = _canonical_table(plan, from_table)
    people = {"owner": owner, "contact": contact, "on_call": on_call}
    _refuse_nobody(people)
    written = {
        **_words_about_the_mart(name, people, today or datetime.now(UTC).date()),
        **_words_about_the_table(name, table, owner),
        **_words_about_the_sources(plan, from_table),
    }
    folder = root / "marts" / name
    contents = {
        Template(path).substitute(written): _filled(_template(template), written)
        for path, template in _FILES.items()
    }
    _write_whole(folder, contents)
    return [folder / file for file in contents]


_FILES = {
    "mart.yaml": "mart.yaml",
    "tables/$table.sql": "table.sql",
    "tables/$table.yaml": "table.yaml",
    "metrics.yaml": "metrics.yaml",
    "access.yaml": "access.yaml",
    "slos.yaml": "slos.yaml",
    "runbooks/$promise.md": "runbook.md",
}


def _template(name: str) -> str:
    return (files("mart_platform.stages") / "new_mart" / name).read_text(encoding="utf-8")


def _filled(template: str, words: Mapping[str, str]) -> str:
    return Template(template).substitute(words).rstrip() + "\n"


def _refuse_name(plan: Plan, root: Path, name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise UserError(f"{_reason(error)}.") from error
    if name in TAKEN_NAMES:
        raise UserError(f"The name '{name}' is taken by the platform. Choose another one.")
    if name in plan.sources:
        raise UserError(f"There is a source '{name}' already. Choose another name.")
    if name in plan.marts or (root / "marts" / name).exists():
        raise UserError(f"There is a mart '{name}' already, in marts/{name}. Choose another name.")


def _canonical_table(plan: Plan, name: str) -> PlannedTable:
    canonical = {table.name: table for table in plan.tables.values() if table.layer == "canonical"}
    if name not in canonical:
        raise UserError(f"'{name}' is no canonical table. {nearest(name, canonical)}")
    return canonical[name]


def _refuse_nobody(people: Mapping[str, str]) -> None:
    for role, who in people.items():
        if not who.strip():
            raise UserError(f"'{role}' is empty: a mart has an owner, a contact and somebody on call.")
    try:
        TypeAdapter(Contact).validate_python(people["contact"])
    except ValidationError as error:
        raise UserError(f"The contact {_reason(error)}.") from error


def _reason(error: ValidationError) -> str:
    return error.errors()[0]["msg"].removeprefix("Value error, ")


def _words_about_the_mart(name: str, people: Mapping[str, str], today: date) -> dict[str, str]:
    dashed = name.replace("_", "-")
    return {
        "name": name,
        "title": _yaml(name.replace("_", " ").capitalize()),
        "promise": f"{dashed}-fresh",
        "staleness": f"{dashed}-staleness",
        "today": today.isoformat(),
        **{role: _yaml(who) for role, who in people.items()},
    }


def _words_about_the_table(mart: str, source: PlannedTable, owner: str) -> dict[str, str]:
    key = _key(source)
    columns = [column for column in source.columns if not column.labels or column.name in key]
    columns = columns or list(source.columns)
    facts = [column for column in columns if not column.labels and column.name not in key]
    cuts = [column.name for column in facts if column.type in ("date", "string", "boolean")]
    title = source.short_name.replace("_", " ")
    return {
        "table": source.short_name,
        "source": source.name,
        "description": _yaml(source.description),
        "purpose": _yaml(f"{_one_line(source.description)} For whom, and what for?"),
        "key": _key_line(key),
        "selected": ",\n".join(f"    {_sql(column.name)}" for column in columns),
        "left_out": _left_out([column for column in source.columns if column not in columns]),
        "lines_title": _yaml(f"Rows of {title}"),
        "dimensions": ", ".join(map(_yaml, cuts[:3])),
        "total": _total(source.short_name, owner, facts),
        "masks": _masks(columns),
        **_question(title, f"{mart}.{source.short_name}", columns),
    }


def _words_about_the_sources(plan: Plan, table: str) -> dict[str, str]:
    landed = sorted(_landed_below(plan, table))
    sources = [plan.sources[name] for name in sorted({plan.tables[name].schema_name for name in landed})]
    return {
        "deliverers": ", ".join(f"{each.owner.team} ({each.owner.contact})" for each in sources) or "nobody",
        "arrivals": " or ".join(f"`mart status {each.source}`" for each in sources) or "`mart status`",
        "quarantines": " or ".join(f"`mart quarantine {name}`" for name in landed) or "`mart quarantine`",
    }


def _landed_below(plan: Plan, table: str) -> set[str]:
    """Return the landed tables that a table is made from."""
    found = plan.tables[table]
    if found.layer == "landing":
        return {table}
    return {landed for name in found.inputs for landed in _landed_below(plan, name)}


def _key(table: PlannedTable) -> tuple[str, ...]:
    """Return the columns that make a row unique: the declared key, else what checks promise to be one."""
    if table.key:
        return table.key
    blocking = [planned.check for planned in table.checks if planned.check.blocks]
    filled = {check.column for check in blocking if isinstance(check, NotNull)}
    unique = [check.columns for check in blocking if isinstance(check, Unique)]
    return next((columns for columns in unique if filled.issuperset(columns)), ())


def _key_line(key: Sequence[str]) -> str:
    if key:
        return f"key: [{', '.join(map(_yaml, key))}]     # checked: no two rows share it"
    return "# key: [column, column]      # name the columns that make a row unique, and it will be checked"


def _left_out(columns: Sequence[PlannedColumn]) -> str:
    if not columns:
        return ""
    named = ", ".join(f"{column.name} ({', '.join(column.labels)})" for column in columns)
    return f"-- Left out, because they are labelled as sensitive: {named}.\n"


def _question(title: str, table: str, columns: Sequence[PlannedColumn]) -> dict[str, str]:
    """Return a first question and its answer: rows per month where there is a day, else all rows."""
    by_type = {column.type: column.name for column in reversed(columns)}
    day = by_type.get("date") or by_type.get("timestamp")
    if day is None:
        return {
            "ask": _yaml(f"How many rows of {title} are there?"),
            "answer": f"      SELECT count(*) AS lines FROM {table}",
        }
    return {
        "ask": _yaml(f"How many rows of {title} are there per month?"),
        "answer": f"      SELECT date_trunc('month', {_sql(day)})::DATE AS month, count(*) AS lines\n"
        f"      FROM {table}\n      GROUP BY ALL\n      ORDER BY ALL",
    }


def _total(table: str, owner: str, facts: Sequence[PlannedColumn]) -> str:
    """Return a metric that sums the first decimal with a unit, or nothing when there is none."""
    amount = next((column for column in facts if column.unit and column.type.startswith("decimal")), None)
    if amount is None:
        return ""
    return f"""\
  total_{amount.name}:
    title: {_yaml(f"Total {amount.name.replace('_', ' ')}")}
    says: {_yaml(f"Sum of {amount.name} over all rows.")}
    table: {table}
    expression: {_yaml(f"sum({_sql(amount.name)})")}
    unit: {_yaml(amount.unit)}
    owner: {_yaml(owner)}
    version: 1"""


def _masks(columns: Sequence[PlannedColumn]) -> str:
    labels = dict.fromkeys(label for column in columns for label in column.labels)
    if not labels:
        return ""
    masks = ", ".join(f"{label}: redact" for label in labels)
    return f"    masks: {{{masks}}}     # by label: redact | partial | hmac | year | band | prefix | clear"


def _sql(name: str) -> str:
    """Return a column's name, quoted where SQL needs it."""
    return exp.to_identifier(name).sql(dialect="duckdb")


def _yaml(text: str) -> str:
    """Return a text as YAML on one line, quoted where it could be read as anything else."""
    line = _one_line(text)
    if re.fullmatch(r"[^\W\d_][\w .@/()?'-]*", line) and line.lower() not in ("null", "true", "false"):
        return line
    return json.dumps(line, ensure_ascii=not line.isprintable())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _write_whole(folder: Path, contents: Mapping[str, str]) -> None:
    """Write a folder under a name that no reader looks at, then give it its own."""
    half_written = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        for file, text in contents.items():
            _write(half_written / file, text)
        half_written.rename(folder)
    except OSError as error:
        raise UserError(f"'{folder}' cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(half_written, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
