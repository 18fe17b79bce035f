import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.reading.located_yaml import documents
from mart_platform.spec.problems import Problem


def read(text: str) -> Any:
    problems: list[Problem] = []
    found = documents(text, "a.yaml", problems)
    assert problems == []
    return found[0].value


def problems_of(text: str) -> list[str]:
    problems: list[Problem] = []
    documents(text, "a.yaml", problems)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    "text", ["NO", "no", "yes", "on", "off", "1_000", "12:30:45", "2026-10-01", "=", "<<", "0b11", "1.2.3"]
)
def test_what_yaml_1_1_would_read_as_something_else_is_a_text(text: str) -> None:
    assert read(f"value: {text}") == {"value": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-7", -7),
        ("007", 7),
        ("0o17", 15),
        ("0xff", 255),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'12'", "12"),
        ('"true"', "true"),
    ],
)
def test_scalars_are_those_of_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = read(f"value: {text}")["value"]
    assert (found, type(found)) == (value, type(value))


def test_not_a_number_is_read() -> None:
    assert math.isnan(read("value: .nan")["value"])


def test_each_field_has_the_line_of_its_key() -> None:
    text = "# a comment\nmart: sales\nowner:\n  team: a\nkeys: [a,\n  b]\nlist:\n  - x: 1\n"
    found = documents(text, "a.yaml", [])[0]
    assert found.lines == {
        (): 2,
        ("mart",): 2,
        ("owner",): 3,
        ("owner", "team"): 4,
        ("keys",): 5,
        ("keys", 0): 5,
        ("keys", 1): 6,
        ("list",): 7,
        ("list", 0): 8,
        ("list", 0, "x"): 8,
    }


def test_each_of_several_documents_has_its_own_lines() -> None:
    first, second = documents("---\na: 1\n---\nb: 2\n---\n", "a.yaml", [])
    assert (first.value, first.lines[("a",)]) == ({"a": 1}, 2)
    assert (second.value, second.lines[("b",)]) == ({"b": 2}, 4)


def test_a_key_that_is_given_twice_is_refused_and_the_first_one_kept() -> None:
    problems: list[Problem] = []
    found = documents("a: 1\nb:\n  c: 1\n  c: 2\n", "a.yaml", problems)
    assert found[0].value == {"a": 1, "b": {"c": 1}}
    assert [str(p) for p in problems] == ["a.yaml:4: 'c' stands here again, after line 3. Keep one of them."]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a: 1\nb: [1, 2", 2, "did not find expected ',' or ']'"),
        ("a:\n\tb: 1", 2, "cannot start any token"),
        ("a: 1\nb: 'x", 2, "unexpected end of stream"),
        ("a: \x01", 1, "control characters are not allowed (U+0001)"),
        ("a: *b", 1, "undefined alias"),
        ("a: &b [*b]", 1, "an alias (*name) repeats another part of the file"),
        ("a: &b [x]\nc: *b", 1, "an alias (*name) repeats another part of the file"),
        ("a: !python/object:os.system x", 1, "the tag !python/object:os.system means nothing here"),
        ("? [a]\n: 1", 1, "stands here as a key"),
        ("[" * 60 + "]" * 60, 1, "levels deep"),
        ("# only a comment\n", 1, "nothing is declared here"),
    ],
)
def test_a_mistake_is_a_problem_with_its_line(text: str, line: int, found: str) -> None:
    problems = problems_of(text)
    assert len(problems) == 1
    assert problems[0].startswith(f"a.yaml:{line}: ")
    assert found in problems[0]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abc 0:,-#'\"é\n"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc:# ", min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text("xyz", min_size=1), values, min_size=1))
def test_whatever_is_written_in_quotes_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    assert read(yaml.safe_dump(value, allow_unicode=True, sort_keys=False)) == value


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_at_all_raises(text: str) -> None:
    problems: list[Problem] = []
    found = documents(text, "a.yaml", problems)
    lines = len(text.splitlines()) + 1
    assert found or problems
    assert all(1 <= problem.place.line <= lines for problem in problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[" * 100_000, "nested more than"), ("a: " + "9" * 5000, "this number has too many digits")],
)
def test_a_text_that_would_break_the_parser_is_a_mistake_of_its_writer(text: str, said: str) -> None:
    problems: list[Problem] = []
    documents(text, "a.yaml", problems)
    assert said in str(problems[0])
