import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.spec.types import declared_type, duckdb_type

SIMPLE = ["boolean", "integer", "bigint", "double", "string", "date", "timestamp", "timestamptz", "binary"]
DECIMALS = st.integers(1, 38).flatmap(
    lambda precision: st.integers(0, precision).map(lambda scale: f"decimal({precision},{scale})")
)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    fields = st.lists(inner, min_size=1, max_size=3)
    return inner.map("list({})".format) | fields.map(
        lambda kinds: "struct(" + ", ".join(f"f{n} {kind}" for n, kind in enumerate(kinds)) + ")"
    )


@given(st.recursive(st.sampled_from(SIMPLE) | DECIMALS, nested, max_leaves=6))
def test_a_type_is_the_same_after_duckdb_has_named_it(declared: str) -> None:
    assert declared_type(duckdb_type(declared)) == declared


@pytest.mark.parametrize(
    ("declared", "duckdb"),
    [
        ("string", "VARCHAR"),
        ("decimal(18, 2)", "DECIMAL(18,2)"),
        ("list(struct(a integer, b decimal(4,1)))", 'STRUCT("a" INTEGER, "b" DECIMAL(4,1))[]'),
    ],
)
def test_a_declared_type_has_its_name_in_duckdb(declared: str, duckdb: str) -> None:
    assert duckdb_type(declared) == duckdb


@pytest.mark.parametrize(
    "declared", ["text", "decimal", "decimal(39,2)", "decimal(4,5)", "list()", "struct(a)", ""]
)
def test_what_is_no_type_is_refused(declared: str) -> None:
    with pytest.raises(ValueError, match=r"is not a type|a decimal has"):
        duckdb_type(declared)


@pytest.mark.parametrize("duckdb", ["HUGEINT", "UUID", "TIME", "INTERVAL", "HUGEINT[]", "STRUCT(a UUID)"])
def test_what_the_lake_cannot_hold_is_refused(duckdb: str) -> None:
    with pytest.raises(ValueError, match="cannot be stored in the lake; cast it"):
        declared_type(duckdb)
