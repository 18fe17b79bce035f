from typing import Any

import pytest
from pydantic import ValidationError

from mart_platform.spec.access import SmallestGroup
from mart_platform.spec.marts import Mart, Owner, Quota, Retention
from mart_platform.spec.settings import Settings
from mart_platform.spec.slos import Slo

MART: dict[str, Any] = {
    "mart": "sales",
    "title": "Sales",
    "purpose": "Steering.",
    "owner": {"team": "a", "contact": "a@b.de", "on_call": "c"},
    "consumers": ["d"],
    "pattern": "star",
    "built_from": "canonical",
    "lifecycle": "production",
    "cadence": "stream",
    "retention": {"keep": "3y"},
    "quota": {"spend_per_day": 1, "rows_per_query": 1},
    "questions": [{"ask": "Why?", "sql": "SELECT 1"}],
}


@pytest.mark.parametrize("field", sorted(MART))
def test_a_mart_says_everything_that_makes_it_a_product(field: str) -> None:
    assert Mart.model_validate(MART).mart == "sales"
    with pytest.raises(ValidationError, match=f"{field}\n  Field required"):
        Mart.model_validate({key: value for key, value in MART.items() if key != field})


@pytest.mark.parametrize("field", ["consumers", "questions"])
def test_a_mart_without_consumer_or_question_is_none(field: str) -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        Mart.model_validate({**MART, field: []})


@pytest.mark.parametrize("contact", ["data@example.com", "https://chat.example.com/data"])
def test_an_owner_can_be_written_to(contact: str) -> None:
    assert Owner(team="a", contact=contact, on_call="b").contact == contact


@pytest.mark.parametrize("contact", ["bob", "bob@home", "http://example.com", ""])
def test_an_owner_who_cannot_be_written_to_is_refused(contact: str) -> None:
    with pytest.raises(ValidationError, match="neither an e-mail address nor an https link"):
        Owner(team="a", contact=contact, on_call="b")


def test_a_quota_of_nothing_and_a_group_of_one_are_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Quota(spend_per_day=0, rows_per_query=1)
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        SmallestGroup(of="customers", at_least=1)


def test_an_slo_says_which_indicator_it_is_about() -> None:
    slo = Slo.model_validate(
        {
            "apiVersion": "openslo/v1",
            "kind": "SLO",
            "metadata": {"name": "sales-fresh"},
            "spec": {
                "service": "sales",
                "timeWindow": [{"duration": "30d"}],
                "indicator": {
                    "metadata": {"name": "i"},
                    "spec": {"thresholdMetric": {"metricSource": {"spec": {"sli": "staleness"}}}},
                },
                "objectives": [{"value": 60, "target": 0.99}],
            },
        }
    )
    assert slo.sli == "staleness"


@pytest.mark.parametrize(
    "said",
    [{"zone": "Berlin"}, {"currency": "euro"}, {"business_clock": "2018-01-01"}, {"engine": {"memory": "2"}}],
)
def test_settings_that_mean_nothing_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(said)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"then": "drop", "to": "/cold"}, "'to' belongs to 'then: archive'"),
        ({"then": "archive", "to": "s3://cold"}, "is no folder; mount the bucket"),
    ],
)
def test_rows_are_archived_to_a_folder(said: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Retention.model_validate({"keep": "1y", **said})
    assert Retention(keep="1y", then="archive", to="/cold").to == "/cold"
