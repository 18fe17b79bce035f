import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mart_platform.planning.plan import Plan
from mart_platform.spec.marts import Retention, Review
from mart_platform.spec.problems import UserError
from mart_platform.spec.slos import Slo
from mart_platform.stages.documenting import mart_readme, stale_readmes, write_readmes

EXPECTED = Path(__file__).parent / "orders_readme.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "marts" / "orders").mkdir(parents=True)
    return tmp_path


def with_mart(plan: Plan, **changed: Any) -> Plan:
    mart = plan.marts["orders"].model_copy(update=changed)
    return plan.model_copy(update={"marts": {"orders": mart}})


def with_spec(plan: Plan, **changed: Any) -> Plan:
    return with_mart(plan, spec=plan.marts["orders"].spec.model_copy(update=changed))


def an_slo(
    sli: str,
    op: str,
    value: float,
    target: float = 0.99,
    *,
    duration: str = "30d",
    rolling: bool = True,
    method: str = "Timeslices",
) -> Slo:
    metric = {"metricSource": {"type": "mart", "spec": {"sli": sli}}}
    return Slo.model_validate(
        {
            "apiVersion": "openslo/v1",
            "kind": "SLO",
            "metadata": {"name": "promise"},
            "spec": {
                "service": "orders",
                "budgetingMethod": method,
                "timeWindow": [{"duration": duration, "isRolling": rolling}],
                "indicator": {"metadata": {"name": "i"}, "spec": {"thresholdMetric": metric}},
                "objectives": [{"op": op, "value": value, "target": target}],
            },
        }
    )


def test_the_readme_of_the_shop_is_the_one_that_was_reviewed(shop_plan: Plan) -> None:
    assert mart_readme(shop_plan, "orders") == EXPECTED.read_text(encoding="utf-8")


def test_every_question_stands_with_the_query_that_answers_it(shop_plan: Plan) -> None:
    readme = mart_readme(shop_plan, "orders")
    for question in shop_plan.marts["orders"].spec.questions:
        assert f"**{question.ask}**\n\n```sql\n{question.sql.strip()}\n```" in readme


def test_every_check_stands_as_its_sentence(shop_plan: Plan) -> None:
    readme = mart_readme(shop_plan, "orders")
    for name in shop_plan.marts["orders"].tables:
        for planned in shop_plan.tables[name].checks:
            assert f"- {planned.check.says}" in readme


@pytest.mark.parametrize(
    ("slo", "words"),
    [
        (
            an_slo("staleness", "lte", 108000),
            "never more than 30 hours behind, 99 % of the time over 30 days.",
        ),
        (
            an_slo("staleness", "lt", 172800, 0.999),
            "less than 2 days behind, 99.9 % of the time over 30 days.",
        ),
        (
            an_slo("staleness", "lte", 86400),
            "never more than 24 hours behind, 99 % of the time over 30 days.",
        ),
        (
            an_slo("latency", "lte", 0.5, method="Occurrences"),
            "answers take at most 0.5 seconds, 99 % of the measurements over 30 days.",
        ),
        (
            an_slo("latency", "lte", 60, duration="1w"),
            "answers take at most 1 minute, 99 % of the time over 1 week.",
        ),
        (
            an_slo("success_rate", "gte", 0.95, duration="1M", rolling=False),
            "at least 95 % of the runs succeed, 99 % of the time in each month.",
        ),
        (an_slo("accuracy", "gt", 0.999), "accuracy more than 99.9 %, 99 % of the time over 30 days."),
        (
            an_slo("staleness", "lte", 90, duration="odd"),
            "never more than 90 seconds behind, 99 % of the time over odd.",
        ),
    ],
)
def test_a_promise_is_said_in_words(shop_plan: Plan, slo: Slo, words: str) -> None:
    assert f"- **promise** (`promise`): {words}\n" in mart_readme(with_mart(shop_plan, slos=(slo,)), "orders")


@pytest.mark.parametrize(
    ("cadence", "words"),
    [
        ("5 7 * * *", "every day at 07:05 (UTC)"),
        ("0 6 * * 1-5", "by the schedule `0 6 * * 1-5` (UTC)"),
        ("every 5m", "every 5 minutes"),
        ("every 1h", "every hour"),
        ("stream", "as a stream"),
    ],
)
def test_the_cadence_is_said_in_words(shop_plan: Plan, cadence: str, words: str) -> None:
    assert f"| **Renewed** | {words} |" in mart_readme(with_spec(shop_plan, cadence=cadence), "orders")


def test_retention_and_review_are_said_in_words(shop_plan: Plan) -> None:
    plan = with_spec(
        shop_plan,
        retention=Retention(keep="1y", then="drop"),
        review=Review(every="1mo", last=date(2026, 2, 3)),
    )
    readme = mart_readme(plan, "orders")
    assert "| **Kept** | 1 year, then deleted |" in readme
    assert "| **Reviewed** | every month, last on 2026-02-03 |" in readme


def test_what_a_mart_does_not_have_is_not_spoken_of(shop_plan: Plan) -> None:
    plan = with_mart(shop_plan, slos=(), runbooks=(), metrics=None, access=None)
    readme = mart_readme(plan, "orders")
    assert not re.findall("## (Promises|Metrics|When something is wrong)", readme)
    assert "what is not granted is denied" in readme


def test_a_text_with_a_bar_or_a_line_break_stays_in_its_cell(shop_plan: Plan) -> None:
    table = shop_plan.tables["orders.daily"]
    column = table.columns[0].model_copy(update={"meaning": "a|b\nc"})
    changed = table.model_copy(update={"columns": (column, *table.columns[1:])})
    plan = shop_plan.model_copy(update={"tables": {**shop_plan.tables, "orders.daily": changed}})
    assert "| a\\|b c |" in mart_readme(plan, "orders")


def test_a_view_says_that_it_is_one(shop_plan: Plan) -> None:
    table = shop_plan.tables["orders.customer"].model_copy(update={"kind": "view"})
    plan = shop_plan.model_copy(update={"tables": {**shop_plan.tables, "orders.customer": table}})
    assert "One row for each `customer_id`. A view, computed when it is read." in mart_readme(plan, "orders")


def test_an_unknown_mart_is_answered_with_the_nearest_name(shop_plan: Plan) -> None:
    with pytest.raises(UserError, match=r"There is no mart 'order'\. Did you mean 'orders'\?"):
        mart_readme(shop_plan, "order")


def test_a_readme_is_written_where_it_is_missing_or_stale_and_only_there(shop_plan: Plan, root: Path) -> None:
    readme = root / "marts" / "orders" / "README.md"
    assert stale_readmes(shop_plan, root) == [readme]
    assert write_readmes(shop_plan, root) == [readme]
    assert readme.read_text(encoding="utf-8") == mart_readme(shop_plan, "orders")
    assert stale_readmes(shop_plan, root) == []
    assert write_readmes(shop_plan, root) == []
    readme.write_text("changed by hand", encoding="utf-8")
    assert write_readmes(shop_plan, root) == [readme]
    assert [path.name for path in readme.parent.iterdir()] == ["README.md"]
