"""What the catalogue of Dagster says about a table or a mart before anything has run."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from mart_platform.orchestration.naming import table_key
from mart_platform.planning.plan import Plan, PlannedColumn, PlannedMart, PlannedTable
from mart_platform.spec.checks import Check, NotNull, Unique


def table_description(plan: Plan, table: PlannedTable) -> str:
    """Return a table in Markdown: what it holds, its key, its columns, its model."""
    parts = [table.description, _about(plan, table), _columns(table), _model(table)]
    return "\n\n".join(part for part in parts if part)


def mart_description(mart: PlannedMart) -> str:
    """Return a mart in Markdown: what it is for, and which questions it answers."""
    spec = mart.spec
    asked = "\n".join(f"- {question.ask}" for question in spec.questions)
    return (
        f"What readers of **{spec.title}** see: all its tables at one moment, published together or not at "
        f"all.\n\n{spec.purpose}\n\nIt answers:\n{asked}\n\n"
        f"Read by {', '.join(spec.consumers)}. On call: {spec.owner.on_call}."
    )


def table_metadata(plan: Plan, table: PlannedTable) -> dict[str, Any]:
    """Return the column schema, the lineage by column, and where the model or the contract stands."""
    return {
        "dagster/column_schema": column_schema(table),
        "dagster/code_references": _declared_in(plan, table),
        "dagster/table_name": table.name,
        **column_lineage(table),
    }


def column_schema(table: PlannedTable) -> dg.TableSchema:
    """Return the columns with type, meaning, label, and what the checks promise of each."""
    checks = [planned.check for planned in table.checks]
    return dg.TableSchema(columns=[_column(column, checks) for column in table.columns])


def column_lineage(table: PlannedTable) -> dict[str, Any]:
    """Return the metadata entry that says of which columns each column is made; none when nobody knows."""
    lineage = {
        column.name: [_column_dep(source) for source in column.lineage]
        for column in table.columns
        if column.lineage
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(lineage)} if lineage else {}


def table_tags(plan: Plan, table: PlannedTable) -> dict[str, str]:
    """Return the tags of a table: its layer, how it is kept, and whether it holds sensitive columns."""
    mart = plan.mart_of(table.name)
    return {
        "mart/layer": table.layer,
        "mart/kind": table.kind,
        **({"mart/sensitive": "yes"} if table.labelled else {}),
        **(mart_tags(mart) if mart else {}),
    }


def mart_tags(mart: PlannedMart) -> dict[str, str]:
    """Return the tags of a mart: its pattern and where it is in its life."""
    return {"mart/pattern": mart.spec.pattern, "mart/lifecycle": mart.spec.lifecycle}


def kinds(table: PlannedTable) -> set[str]:
    """Return what a table is made with and kept in, for the small signs in the graph."""
    if table.model is None:
        return {"source", "polars", "parquet"}
    return {"sql", "duckdb", "parquet"} if table.model.sql else {"python", "polars", "parquet"}


def _declared_in(plan: Plan, table: PlannedTable) -> dg.CodeReferencesMetadataValue:
    file = Path(plan.root) / (table.model.file if table.model else table.file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(
            file_path=str(file), label="model" if table.model else "contract"
        )
        return dg.CodeReferencesMetadataValue(code_references=[reference])


def _about(plan: Plan, table: PlannedTable) -> str:
    key = f"One row per {', '.join(f'`{column}`' for column in table.key)}." if table.key else ""
    if table.layer != "landing":
        return key
    source = plan.sources[table.schema_name]
    delivers = source.tables[table.short_name].delivers
    about = f"About {', '.join(f'`{column}`' for column in table.key)}. " if table.key else ""
    return f"{about}Landed from `{source.source}`, which delivers {delivers}: {source.description}"


def _columns(table: PlannedTable) -> str:
    rows = [f"| `{c.name}` | {c.type} | {_in_a_cell(c)} |" for c in table.columns]
    return "\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows])


def _in_a_cell(column: PlannedColumn) -> str:
    said = [column.meaning, f"In {column.unit}." if column.unit else "", _labelled(column)]
    return " ".join(" ".join(part.split()) for part in said if part).replace("|", "\\|")


def _labelled(column: PlannedColumn) -> str:
    return f"Sensitive: {', '.join(column.labels)}." if column.labels else ""


def _model(table: PlannedTable) -> str:
    if table.model is None or table.model.sql is None:
        return f"Made by `{table.model.file}`." if table.model else ""
    return f"```sql\n{table.model.sql}\n```"


def _column(column: PlannedColumn, checks: list[Check]) -> dg.TableColumn:
    return dg.TableColumn(
        name=column.name,
        type=column.type,
        description=_in_a_cell(column) or None,
        constraints=dg.TableColumnConstraints(
            nullable=not any(isinstance(c, NotNull) and c.column == column.name for c in checks),
            unique=any(isinstance(c, Unique) and c.columns == (column.name,) for c in checks),
            other=list(_other_promises(column.name, checks)),
        ),
        tags=_column_tags(column),
    )


def _other_promises(column: str, checks: list[Check]) -> Iterator[str]:
    for check in checks:
        if getattr(check, "column", None) == column and not isinstance(check, NotNull):
            yield check.says


def _column_tags(column: PlannedColumn) -> Mapping[str, str]:
    return {"sensitive": "-".join(column.labels)} if column.labels else {}


def _column_dep(source: str) -> dg.TableColumnDep:
    table, column = source.rsplit(".", 1)
    return dg.TableColumnDep(asset_key=table_key(table), column_name=column)
