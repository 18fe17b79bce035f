"""Candidates: what becomes of files that were written and not committed."""

from pathlib import Path

from mart_platform.planning.plan import PlannedModel
from mart_platform.runs.candidates import Candidate
from mart_platform.stages import building
from mart_platform_tests.stages.small_platform import SmallPlatform, plan_of, planned_table


def test_a_candidate_that_is_discarded_twice_is_gone_and_leaves_other_files_alone(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)
    model = PlannedModel(file="tables/daily.sql", sql="SELECT DATE '2017-01-01' AS day")
    table = planned_table("sales.daily", {"day": "date"}, model=model)
    with platform.engine.session([]) as session:
        other, ours = (building.write_candidate(platform, session, plan_of(table), table) for _ in range(2))
    candidate = Candidate(table, base=None, floor="", intervals=None, written=ours)
    for _ in range(2):
        candidate.discard(platform)
    assert set(platform.lake.present(table.path)) == {file.path for file in other}
