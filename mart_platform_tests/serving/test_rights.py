"""What the door decides, as it looks from outside: who is let in, and who sees what."""

from datetime import timedelta

import pytest

from mart_platform.runs.access.credentials import issue_token, revoke_token, set_secret
from mart_platform_tests.serving.house import ADA, BEN, Browser, Got, House, forms


def bearer(house: House, token: str) -> Got:
    return house.get("/v1/session", by=None, Authorization=f"Bearer {token}")


def test_a_token_lets_in_until_it_is_revoked(house: House) -> None:
    shop = house.shop
    issued = issue_token(shop.platform, shop.plan, "ada", lasting=timedelta(days=1), by="test")
    assert bearer(house, issued.token).json["principal"] == "ada"
    revoke_token(shop.platform, issued.credential.id, by="test")
    assert bearer(house, issued.token).status == 401


def test_a_token_logs_in_a_browser(house: House) -> None:
    shop = house.shop
    issued = issue_token(shop.platform, shop.plan, "ada", lasting=timedelta(days=1), by="test")
    assert "<h1>Catalogue</h1>" in Browser(house).log_in(("", issued.token)).text


def test_a_changed_secret_ends_the_sessions_of_browsers(own_house: House) -> None:
    browser, shop = Browser(own_house), own_house.shop
    assert browser.log_in().status == 200
    set_secret(shop.platform, shop.plan, "ada", "another-staple-entirely", by="test")
    assert "/login" in forms(browser.open("/").text)


def test_who_fails_too_often_is_told_when_to_come_back(house: House) -> None:
    tries = [house.get("/v1/marts", ("mallory", f"wrong-secret-{n}")) for n in range(5)]
    assert tries[0].status == 401
    assert tries[-1].status == 429
    assert int(tries[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("form", ["SELECT * FROM {}", "SELECT 1 FROM {} WHERE x = 'a value'", "FROM {}"])
def test_a_hidden_and_a_missing_table_look_the_same(house: House, form: str) -> None:
    hidden, missing = (house.query(form.format(f"orders.{name}"), BEN) for name in ("customer", "nonesuch"))
    assert hidden.status == missing.status == 404
    assert hidden.text.replace("customer", "nonesuch") == missing.text


def test_masks_hold_in_every_form(house: House) -> None:
    emails = {email for (email,) in house.shop.ask("SELECT email FROM canonical.customer") if email}
    for form in ("json", "csv", "arrow"):
        path = f"/v1/query?format={form}"
        got = house.send("POST", path, ADA, json={"sql": "SELECT * FROM orders.customer"})
        assert got.status == 200
        assert not any(email.encode() in got.body for email in emails)


def test_a_page_says_what_was_masked(house: House) -> None:
    browser = Browser(house)
    browser.log_in()
    sql = {"sql": "SELECT email, full_name FROM orders.customer", "token": browser.token()}
    page = browser.submit("/query", sql).text
    assert "<strong>Masked:</strong>" in page
    assert "orders.customer.email" in page
