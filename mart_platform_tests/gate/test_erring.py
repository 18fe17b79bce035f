"""Of an error of the engine its kind is told, and no value, and no name but one that stands in the query."""

from dataclasses import dataclass

import pytest

from mart_platform.gate.erring import refused_by_engine, sentence_of
from mart_platform.gate.parsing import parse
from mart_platform_tests.gate.lake import Lake

QUESTION = parse("SELECT salary, s.bonus, 'x' AS region FROM sales.staff AS s")


class Ended(Exception):
    def __init__(self, code: str, text: str = "the engine's own text") -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Limits:
    seconds: float = 30.0
    rows: int = 1000
    memory: int | None = None


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (
            'Binder Error: Referenced column "salary" not found in FROM clause!\nCandidate bindings: "wage"',
            "unknown_column",
            "no column 'salary'",
        ),
        ('Binder Error: Referenced column "SALARY" not found', "unknown_column", "no column 'salary'"),
        ('Binder Error: Referenced column "wage" not found', "unknown_column", "no column that it names"),
        (
            'Binder Error: Table "s" does not have a column named "bonus"\n\nCandidate bindings: : "x"',
            "unknown_column",
            "no column 'bonus'",
        ),
        ('Binder Error: Referenced table "s" not found!', "unknown_column", "no column 's'"),
        (
            'Binder Error: Column "bonus" in EXCLUDE list not found in FROM clause',
            "unknown_column",
            "no column 'bonus'",
        ),
        (
            'Binder Error: Ambiguous reference to column name "region" (use: "a.region" or "b.region")',
            "ambiguous",
            "'region'",
        ),
        (
            'Binder Error: column "salary" must appear in the GROUP BY clause or be used in an aggregate',
            "not_grouped",
            "'salary'",
        ),
        (
            "Binder Error: No function matches the given name and argument types 'sum(VARCHAR)'",
            "types",
            "do not fit",
        ),
        ("Binder Error: Cannot compare values of type VARCHAR and INTEGER", "types", "do not fit"),
        ("Binder Error: something else", "binding", "cannot be understood"),
        ("Catalog Error: Table with name secrets does not exist", "binding", "cannot be understood"),
        ("Parser Error: syntax error", "binding", "cannot be understood"),
        ("Not implemented Error: Slice with steps", "binding", "cannot be understood"),
        ("Conversion Error: Could not convert string 'canary' to INT32", "conversion", "cannot be converted"),
        ("Out of Range Error: Overflow in addition of INT32 (987654 + 1)!", "out_of_range", "too large"),
        (
            "Invalid Input Error: More than one row returned by a subquery used as an expression",
            "many_rows",
            "more rows",
        ),
        (
            "Invalid Input Error: Values were not provided for the following prepared statement parameters: 1",
            "parameters",
            "parameters",
        ),
        ("Invalid Input Error: canary is not a regex", "invalid_input", "does not take"),
        ("Internal Error: /var/lib/canary.duckdb", "failed", "The query failed"),
        ("", "failed", "The query failed"),
    ],
)
def test_an_error_is_told_by_its_kind(text: str, code: str, said: str) -> None:
    refused = sentence_of(text, QUESTION)
    assert refused.code == code
    assert said in refused.sentence
    for hidden in ("canary", "wage", "987654", "secrets", "a.region", "VARCHAR"):
        assert hidden not in str(refused)


def test_the_engines_text_is_for_the_audit_log() -> None:
    refused = refused_by_engine(Ended("error", "Conversion Error: 'canary'"), QUESTION, Limits())
    assert refused.code == "conversion"
    assert refused.detail == "Conversion Error: 'canary'"
    assert "canary" not in str(refused)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("too_long", "longer than 30 seconds"),
        ("too_many_rows", "more than 1000 rows"),
        ("out_of_memory", "more memory than it may have"),
        ("cancelled", "was cancelled"),
        ("something", "was ended"),
    ],
)
def test_a_query_that_was_ended_is_told_which_limit_it_met(code: str, said: str) -> None:
    refused = refused_by_engine(Ended(code), QUESTION, Limits())
    assert refused.code == code
    assert said in refused.sentence
    assert refused.detail == "the engine's own text"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT nothing FROM sales.staff", "unknown_column"),
        ("SELECT s.nothing FROM sales.staff s", "unknown_column"),
        ("SELECT nothing.id FROM sales.staff s", "unknown_column"),
        ("SELECT * EXCLUDE (nothing) FROM sales.staff", "unknown_column"),
        ("SELECT region FROM sales.staff, sales.shops", "ambiguous"),
        ("SELECT id, count(*) FROM sales.staff", "not_grouped"),
        ("SELECT sum(region) FROM sales.staff", "types"),
        ("SELECT id FROM sales.staff WHERE tags > born", "types"),
        ("SELECT region::int FROM sales.staff", "conversion"),
        ("SELECT id + 2147483647 FROM sales.staff", "out_of_range"),
        ("SELECT (SELECT shop FROM sales.shops) FROM sales.staff", "many_rows"),
        ("SELECT regexp_matches(region, '(') FROM sales.staff", "invalid_input"),
        ("SELECT id FROM sales.staff WHERE id = $1", "parameters"),
    ],
)
def test_the_engines_errors_have_their_kinds(lake: Lake, sql: str, code: str) -> None:
    outcome = lake.ask(sql)
    assert outcome[:2] == ("refused", code), outcome
