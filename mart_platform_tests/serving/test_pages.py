"""The pages, as a browser gets them: who may see what, and which forms count."""

import io

import polars as pl
import pytest

from mart_platform_tests.serving.house import ADA, BEN, BUSY, FORM, Browser, House, forms

LINES = "SELECT order_id, line FROM orders.order_line ORDER BY ALL"


def test_the_first_page_leads_to_the_login_and_back(browser: Browser) -> None:
    page = browser.open("/marts/orders").text
    assert forms(page)["/login"]["next"] == "/marts/orders"
    assert "Questions that it answers" in browser.log_in(next="/marts/orders").text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/x"]
)
def test_a_login_leads_nowhere_else(browser: Browser, elsewhere: str) -> None:
    assert "<h1>Catalogue</h1>" in browser.log_in(next=elsewhere).text


def test_a_wrong_secret_begins_no_session(house: House) -> None:
    browser = Browser(house)
    got = browser.log_in(("ada", "wrong-secret-of-hers"))
    assert got.status == 403
    assert "wrong-secret" not in got.text
    assert not browser.cookies


def test_the_cookie_is_out_of_reach_of_scripts(house: House) -> None:
    form = f"name={ADA[0]}&secret={ADA[1]}".encode()
    got = house.send("POST", "/login", body=form, headers={"Content-Type": FORM})
    (cookie,) = got.cookies
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_the_cookie_says_nothing_to_the_api(ada: Browser) -> None:
    assert ada.house.send("GET", "/v1/marts", headers=ada.as_headers()).status == 401


def test_after_the_logout_the_cookie_is_worth_nothing(ada: Browser) -> None:
    cookies = dict(ada.cookies)
    assert ada.submit("/logout", {"token": ada.token()}).status == 200
    ada.cookies = cookies
    assert "/login" in forms(ada.open("/").text)


@pytest.mark.parametrize("path", ["/query", "/query/download", "/logout"])
def test_a_form_without_the_token_of_the_session_is_refused(ada: Browser, path: str) -> None:
    assert ada.submit(path, {"sql": LINES}).status == 403
    assert ada.submit(path, {"sql": LINES, "token": "guessed"}).status == 403


@pytest.mark.parametrize("path", ["/query", "/login", "/logout"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}]
)
def test_a_form_of_another_site_is_refused(ada: Browser, path: str, headers: dict[str, str]) -> None:
    fields = {"sql": LINES, "token": ada.token(), "name": ADA[0], "secret": ADA[1]}
    assert ada.submit(path, fields, **headers).status == 403


def test_what_is_no_form_is_refused(ada: Browser) -> None:
    assert ada.submit("/query", {"token": ada.token()}, Content_Type="text/plain").status == 415


def test_a_mart_page_tells_what_a_reader_wants_to_know(ada: Browser) -> None:
    page = ada.open("/marts/orders").text
    for told in ("shop-analytics", "shop-on-call", "weekly-report", "30 hours", "order_line", "version 1"):
        assert told in page


def test_a_table_page_tells_what_columns_mean_and_hide(ada: Browser) -> None:
    page = ada.open("/marts/orders/tables/customer").text
    assert "redact" in page
    assert "canonical.customer.email" in page
    assert "Money ordered on that day" in ada.open("/marts/orders/tables/daily").text


def test_hidden_and_missing_pages_look_the_same(browser: Browser) -> None:
    browser.log_in(BEN)
    hidden = browser.open("/marts/orders/tables/customer")
    missing = browser.open("/marts/orders/tables/nothing")
    assert (hidden.status, hidden.text) == (404, missing.text)
    assert "customer" not in browser.open("/").text
    assert "tables/customer" not in browser.open("/marts/orders").text


def test_a_search_finds_what_columns_mean(ada: Browser) -> None:
    assert "orders.daily.net_amount" in ada.open("/?q=money+ordered").text
    assert "Nothing that you may read" in ada.open("/?q=dinosaurs").text


def test_a_question_is_run_from_its_mart(ada: Browser) -> None:
    fields = forms(ada.open("/marts/orders").text)["/query"]
    page = ada.submit("/query", fields).text
    assert "What it rests on" in page
    assert "net_amount" in page
    assert f'<a href="/marts/orders">{ada.house.shop.live.number}</a>' in page


def test_an_answer_leads_to_its_receipt(ada: Browser) -> None:
    page = ada.submit("/query", {"sql": LINES, "token": ada.token()}).text
    receipt = ada.open("/receipts/" + page.split('href="/receipts/')[1].split('"')[0]).text
    assert "mart audit replay" in receipt
    assert "Asked by" in receipt


def test_an_estimate_is_shown_without_running(ada: Browser) -> None:
    page = ada.submit("/query", {"sql": LINES, "do": "estimate", "token": ada.token()}).text
    assert "<h2>Estimate</h2>" in page
    assert "What it rests on" not in page


def test_downloads_hold_all_rows(ada: Browser) -> None:
    fields, expected = {"sql": LINES, "token": ada.token()}, ada.house.shop.ask(LINES)
    csv = ada.submit("/query/download", {**fields, "format": "csv"})
    parquet = ada.submit("/query/download", {**fields, "format": "parquet"})
    assert csv.headers["content-disposition"].startswith("attachment")
    assert pl.read_csv(io.BytesIO(csv.body)).height == len(expected)
    assert pl.read_parquet(io.BytesIO(parquet.body)).height == len(expected)


def test_a_refusal_stands_beside_the_query(ada: Browser) -> None:
    got = ada.submit("/query", {"sql": f"SELECT 1 {BUSY}", "token": ada.token()})
    assert got.status == 429
    assert "All places are taken." in got.text
    assert "SELECT 1" in got.text


def test_nothing_that_is_sent_becomes_part_of_a_page(ada: Browser) -> None:
    script = "<script>alert(1)</script>"
    sent = [
        ada.submit("/query", {"sql": f"SELECT '{script}' AS x", "token": ada.token()}).text,
        ada.submit("/query", {"sql": script, "token": ada.token()}).text,
        ada.open("/?q=%3Cscript%3Ealert(1)%3C/script%3E").text,
        ada.open("/login?next=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text,
        Browser(ada.house).log_in((script, "wrong-secret-of-hers")).text,
    ]
    assert not any(script in page for page in sent)


def test_pages_hold_no_script_of_their_own(ada: Browser) -> None:
    for path in ("/", "/marts/orders", "/marts/orders/tables/daily", "/query", "/api", "/login", "/nowhere"):
        page = ada.open(path).text
        assert page.count("<script") == page.count("<script src=") == 2
        assert " style=" not in page
        assert " on" + "click=" not in page


def test_the_files_of_the_pages_are_there(house: House) -> None:
    for name in ("pages.css", "pages.js", "htmx.min.js", "htmx.LICENSE.txt", "icon.svg"):
        assert house.get(f"/static/{name}", by=None).status == 200
    assert house.get("/static/../app.py", by=None).status == 404
