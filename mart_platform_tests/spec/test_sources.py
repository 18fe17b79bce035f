from typing import Any

import pytest
from pydantic import ValidationError

from mart_platform.spec.sources import SourceTable

TABLE: dict[str, Any] = {
    "description": "Orders.",
    "key": ["id"],
    "event_time": {"column": "at"},
    "columns": {
        "id": {"type": "bigint"},
        "store": {"type": "bigint"},
        "price": {"type": "decimal(10,2)"},
        "at": {"type": "timestamp"},
    },
    "replay": {"late": 0.1, "corrected": 0.1},
}


def table(**changes: Any) -> SourceTable:
    return SourceTable.model_validate({**TABLE, **changes})


def test_a_replay_is_bounded_by_days() -> None:
    replay = table(replay={"from": "2017-01-01", "until": "2017-02-01"}).replay
    assert replay is not None
    assert (str(replay.since), str(replay.until), replay.every) == ("2017-01-01", "2017-02-01", "day")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event_time": None}, "'replay' needs 'event_time', by which rows are delivered, and 'key'"),
        ({"key": []}, "'replay' needs 'event_time', by which rows are delivered, and 'key'"),
        ({"event_time": {"column": "id"}}, "an event time of type date, timestamp, timestamptz; 'id' is of"),
        ({"delivers": "snapshot"}, "write 'delivers: changes'"),
        ({"replay": {"late": 0.5, "duplicated": 0.4, "corrected": 0.2}}, "together at most 1"),
        ({"replay": {"late": -0.1}}, "greater than or equal to 0"),
        ({"replay": {"from": "2017-01-02", "until": "2017-01-02"}}, "so nothing is played"),
        ({"key": ["id", "store", "price"]}, "'corrected' needs a column with a number"),
    ],
)
def test_a_replay_that_cannot_be_played_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        table(**changes)


def test_wrong_numbers_are_delivered_in_a_fraction_before_a_whole_number_and_never_in_the_key() -> None:
    assert table().measure == "price"
    assert table(key=["id", "price"]).measure == "store"
