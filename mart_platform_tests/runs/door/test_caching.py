"""Kept answers: what they depend on, and which one goes first."""

import dataclasses
from io import BytesIO
from typing import Any

import pytest

from mart_platform.gate.questions import Checked
from mart_platform.ports import Result
from mart_platform.runs.door.caching import Answers, key_of

CHECKED = Checked(
    sql="SELECT 1",
    versions={"sales": 12},
    reads={},
    filtered=(),
    masked={},
    fenced=False,
    bounded=True,
    ordered=False,
    keyed=False,
    policies="p1",
)


def result(content: bytes) -> Result:
    return Result({"a": "INTEGER"}, 1, len(content), 0.5, 0.5, lambda: BytesIO(content), lambda: None)


def content_of(kept: Result | None) -> bytes | None:
    if kept is None:
        return None
    with kept.open() as stream:
        return stream.read()


def test_an_answer_is_had_again_at_no_cost() -> None:
    answers = Answers(1000)
    assert content_of(answers.keep("q", result(b"rows"))) == b"rows"
    again = answers.of("q")
    assert content_of(again) == b"rows"
    assert again is not None
    assert again.cpu_seconds == 0.0


def test_the_answer_that_nobody_asked_for_the_longest_goes_first() -> None:
    answers = Answers(100)
    for name in "abcd":
        answers.keep(name, result(name.encode() * 25))
    answers.of("a")
    answers.keep("e", result(b"e" * 25))
    assert [name for name in "abcde" if answers.of(name)] == ["a", "c", "d", "e"]


def test_an_answer_that_is_too_large_is_given_and_not_kept() -> None:
    answers = Answers(100)
    assert content_of(answers.keep("q", result(b"x" * 26))) == b"x" * 26
    assert answers.of("q") is None


@pytest.mark.parametrize(
    "other",
    [{"sql": "SELECT 2"}, {"versions": {"sales": 13}}, {"versions": {"sale": 12}}, {"policies": "p2"}],
)
def test_an_answer_depends_on_the_query_the_versions_and_the_policy(other: dict[str, Any]) -> None:
    assert key_of(CHECKED, ()) != key_of(dataclasses.replace(CHECKED, **other), ())


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ((1,), (1.0,)),
        ((1,), (True,)),
        ((1,), ("1",)),
        ((1, 2), (2, 1)),
        ({"a": 1}, {"b": 1}),
        ((None,), ("None",)),
    ],
)
def test_an_answer_depends_on_the_parameters_and_their_types(one: Any, another: Any) -> None:
    assert key_of(CHECKED, one) != key_of(CHECKED, another)


def test_the_order_of_named_parameters_says_nothing() -> None:
    assert key_of(CHECKED, {"a": 1, "b": 2}) == key_of(CHECKED, {"b": 2, "a": 1})
