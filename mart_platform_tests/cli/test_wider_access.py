"""Rights that show somebody more than before need a word; the commands tell who and what."""

from pathlib import Path

import pytest

from mart_platform_tests.cli.conftest import Mart

MORE = "role visitors would be new, and see bread.daily (held by nobody yet)"


@pytest.fixture
def opened(built_mart: Mart, bakery: Path) -> Mart:
    """A bakery that was built, and whose declarations let visitors in since."""
    assert built_mart("build", "-q").code == 0  # the folder was copied to where it is
    with (bakery / "marts" / "bread" / "access.yaml").open("a") as access:
        access.write("  visitors: {may_read: [daily]}\n")
    return built_mart


def test_a_build_tells_beforehand_who_would_see_more(opened: Mart) -> None:
    assert MORE in opened("build", "--dry-run").out.replace("\n", " ")
    foreseen = opened("build", "--dry-run", "--json").document
    assert foreseen["marts"] == {"bread": "its access rules are not those that were approved"}
    assert foreseen["wider_access"] == {"bread": [MORE]}


@pytest.mark.parametrize("command", [("build",), ("publish", "bread"), ("access", "approve", "bread")])
def test_what_would_show_more_is_refused_until_it_is_allowed(opened: Mart, command: tuple[str, ...]) -> None:
    refused = opened(*command)
    assert refused.code == 1
    assert MORE in (refused.out + refused.err).replace("\n", " ")
    assert opened(*command, "--allow-wider-access").code == 0
    assert opened("build").out.startswith("Nothing to do")


def test_an_approval_can_be_tried(opened: Mart) -> None:
    tried = opened("access", "approve", "bread", "--dry-run", "--json")
    assert (tried.code, tried.document["wider"]) == (0, [MORE])
    assert "access rules are not those" in opened("build", "--dry-run").out.replace("\n", " ")


def test_an_approval_of_what_holds_already_says_so(built_mart: Mart) -> None:
    assert "hold already" in built_mart("access", "approve", "bread").out
    assert built_mart("access", "approve", "loaf").code == 1


def test_explain_tells_which_labels_a_column_does_not_carry_and_why(built_mart: Mart, bakery: Path) -> None:
    source, daily = bakery / "sources" / "till" / "source.yaml", bakery / "marts" / "bread" / "tables"
    text = source.read_text()
    source.write_text(text.replace("price:    {", "price:    {label: margin, "))
    contract = daily / "daily.yaml"
    contract.write_text(
        contract.read_text().replace("  takings: {", "  takings: {label: {drop: margin, because: A sum.}, ")
    )
    assert "carries no label margin: A sum." in built_mart("explain", "bread.daily").out
