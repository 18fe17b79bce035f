"""A mart as its readers see it, in one file that can be copied anywhere."""

from pathlib import Path

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.leasing import holding
from mart_platform.runs.publishing import derive, versions_of
from mart_platform.runs.versions import keeping, known_mart
from mart_platform.spec.problems import UserError
from mart_platform.stages.exporting import copy_database


def export_mart(platform: Platform, plan: Plan, mart: str, file: Path) -> dict[str, int]:
    """Write what is live of a mart into a DuckDB file, and return the rows of each of its tables.

    As in the published folder, columns with a label of sensitive data are left out. Raises UserError when
    there is no such mart, nothing of it is live, or the file cannot be written.
    """
    known_mart(plan, mart)
    with holding(platform, f"publication {mart}", "export"):
        live = platform.ledger.live(mart)
        if live is None:
            raise UserError(f"{mart} is not published yet; run `mart build {mart}` first.")
        derive(platform, plan, live)
    # The numbered folder stays for an hour, whatever is published meanwhile.
    folder = (platform.data.published / mart / "current").resolve()
    with keeping(platform, versions_of(platform, live).values()):
        return copy_database(folder / f"{mart}.duckdb", file, plan.settings.engine.memory)
