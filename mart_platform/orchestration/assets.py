"""The assets: one for each table, and one for the publication of each mart, with their checks."""

from collections.abc import Iterator

import dagster as dg

from mart_platform.orchestration import describing, freshness, steps
from mart_platform.orchestration.naming import (
    CONTRACT,
    READABLE,
    check_names,
    group_of,
    owners,
    publication_key,
    published_database,
    step_name,
    table_key,
)
from mart_platform.planning.plan import Plan, PlannedMart, PlannedTable


def assets_of(plan: Plan) -> Iterator[dg.AssetsDefinition]:
    """Yield the tables of a plan in build order, then the publications."""
    for table in plan.tables.values():
        yield _landed(plan, table) if table.model is None else _built(plan, table)
    for mart in plan.marts.values():
        yield _published(plan, mart)


def _landed(plan: Plan, table: PlannedTable) -> dg.AssetsDefinition:
    contract = dg.AssetCheckSpec(
        CONTRACT,
        asset=table_key(table.name),
        description="Every delivered row keeps the contract; one that does not is in quarantine.",
    )

    @dg.multi_asset(
        name=step_name(table_key(table.name)),
        specs=[_table_spec(plan, table)],
        check_specs=[contract],
        required_resource_keys={"platform"},
    )
    def land(context: dg.AssetExecutionContext) -> steps.Results:
        yield from steps.landing_step(context, plan, table)

    return land


def _built(plan: Plan, table: PlannedTable) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=step_name(table_key(table.name)),
        specs=[_table_spec(plan, table)],
        check_specs=_checks(table),
        required_resource_keys={"platform"},
    )
    def build(context: dg.AssetExecutionContext) -> steps.Results:
        yield from steps.building_step(context, plan, table)

    return build


def _published(plan: Plan, mart: PlannedMart) -> dg.AssetsDefinition:
    name = mart.spec.mart

    @dg.multi_asset(
        name=step_name(publication_key(name)),
        specs=[_publication_spec(mart)],
        check_specs=_publication_checks(mart),
        required_resource_keys={"platform", published_database(name)},
    )
    def publish(context: dg.AssetExecutionContext) -> steps.Results:
        yield from steps.publishing_step(context, plan, mart)

    return publish


def _table_spec(plan: Plan, table: PlannedTable) -> dg.AssetSpec:
    return dg.AssetSpec(
        table_key(table.name),
        deps=_made_after(plan, table),
        description=describing.table_description(plan, table),
        metadata=describing.table_metadata(plan, table),
        group_name=group_of(table),
        code_version=table.fingerprint,
        owners=_table_owners(plan, table),
        tags=describing.table_tags(plan, table),
        kinds=describing.kinds(table),
    )


def _publication_spec(mart: PlannedMart) -> dg.AssetSpec:
    name, owner = mart.spec.mart, mart.spec.owner
    return dg.AssetSpec(
        publication_key(name),
        deps=[table_key(table) for table in mart.tables],
        description=describing.mart_description(mart),
        group_name=name,
        owners=owners(owner.team, owner.contact),
        tags={"mart/layer": "publication", **describing.mart_tags(mart)},
        kinds={"duckdb", "parquet"},
        freshness_policy=freshness.policy_of(mart),
    )


def _made_after(plan: Plan, table: PlannedTable) -> list[dg.AssetKey]:
    """Return the tables before this one; another mart's is read once that mart is published."""
    others = {mart.spec.mart for name in table.after if (mart := plan.mart_of(name))} - {table.schema_name}
    return [*(table_key(name) for name in table.after), *(publication_key(mart) for mart in sorted(others))]


def _table_owners(plan: Plan, table: PlannedTable) -> list[str]:
    if table.layer == "landing":
        owner = plan.sources[table.schema_name].owner
        return owners(owner.team, owner.contact)
    mart = plan.mart_of(table.name)
    return owners(table.owner, mart.spec.owner.contact if mart else "")


def _checks(table: PlannedTable) -> list[dg.AssetCheckSpec]:
    names = check_names(planned.check.name for planned in table.checks)
    return [
        dg.AssetCheckSpec(
            names[planned.check.name],
            asset=table_key(table.name),
            description=planned.check.says,
            blocking=planned.check.blocks,
        )
        for planned in table.checks
    ]


def _publication_checks(mart: PlannedMart) -> list[dg.AssetCheckSpec]:
    key, names = publication_key(mart.spec.mart), freshness.objective_checks(mart)
    readable = dg.AssetCheckSpec(
        READABLE,
        asset=key,
        description="The published DuckDB file shows as many rows of each table as the ledger knows.",
    )
    objectives = (
        dg.AssetCheckSpec(
            names[slo.metadata.name],
            asset=key,
            description=slo.spec.description or slo.metadata.displayName,
        )
        for slo in freshness.objectives_of(mart)
    )
    return [readable, *objectives]
