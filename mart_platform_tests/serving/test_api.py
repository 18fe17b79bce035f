"""The API: what goes in, what comes out, and what is said when nothing does."""

import io
import json
import logging

import polars as pl
import pytest
from starlette.routing import Route

from mart_platform.serving import api, openapi, pages
from mart_platform_tests.serving.house import ADA, BEN, BUG, BUSY, UNWRITABLE, Got, House

LINES = "SELECT order_id, line, net_amount FROM orders.order_line ORDER BY order_id, line"


def frame_of(got: Got, form: str) -> pl.DataFrame:
    read = {"arrow": pl.read_ipc_stream, "csv": pl.read_csv, "parquet": pl.read_parquet}
    assert got.status == 200, got.text
    return read[form](io.BytesIO(got.body)) if form in read else pl.DataFrame(got.rows)


@pytest.mark.parametrize("form", ["arrow", "json", "csv", "parquet"])
def test_each_form_holds_the_rows(house: House, form: str) -> None:
    got = house.send("POST", f"/v1/query?format={form}", ADA, json={"sql": LINES})
    frame = frame_of(got, form)
    owned = house.shop.ask(LINES)
    assert frame.columns == ["order_id", "line", "net_amount"]
    assert [str(row[0]) for row in frame.iter_rows()] == [row[0] for row in owned]
    assert int(got.headers["mart-rows"]) == frame.height == len(owned)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/html;q=0.9, application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("text/csv;q=0.1, application/vnd.apache.parquet;q=0.7", "application/vnd.apache.parquet"),
    ],
)
def test_the_form_follows_what_is_accepted(house: House, accept: str, media: str) -> None:
    got = house.send("POST", "/v1/query", ADA, json={"sql": LINES}, headers={"Accept": accept})
    assert (got.status, got.headers["content-type"]) == (200, media)


def test_a_form_that_there_is_not_is_refused(house: House) -> None:
    assert house.send("POST", "/v1/query?format=xlsx", ADA, json={"sql": LINES}).status == 400
    assert (
        house.send("POST", "/v1/query", ADA, json={"sql": LINES}, headers={"Accept": "text/html"}).status
        == 406
    )


def test_an_answer_says_what_it_rests_on(house: House) -> None:
    got = house.query(LINES)
    assert got.headers["mart-versions"] == f"orders={house.shop.live.number}"
    assert float(got.headers["mart-price"].removesuffix(" EUR")) >= 0
    assert got.headers["cache-control"] == "no-store"
    receipt = house.get(f"/v1/receipts/{got.headers['mart-receipt']}").json
    assert receipt["versions"] == {"orders": house.shop.live.number}
    assert receipt["rows"] == int(got.headers["mart-rows"])


def test_a_receipt_is_for_who_asked(house: House) -> None:
    identity = house.query("SELECT 1 AS one").headers["mart-receipt"]
    others, missing = house.get(f"/v1/receipts/{identity}", BEN), house.get("/v1/receipts/none", BEN)
    assert (others.status, others.body) == (404, missing.body)


def test_parameters_and_versions_reach_the_query(house: House) -> None:
    sql = "SELECT count(*) AS n FROM orders.order_line WHERE line = $line"
    number = str(house.shop.live.number)
    found = house.query(sql, parameters={"line": 1}, versions={"orders": number})
    assert found.rows == [{"n": house.shop.ask(sql.replace("$line", "1"))[0][0]}]


def test_an_estimate_says_what_a_query_will_cost(house: House) -> None:
    told = house.send("POST", "/v1/estimate", ADA, json={"sql": LINES}).json
    assert told.keys() == {"cpu_seconds", "bytes_read", "price", "currency", "runs"}
    assert told["currency"] == "EUR"


def test_who_says_nothing_is_told_how_to(house: House) -> None:
    got = house.get("/v1/marts", by=None)
    assert got.status == 401
    assert "Basic" in got.headers["www-authenticate"]
    assert "Bearer" in got.headers["www-authenticate"]


def test_a_wrong_name_and_a_wrong_secret_look_the_same(house: House) -> None:
    wrong_secret = house.get("/v1/marts", ("ada", "wrong-secret-of-hers"))
    wrong_name = house.get("/v1/marts", ("nobody", "wrong-secret-of-hers"))
    assert wrong_secret.status == wrong_name.status == 401
    assert wrong_secret.body == wrong_name.body


@pytest.mark.parametrize("said", ["Basic", "Basic !!", "Basic YWRh", "Digest x", "Bearer", "Basic /w=="])
def test_a_header_that_says_nobody_lets_nobody_in(house: House, said: str) -> None:
    assert house.get("/v1/marts", by=None, Authorization=said).status in (401, 429)


def test_the_session_says_who_asks(house: House) -> None:
    told = house.get("/v1/session").json
    assert (told["principal"], told["kind"], told["roles"]) == ("ada", "person", ["orders.shop_management"])


def test_what_is_hidden_and_what_is_missing_look_the_same(house: House) -> None:
    for path in ("/v1/marts/orders/tables/{}", "/v1/marts/{}"):
        hidden = house.get(path.format("customer"), BEN)
        missing = house.get(path.format("nothing"), BEN)
        assert (hidden.status, hidden.body) == (missing.status, missing.body) == (404, missing.body)


def test_the_catalogue_has_columns_with_their_masks(house: House) -> None:
    (card,) = house.get("/v1/marts").json
    assert card["mart"] == "orders"
    assert card["live"]["number"] == house.shop.live.number
    columns = {
        column["name"]: column for column in house.get("/v1/marts/orders/tables/customer").json["columns"]
    }
    assert columns["email"]["labels"] == ["email"]
    assert columns["email"]["mask"] == "redact"
    assert columns["country"]["mask"] == "clear"
    assert columns["email"]["lineage"] == ["canonical.customer.email"]
    page = house.get("/v1/marts/orders").json
    assert [question["ask"] for question in page["questions"]] == [
        "How much was ordered per day and country?"
    ]


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        (f"SELECT 1 {BUSY}", 429, "busy"),
        (f"SELECT 1 {UNWRITABLE}", 503, "audit_unavailable"),
        ("SELECT * FROM orders.nothing", 404, "unknown_table"),
        (f"SELECT 1 {BUG}", 500, "our_bug"),
    ],
)
def test_what_goes_wrong_has_a_status_and_a_code(house: House, sql: str, status: int, code: str) -> None:
    got = house.query(sql)
    assert (got.status, got.json["code"]) == (status, code)
    assert got.json.keys() == {"code", "message", "remedy"}
    assert ("retry-after" in got.headers) == (status in (429, 503))


def test_nobody_is_told_what_an_exception_said(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        got = house.query(f"SELECT 1 {BUG}")
    logged = json.dumps([vars(record) for record in caplog.records], default=str)
    assert "ada@example.com" not in got.text + logged
    assert "RuntimeError" in logged


def test_the_log_names_no_query_and_no_secret(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        house.query("SELECT 'a value of mine' AS mine")
        house.get("/v1/marts?secret=hidden")
    assert not logging.getLogger("uvicorn.access").propagate  # pytest hears it all the same
    heard = [vars(record) for record in caplog.records if record.name != "uvicorn.access"]
    logged = json.dumps(heard, default=str)
    assert "/v1/query" in logged
    assert not any(text in logged for text in ("a value of mine", "hidden", ADA[1]))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"sql": 1}', b'{"sql": "SELECT 1", "whatever": "4711"}', b"\xff", b'{"sql": ""}']
)
def test_a_body_that_is_no_query_is_refused_without_its_values(house: House, body: bytes) -> None:
    got = house.send("POST", "/v1/query", ADA, body=body)
    assert (got.status, got.json["code"]) == (400, "wrong_request")
    assert "4711" not in got.text


def test_a_body_that_is_too_large_is_refused(house: House) -> None:
    assert house.send("POST", "/v1/query", ADA, body=b" " * 1_000_001).status == 413


def test_a_method_that_there_is_not_is_refused(house: House) -> None:
    got = house.send("DELETE", "/v1/query", ADA)
    assert (got.status, got.headers["allow"]) == (405, "POST")
    head = house.send("HEAD", "/v1/marts", ADA)
    assert (head.status, head.body) == (200, b"")


def test_anybody_may_know_that_the_server_is_well(house: House) -> None:
    got = house.get("/health", by=None)
    assert (got.status, got.json) == (200, {"live": True, "ready": True})


@pytest.mark.parametrize("path", ["/health", "/v1/marts", "/login", "/nowhere", "/static/pages.css"])
def test_every_answer_protects_the_browser(house: House, path: str) -> None:
    headers = house.get(path).headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "referrer-policy" in headers
    assert "server" not in headers


def test_every_route_of_the_api_is_described(house: House) -> None:
    document = house.get("/openapi.json", by=None).json
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    served = {
        (route.path, method) for route in api.ROUTES for method in route.methods or () if method != "HEAD"
    }
    assert described == served
    others = [route for route in (*openapi.ROUTES, *pages.ROUTES) if isinstance(route, Route)]
    assert not any(route.include_in_schema for route in others)


def test_the_description_refers_to_nothing_that_is_not_there(house: House) -> None:
    document = house.get("/openapi.json", by=None).json
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= document["components"]["schemas"].keys()
