import json

import pytest

from mart_platform.reading.json_schemas import schemas
from mart_platform.reading.located_yaml import documents
from mart_platform_tests.golden.pairs import SHOP


def test_there_is_a_schema_for_each_kind_of_declaration() -> None:
    assert set(schemas()) == {
        "source",
        "table",
        "mart",
        "metrics",
        "access",
        "slo",
        "runbook",
        "settings",
        "principals",
    }


def test_schemas_are_json_that_names_the_keys_as_they_are_written() -> None:
    table = json.loads(json.dumps(schemas()["table"]))
    column = table["$defs"]["Column"]["properties"]
    assert {"in", "from", "at_least", "type"} <= set(column)
    assert not {"one_of", "comes_from"} & set(column)
    assert table["additionalProperties"] is False


def test_a_schema_says_which_values_and_forms_are_allowed() -> None:
    mart = schemas()["mart"]["properties"]
    assert mart["pattern"]["enum"] == ["star", "wide", "aggregate", "streaming", "virtual", "federated"]
    assert mart["mart"]["pattern"] == "^(?:[a-z][a-z0-9_]*)$"


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("source", "sources/shop/source.yaml"),
        ("table", "canonical/order_line.yaml"),
        ("mart", "marts/orders/mart.yaml"),
        ("metrics", "marts/orders/metrics.yaml"),
        ("access", "marts/orders/access.yaml"),
        ("slo", "marts/orders/slos.yaml"),
    ],
)
def test_the_keys_of_a_valid_file_are_those_of_its_schema(kind: str, file: str) -> None:
    value = documents((SHOP / file).read_text(encoding="utf-8"), file, [])[0].value
    schema = schemas()[kind]
    assert set(value) <= set(schema["properties"])
    assert set(schema["required"]) <= set(value)
