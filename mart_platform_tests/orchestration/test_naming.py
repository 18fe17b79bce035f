import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.orchestration.naming import (
    check_names,
    owners,
    publication_key,
    refuse_taken_names,
    subject_of,
    table_key,
)
from mart_platform.spec.problems import UserError
from mart_platform_tests.orchestration.shop import Shop


@given(st.lists(st.text(min_size=1), unique=True))
def test_every_check_has_a_name_of_its_own_that_dagster_takes(names: list[str]) -> None:
    named = check_names(names)
    assert list(named) == names
    assert len(set(named.values())) == len(names)
    for name in named.values():
        dg.AssetCheckSpec(name, asset="table")
        assert name.replace("_", "a").isalnum()


def test_a_key_goes_back_to_what_it_stands_for() -> None:
    assert subject_of(table_key("orders.daily")) == "orders.daily"
    assert subject_of(publication_key("orders")) == "orders"


def test_a_contact_is_an_owner_when_it_is_an_address() -> None:
    assert owners("shop", "shop@example.com") == ["team:shop", "shop@example.com"]
    assert owners("shop", "https://chat.example.com/@shop") == ["team:shop"]


def test_a_table_cannot_take_the_name_of_the_publication(shop: Shop) -> None:
    tables = shop.places.warehouse / "marts" / "orders" / "tables"
    (tables / "publication.sql").write_text("SELECT customer_id FROM canonical.customer")
    (tables / "publication.yaml").write_text("table: orders.publication\ndescription: Books.\n")
    with pytest.raises(UserError, match="marts/orders: a table cannot be called 'publication'"):
        refuse_taken_names(shop.plan)
