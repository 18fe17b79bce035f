"""The server as a whole: who leaves, who comes at once, what is new, how it stops."""

import http.client
import json
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mart_platform.serving.running import Listening
from mart_platform.spec.problems import UserError
from mart_platform_tests.serving.house import ADA, HOLD, House, ServedShop, copy_of

COUNT = "SELECT count(*) AS n FROM orders.order_line"
NEW_ORDER = """\
order_id,line,customer_id,product,quantity,price,status,ordered_at,exported_at
100099,1,C2,chair,1,89.00,shipped,2026-10-03 16:20:00,2026-10-04 02:00:00
"""


def comes_true(condition: Callable[[], bool]) -> bool:
    """Return whether something becomes true; how soon is not what is tested."""
    until = time.monotonic() + 30
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_a_client_that_leaves_cancels_its_query(own_house: House) -> None:
    body = json.dumps({"sql": f"SELECT {HOLD}"}).encode()
    with socket.create_connection(("127.0.0.1", own_house.port)) as client:
        head = (
            "POST /v1/query HTTP/1.1\r\nHost: here\r\n"
            f"Authorization: Basic {b64encode(':'.join(ADA).encode()).decode()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        client.sendall(head.encode() + body)
        assert own_house.queries.holds.wait(30)
    assert own_house.queries.was_cancelled.wait(30)


def test_a_head_without_end_is_cut_off(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.port), timeout=30) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: here\r\nX-Long: ")
        with pytest.raises((ConnectionError, BrokenPipeError)):  # noqa: PT012 - when it ends is the server's choice
            for _ in range(1000):
                client.sendall(b"x" * 8192)
            client.recv(1)
    assert house.get("/health", by=None).status == 200


def test_nobody_takes_all_connections_alone(own_house: House) -> None:
    here, elsewhere = ("127.0.0.1", own_house.port), ("127.0.0.2", 0)
    with ExitStack() as opened:
        for _ in range(1100):
            opened.enter_context(socket.create_connection(here, timeout=5))
        other = opened.enter_context(socket.create_connection(here, timeout=5, source_address=elsewhere))
        other.sendall(b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n")
        assert other.recv(100).startswith(b"HTTP/1.1 200")


def test_sixteen_clients_are_answered_at_once(house: House) -> None:
    expected = house.query(COUNT).rows
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: house.query(COUNT).rows, range(64)))
    assert answers == [expected] * 64


def test_one_who_waits_holds_up_nobody(own_house: House) -> None:
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(own_house.query, f"SELECT 1 AS one, {HOLD}")
        assert own_house.queries.holds.wait(30)
        assert own_house.get("/health", by=None).status == 200
        assert own_house.query("SELECT 2 AS two").rows == [{"two": 2}]
        own_house.queries.lets_go.set()
        assert waiting.result(30).rows == [{"one": 1, "held": "hold"}]


def test_it_stops_when_the_running_queries_have_ended(own_house: House) -> None:
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(own_house.query, f"SELECT 1 AS one, {HOLD}")
        assert own_house.queries.holds.wait(30)
        own_house.server.stop()
        assert comes_true(lambda: refuses_connections(own_house.port))
        assert not own_house.is_closed
        own_house.queries.lets_go.set()
        assert waiting.result(30).rows == [{"one": 1, "held": "hold"}]
    assert comes_true(lambda: own_house.is_closed)


def test_a_query_that_never_ends_is_cancelled_in_the_end(published_shop: ServedShop, tmp_path: Path) -> None:
    impatient = Listening("127.0.0.1", 0, patience=1)
    with (
        House(copy_of(published_shop, tmp_path / "shop"), impatient) as house,
        ThreadPoolExecutor(1) as client,
    ):
        waiting = client.submit(house.query, f"SELECT 1 AS one, {HOLD}")
        assert house.queries.holds.wait(30)
        house.server.stop()
        assert house.queries.was_cancelled.wait(30)
        assert waiting.exception(30) or waiting.result().status >= 500
        assert comes_true(lambda: house.is_closed)


def test_a_new_publication_is_seen_while_an_old_query_ends_on_its_own(own_house: House) -> None:
    shop, before = own_house.shop, own_house.query(COUNT)
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(own_house.query, COUNT.replace("count(*) AS n", f"count(*) AS n, {HOLD}"))
        assert own_house.queries.holds.wait(30)
        shop.deliver("orders", "2026-10-04.csv", NEW_ORDER)
        shop.build()
        number = f"orders={shop.live.number}"
        assert number != before.headers["mart-versions"]
        assert comes_true(lambda: own_house.query(COUNT).headers["mart-versions"] == number)
        own_house.queries.lets_go.set()
        assert waiting.result(30).headers["mart-versions"] == before.headers["mart-versions"]


def test_a_changed_folder_is_seen_and_sessions_stay(own_house: House) -> None:
    assert own_house.get("/v1/marts").json[0]["title"] == "Orders"
    own_house.shop.edit("marts/orders/mart.yaml", "title: Orders", "title: All orders")
    assert comes_true(lambda: own_house.get("/v1/marts").json[0]["title"] == "All orders")


def test_mistakes_in_the_folder_change_nothing(own_house: House) -> None:
    digest = own_house.declared().digest
    own_house.shop.edit("marts/orders/mart.yaml", "title: Orders", "titel: Orders")
    own_house.declared.forget()
    own_house.declared.look()
    assert own_house.declared().digest == digest
    assert own_house.query(COUNT).status == 200


def test_two_servers_do_not_share_an_address(
    house: House, published_shop: ServedShop, tmp_path: Path
) -> None:
    second = House(copy_of(published_shop, tmp_path / "shop"), Listening("127.0.0.1", house.port))
    with pytest.raises(UserError, match="Nothing can listen"):
        second.server.run()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "marts.example.com"])
def test_others_may_not_reach_it_without_encryption(host: str) -> None:
    with pytest.raises(UserError, match="without TLS"):
        Listening(host, 0).refuse_plain_text()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_may_reach_it_as_it_is(host: str) -> None:
    Listening(host, 0).refuse_plain_text()


def test_behind_a_proxy_only_what_came_over_tls_is_answered(
    published_shop: ServedShop, tmp_path: Path
) -> None:
    listening = Listening("127.0.0.1", 0, proxy="127.0.0.1")
    with House(copy_of(published_shop, tmp_path / "shop"), listening) as house:
        assert house.get("/v1/marts").json["code"] == "not_encrypted"
        assert house.get("/health", by=None).status == 200
        told = house.get("/v1/marts", X_Forwarded_Proto="https", X_Forwarded_For="192.0.2.1")
        assert told.status == 200
        assert "strict-transport-security" in told.headers


def test_what_others_say_of_tls_is_not_believed(published_shop: ServedShop, tmp_path: Path) -> None:
    listening = Listening("127.0.0.1", 0, proxy="192.0.2.9")
    with House(copy_of(published_shop, tmp_path / "shop"), listening) as house:
        assert house.get("/v1/marts", X_Forwarded_Proto="https").json["code"] == "not_encrypted"


def test_over_tls_the_session_cookie_is_for_this_server_alone(
    published_shop: ServedShop, tmp_path: Path
) -> None:
    certificate, key = self_signed(tmp_path)
    listening = Listening("127.0.0.1", 0, certificate, key)
    with House(copy_of(published_shop, tmp_path / "shop"), listening) as house:
        assert house.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate))
        client = http.client.HTTPSConnection("127.0.0.1", house.port, timeout=30, context=trusting)
        form = f"name={ADA[0]}&secret={ADA[1]}"
        client.request("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
        response = client.getresponse()
        cookie = response.getheader("set-cookie") or ""
        client.close()
    assert response.status == 303
    assert cookie.startswith("__Host-mart=")
    assert {"HttpOnly", "SameSite=strict", "Secure", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_a_certificate_that_cannot_be_used_is_told(published_shop: ServedShop, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate", encoding="utf-8")
    listening = Listening("127.0.0.1", 0, broken, broken)
    with pytest.raises(UserError, match=r"broken\.pem cannot be used"):
        House(copy_of(published_shop, tmp_path / "shop"), listening)


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1, and its key."""

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "door.pem", folder / "door.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, unencrypted))
    return files
