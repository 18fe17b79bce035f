from typing import Any

import pytest
from pydantic import ValidationError

from mart_platform.spec import checks
from mart_platform.spec.columns import Column
from mart_platform.spec.sources import Source, SourceTable
from mart_platform.spec.tables import Contract
from mart_platform.spec.words import Severity


def contract(**said: Any) -> Contract:
    return Contract.model_validate({"table": "canonical.x", "description": "A table.", **said})


def source_table(**said: Any) -> SourceTable:
    return SourceTable.model_validate({"description": "A.", "columns": {"a": {"type": "string"}}, **said})


def names(contract: Contract | SourceTable) -> list[str]:
    return [check.name for check in contract.all_checks()]


def test_a_key_is_filled_and_unique() -> None:
    assert names(contract(key=["a", "b"])) == ["a_not_null", "b_not_null", "key_unique"]


def test_a_key_that_is_declared_not_null_is_checked_for_it_once() -> None:
    assert names(contract(key=["a"], columns={"a": {"not_null": True}})) == ["key_unique", "a_not_null"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"kind": "incremental"}, "needs 'partition"),
        ({"kind": "full", "partition": {"column": "day"}}, "'partition' belongs to kind incremental"),
        ({"kind": "view", "partition": {"column": "day"}}, "'partition' belongs to kind incremental"),
        ({"kind": "upsert"}, "needs 'key'"),
        ({"kind": "scd2", "key": ["a"]}, "needs 'order_by'"),
        ({"kind": "upsert", "key": ["a"], "deleted": "gone"}, "'deleted' needs 'order_by'"),
        ({"order_by": "at"}, "belong to the kinds upsert and scd2"),
        ({"kind": "upsert", "key": ["a"], "order_by": "at", "tracked": ["b"]}, "belongs to kind scd2"),
    ],
)
def test_a_kind_needs_its_words_and_takes_no_others(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        contract(**said)


INCREMENTAL = {"kind": "incremental", "partition": {"column": "day"}}


def test_the_partition_of_an_incremental_table_is_never_null() -> None:
    """A row of no interval would be built again by no change."""
    [check] = contract(**INCREMENTAL).all_checks()
    assert check == checks.NotNull(name="day_not_null", says="day has a value.", column="day")
    assert check.blocks


@pytest.mark.parametrize(
    "said",
    [
        {"columns": {"day": {"not_null": True}}},
        {"checks": [{"name": "day_not_null", "says": "Each has a day.", "not_null": ["day"]}]},
        {"key": ["day"]},
    ],
)
def test_a_partition_that_is_declared_not_null_is_checked_for_it_once(said: dict[str, Any]) -> None:
    found = [check for check in contract(**INCREMENTAL, **said).all_checks() if check.kind == "not_null"]
    assert [check.name for check in found] == ["day_not_null"]


def test_a_warning_is_not_enough_for_a_partition() -> None:
    said = contract(**INCREMENTAL, columns={"day": {"not_null": True, "severity": "warn"}})
    assert [(check.name, check.blocks) for check in said.all_checks()] == [
        ("day_required", True),
        ("day_not_null", False),
    ]


def test_the_history_of_a_key_has_one_row_for_each_moment() -> None:
    said = contract(kind="scd2", key=["a"], order_by="at")
    assert names(said) == ["a_not_null", "valid_from_not_null", "key_unique"]
    assert [check.columns for check in said.all_checks() if check.kind == "unique"] == [("a", "valid_from")]


@pytest.mark.parametrize(
    ("said", "check"),
    [
        ({"not_null": True}, checks.NotNull(name="a_not_null", says="a has a value.", column="a")),
        ({"unique": True}, checks.Unique(name="a_unique", says="a is unique.", columns=("a",))),
        (
            {"in": ["DE", "NO"]},
            checks.OneOf(name="a_in_set", says="a is one of DE, NO.", column="a", values=("DE", "NO")),
        ),
        (
            {"at_least": 0, "below": 10},
            checks.InRange(
                name="a_in_range", says="a is at least 0 and below 10.", column="a", at_least=0, below=10
            ),
        ),
        (
            {"pattern": "[0-9]+"},
            checks.Matches(name="a_matches", says="a matches [0-9]+.", column="a", pattern="[0-9]+"),
        ),
        (
            {"length": 2},
            checks.HasLength(
                name="a_length", says="a has exactly 2 characters.", column="a", at_least=2, at_most=2
            ),
        ),
        (
            {"length": {"at_least": 1, "at_most": 3}},
            checks.HasLength(
                name="a_length", says="a has 1 to 3 characters.", column="a", at_least=1, at_most=3
            ),
        ),
        (
            {"references": "sales.dim_store.store_key"},
            checks.References(
                name="a_references",
                says="Each a is in sales.dim_store.store_key.",
                column="a",
                table="sales.dim_store",
                target="store_key",
            ),
        ),
    ],
)
def test_each_short_check_stands_for_a_check_with_a_name_and_a_sentence(
    said: dict[str, Any], check: checks.Check
) -> None:
    assert list(Column.model_validate(said).short_checks("a")) == [check]


def test_the_severity_of_a_column_holds_for_all_its_short_checks() -> None:
    column = Column.model_validate({"not_null": True, "unique": True, "severity": "warn"})
    assert {check.severity for check in column.short_checks("a")} == {Severity.WARN}
    assert not any(check.blocks for check in column.short_checks("a"))


def test_a_bound_of_zero_is_a_bound() -> None:
    assert [check.name for check in Column(at_least=0).short_checks("a")] == ["a_in_range"]


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"not_null": ["a"]}, "not_null"),
        ({"unique": ["a", "b"]}, "unique"),
        ({"rows": {"at_least": 1}}, "row_count"),
        ({"sum": "a", "equals": {"table": "s.t", "sum": "b"}, "within": 0.01}, "sum_equals"),
        ({"fresh": {"column": "a", "within": "2d"}}, "fresh"),
        ({"returns_no_row": "SELECT 1 WHERE false"}, "no_row"),
    ],
)
def test_each_form_of_a_check_of_the_table_is_compiled(form: dict[str, Any], kind: str) -> None:
    said = contract(checks=[{"name": "c", "says": "Holds.", "severity": "warn", **form}])
    (check,) = said.all_checks()
    assert (check.name, check.says, check.kind, check.blocks) == ("c", "Holds.", kind, False)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"kind": "incremental"}, "kind incremental needs 'partition"),
        ({"kind": "upsert"}, "kind upsert needs 'key'"),
        ({"kind": "scd2"}, "kind scd2 needs 'key'"),
        ({"checks": [{"name": "c", "says": "x"}]}, "exactly one of .*; found none"),
        ({"checks": [{"name": "c", "says": "x", "unique": ["a"], "rows": {}}]}, "exactly one of"),
        ({"checks": [{"name": "c", "says": "x", "sum": "a"}]}, "'sum' and 'equals' go together"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        contract(**said)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"key": ["b"]}, "'b' is not among the columns: a"),
        ({"event_time": {"column": "b"}}, "'b' is not among the columns: a"),
        ({"columns": {"a": {"type": "string", "references": "s.t.c"}}}, "'references' cannot be checked"),
        (
            {"checks": [{"name": "c", "says": "x", "returns_no_row": "SELECT 1"}]},
            "check 'c' cannot be run on a delivery alone",
        ),
    ],
)
def test_a_delivery_promises_only_what_it_holds_itself(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        source_table(**said)


def test_the_key_of_a_source_may_repeat() -> None:
    assert names(source_table(key=["a"])) == []


def test_a_table_of_a_source_has_the_options_of_the_source_with_its_own_over_them() -> None:
    source = Source.model_validate(
        {
            "source": "shop",
            "description": "A shop.",
            "owner": {"team": "a", "contact": "b"},
            "connector": "files",
            "options": {"glob": "*.csv", "separator": ";"},
            "tables": {"orders": {**source_table().model_dump(), "options": {"separator": ","}}},
        }
    )
    assert source.options_of("orders") == {"glob": "*.csv", "separator": ","}


def test_two_checks_of_the_same_thing_share_their_fingerprint_whatever_they_are_called() -> None:
    first = checks.NotNull(name="a", says="b", column="x")
    second = checks.NotNull(name="c", says="d", column="x", severity=Severity.WARN)
    other = checks.NotNull(name="a", says="b", column="y")
    assert first.fingerprint == second.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"type": "double", "at_least": float("nan")}, "'at_least' is nan"),
        ({"type": "double", "below": float("inf")}, "'below' is inf"),
        ({"type": "integer", "at_least": 10, "at_most": 1}, "no value is 10 or more and 1 or less"),
        ({"type": "string", "length": -1}, "greater than or equal to 0"),
        (
            {"type": "string", "length": {"at_least": 3, "at_most": 2}},
            "no length is at least 3 and at most 2",
        ),
    ],
)
def test_a_check_that_no_value_could_keep_is_refused(said: dict[str, Any], found: str) -> None:
    with pytest.raises(ValidationError, match=found):
        source_table(columns={"a": said})
