from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandera.errors
import polars as pl
import pytest

from mart_platform.adapters.contracts import PanderaContracts, pandera_schema
from mart_platform.ports import Judged
from mart_platform.spec.problems import UserError
from mart_platform.spec.sources import SourceTable


def contract_of(**columns: dict[str, Any]) -> SourceTable:
    return SourceTable.model_validate({"description": "A table.", "columns": columns})


def judged(contract: SourceTable, *, as_text: bool = True, **columns: Any) -> Judged:
    frame = pl.DataFrame(columns).with_row_index("_row", offset=1).cast({"_row": pl.Int64})
    return PanderaContracts().judge(contract, frame, as_text=as_text)


READ = [
    ("bigint", "9223372036854775807", 9223372036854775807),
    ("bigint", "+7", 7),
    ("integer", "-12", -12),
    ("double", "-1.5e3", -1500.0),
    ("decimal(10,2)", "12345678.9", Decimal("12345678.90")),
    ("decimal(10,2)", "-0.1000", Decimal("-0.10")),
    (
        "decimal(38,2)",
        "123456789012345678901234567890123456.78",
        Decimal("123456789012345678901234567890123456.78"),
    ),
    ("boolean", "True", True),
    ("boolean", "0", False),
    ("date", "2017-02-28", date(2017, 2, 28)),
    ("timestamp", "2017-02-28", datetime(2017, 2, 28)),  # noqa: DTZ001 naive as declared
    ("timestamp", "2017-02-28 10:11", datetime(2017, 2, 28, 10, 11)),  # noqa: DTZ001 naive as declared
    ("timestamp", "2017-02-28T10:11:12.123456", datetime(2017, 2, 28, 10, 11, 12, 123456)),  # noqa: DTZ001 naive
    ("timestamptz", "2017-02-28T10:11:12Z", datetime(2017, 2, 28, 10, 11, 12, tzinfo=UTC)),
    ("timestamptz", "2017-02-28 10:11-0330", datetime(2017, 2, 28, 13, 41, tzinfo=UTC)),
    ("string", " as it is ", " as it is "),
]


@pytest.mark.parametrize(("declared", "text", "value"), READ)
def test_text_is_read_as_its_declared_type(declared: str, text: str, value: Any) -> None:
    found = judged(contract_of(c={"type": declared}), c=[text, None])
    assert found.good["c"].to_list() == [value, None]
    assert found.bad.is_empty()


REFUSED = [
    ("bigint", ["1.0", "1e3", " 1", "", "9223372036854775808", "0x1"]),
    ("integer", ["2147483648"]),
    ("double", ["1,5", "1e400", ""]),
    ("decimal(10,2)", ["0.001", "123456789.00", "1e2", "NaN", ""]),
    ("boolean", ["maybe", "2"]),
    ("date", ["2017-02-30", "2017-2-3", "28.02.2017", "2017-02-28 10:00:00"]),
    ("timestamp", ["2017-02-28T10:11:12Z", "2017-02-28T24:00:00", "2017-02-28T10:11:12.1234567"]),
    ("timestamptz", ["2017-02-28T10:11:12", "2017-02-28"]),
]


@pytest.mark.parametrize(("declared", "text"), [(kind, text) for kind, texts in REFUSED for text in texts])
def test_text_that_is_not_exactly_its_type_is_a_reason_and_never_null(declared: str, text: str) -> None:
    found = judged(contract_of(c={"type": declared, "not_null": True}), c=[text])
    assert found.good.is_empty()
    assert found.bad["reasons"].to_list() == [[f'c: "{text}" is not a {declared}']]


def test_a_bad_row_has_every_reason_and_its_record_as_delivered() -> None:
    contract = contract_of(
        id={"type": "bigint", "not_null": True},
        quantity={"type": "integer", "at_least": 1, "delivered_as": "Qty"},
        country={"type": "string", "length": 2, "in": ["DE", "FR"]},
    )
    found = judged(contract, id=[None, "1"], Qty=["0", "1"], country=["XXX", None])
    assert found.good.select("id", "quantity", "country").rows() == [(1, 1, None)]
    (bad,) = found.bad.to_dicts()
    assert bad["_row"] == 1
    assert bad["reasons"] == [
        "id_not_null: id has a value. Found NULL.",
        "quantity_in_range: quantity is at least 1. Found 0.",
        "country_in_set: country is one of DE, FR. Found XXX.",
        "country_length: country has exactly 2 characters. Found XXX.",
    ]
    assert bad["record"] == '{"id":null,"Qty":"0","country":"XXX"}'


def test_a_warning_is_counted_and_keeps_the_row() -> None:
    contract = contract_of(c={"type": "string", "pattern": "[a-z]+", "severity": "warn"})
    found = judged(contract, c=["ab", "AB", "a1"])
    assert found.good.height == 3
    assert found.warned == {"c_matches": 2}


def test_columns_that_the_contract_does_not_know_are_kept_as_json() -> None:
    contract = contract_of(c={"type": "bigint"})
    found = judged(contract, c=["1", "2"], new=["x", None], Other=["", "y"])
    assert found.good.columns == ["c", "_row", "_extra"]
    assert found.good["_extra"].to_list() == ['{"new":"x","Other":""}', '{"new":null,"Other":"y"}']
    assert judged(contract, c=["1"]).good["_extra"].to_list() == [None]


@pytest.mark.parametrize(
    ("declared", "bounds", "values", "good"),
    [
        ("decimal(10,2)", {"above": 0.005}, ["0.00", "0.01"], ["0.01"]),
        ("date", {"at_least": "2017-01-01"}, ["2016-12-31", "2017-01-01"], ["2017-01-01"]),
        ("bigint", {"in": [1, 2]}, ["2", "3"], ["2"]),
        ("string", {"in": [0, "A"]}, ["0", "1", "A"], ["0", "A"]),
        ("double", {"below": 1, "at_least": 0}, ["0", "1", "-1"], ["0"]),
        ("decimal(4,2)", {"in": [1.1]}, ["1.10", "1.20"], ["1.10"]),
    ],
)
def test_bounds_are_compared_as_the_declared_type(
    declared: str, bounds: dict[str, Any], values: list[str], good: list[str]
) -> None:
    found = judged(contract_of(c={"type": declared, **bounds}), c=values)
    kept = [values[row - 1] for row in found.good["_row"]]
    assert kept == good


def test_a_bound_that_is_not_of_the_column_s_type_is_the_author_s_mistake() -> None:
    with pytest.raises(UserError, match="compares a column of type date with 'soon'"):
        judged(contract_of(c={"type": "date", "at_least": "soon"}), c=["2017-01-01"])


def test_a_column_of_which_nothing_can_be_read_is_retyped_and_one_bad_value_is_not() -> None:
    contract = contract_of(c={"type": "bigint"})
    assert judged(contract, c=["a", "b", None]).retyped == {"c": "a"}
    assert judged(contract, c=["a", "2"]).retyped == {}
    assert judged(contract, c=["a"]).retyped == {}
    assert judged(contract, c=["a", "b", *[None] * 9]).retyped == {}


def test_typed_values_are_widened_and_those_that_do_not_fit_are_refused() -> None:
    contract = contract_of(
        a={"type": "bigint"}, b={"type": "decimal(6,2)"}, c={"type": "timestamp"}, d={"type": "double"}
    )
    found = judged(
        contract,
        as_text=False,
        a=pl.Series([1, 2], dtype=pl.Int32),
        b=[3, 10_000],
        c=[date(2017, 1, 1), None],
        d=pl.Series([0.5, 0.25], dtype=pl.Float32),
    )
    assert found.good.rows() == [(1, Decimal("3.00"), datetime(2017, 1, 1), 0.5, 1, None)]  # noqa: DTZ001 naive
    assert found.bad["reasons"].to_list() == [['b: "10000" is not a decimal(6,2)']]


def test_the_schema_is_one_that_analysts_can_validate_frames_with() -> None:
    schema = pandera_schema(contract_of(c={"type": "bigint", "not_null": True, "at_most": 5}))
    assert schema.validate(pl.DataFrame({"c": [1, 5], "more": ["x", "y"]})).height == 2
    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        schema.validate(pl.DataFrame({"c": [6, None]}), lazy=True)
    assert set(caught.value.failure_cases["check"]) == {"c_not_null", "c_in_range"}


def test_a_warning_of_the_schema_warns_analysts() -> None:
    schema = pandera_schema(contract_of(c={"type": "bigint", "at_most": 5, "severity": "warn"}))
    with pytest.warns(pandera.errors.SchemaWarning):
        schema.validate(pl.DataFrame({"c": [6]}))
