import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.spec.problems import InvalidDeclarations, Origin, Place, Problem, nearest


@pytest.mark.parametrize(
    ("name", "allowed", "remedy"),
    [
        ("prodct", ["product", "store"], "Did you mean 'product'?"),
        ("Product", ["product", "store"], "Did you mean 'product'?"),
        ("weather", ["product", "store"], "There is: product, store."),
        ("x", [], "There is none to choose from."),
        ("x", list("abcdefghi"), "There is: a, b, c, d, e, f, g, h, …."),
    ],
)
def test_the_nearest_name_is_suggested_or_all_are_listed(name: str, allowed: list[str], remedy: str) -> None:
    assert nearest(name, allowed) == remedy


@given(st.lists(st.from_regex(r"[a-z_]{3,12}", fullmatch=True), min_size=1, unique=True))
def test_an_allowed_name_is_nearest_to_itself(allowed: list[str]) -> None:
    assert nearest(allowed[0], allowed) == f"Did you mean '{allowed[0]}'?"


def test_a_field_without_a_line_of_its_own_stands_where_the_block_around_it_stands() -> None:
    origin = Origin("a.yaml", {(): 1, ("owner",): 3, ("owner", "team"): 4})
    assert str(origin.place("owner", "team")) == "a.yaml:4"
    assert str(origin.place("owner", "contact")) == "a.yaml:3"
    assert str(origin.place("title")) == "a.yaml:1"


def test_problems_are_told_once_each_and_in_the_order_of_the_files() -> None:
    later, earlier = Problem(Place("b.yaml", 2), "two."), Problem(Place("a.yaml", 9), "one.", "Do it.")
    assert str(InvalidDeclarations([later, earlier, later])) == "a.yaml:9: one. Do it.\nb.yaml:2: two."
