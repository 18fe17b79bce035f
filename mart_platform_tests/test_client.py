"""The client of the door, against a real server; and alone, as it is copied into other programs."""

import asyncio
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mart_platform import client
from mart_platform.client import (
    MartError,
    NotConnected,
    OverBudget,
    Progress,
    QueryRefused,
    Session,
    Unreachable,
    connect,
)
from mart_platform_tests.serving.house import ADA, BUSY, HOLD, UNWRITABLE, House, open_shop

LINES = "SELECT order_id, line, ordered_on, net_amount FROM orders.order_line ORDER BY order_id, line"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(open_shop(tmp_path_factory.mktemp("client") / "shop")) as house:
        yield house


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    with connect(house.url, user=ADA[0], secret=ADA[1]) as session:
        yield session


def test_an_answer_becomes_a_polars_frame(house: House, session: Session) -> None:
    answer = session.query(LINES)
    assert answer.polars().rows() == house.shop.ask(LINES)
    assert len(answer) == answer.polars().height
    assert answer.versions == {"orders": house.shop.live.number}


def test_every_kind_of_frame_holds_the_same_rows(session: Session) -> None:
    answer = session.query(LINES)
    expected = answer.polars().to_dicts()
    assert answer.rows() == expected
    if client._is_installed("pyarrow"):
        assert answer.arrow().to_pylist() == expected
    if client._is_installed("pyarrow") and client._is_installed("pandas"):
        assert list(answer.pandas()["order_id"]) == [row["order_id"] for row in expected]


def test_parameters_are_given_beside_the_text(house: House, session: Session) -> None:
    by_name = session.query("SELECT count(*) AS n FROM orders.order_line WHERE line = $line", {"line": 1})
    by_place = session.query("SELECT count(*) AS n FROM orders.order_line WHERE line = ?", [1])
    assert by_name.rows() == by_place.rows()
    with pytest.raises(TypeError, match="not one text"):
        session.query("SELECT ?", "1")


def test_a_receipt_is_there_when_it_is_read(house: House, session: Session) -> None:
    answer = session.query(LINES, receipt=True)
    assert answer.receipt["rows"] == len(answer)
    assert answer.receipt["answer"]
    assert answer.receipt["versions"] == answer.versions


def test_the_catalogue_can_be_read(session: Session) -> None:
    assert [mart["mart"] for mart in session.marts()] == ["orders"]
    assert set(session.tables("orders")) == set(session.tables())
    assert "orders.daily" in session.tables()
    assert session.mart("orders")["card"]["title"] == "Orders"
    assert session.table("orders.customer")["name"] == "orders.customer"
    assert session.whoami()["principal"] == "ada"
    assert session.estimate(LINES)["currency"] == "EUR"


def test_each_refusal_is_an_exception_that_says_what_to_do(house: House, session: Session) -> None:
    with pytest.raises(QueryRefused) as unknown:
        session.query("SELECT * FROM orders.nothing")
    assert (unknown.value.code, unknown.value.status) == ("unknown_table", 404)
    with pytest.raises(OverBudget, match=r"Try again later\.") as busy:
        session.query(f"SELECT 1 {BUSY}")
    assert busy.value.retry_after
    with pytest.raises(Unreachable) as unwritable:
        session.query(f"SELECT 1 {UNWRITABLE}")
    assert unwritable.value.code == "audit_unavailable"
    with pytest.raises(NotConnected), connect(house.url, user="ben", secret="wrong-secret") as stranger:
        stranger.marts()


def test_nobody_there_is_told_as_such() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        pytest.raises(Unreachable, match="does not answer"),
        connect(f"http://127.0.0.1:{port}", token="t") as alone,
    ):
        alone.marts()


def test_a_connection_is_used_again(house: House, session: Session) -> None:
    session.marts()
    kept = session._wire._idle[0]
    session.marts()
    session.query(LINES)
    assert list(session._wire._idle) == [kept]


def test_a_kept_connection_that_the_server_has_ended_is_no_failure(session: Session) -> None:
    session.marts()
    kept = session._wire._idle[0].sock
    assert kept is not None
    kept.shutdown(socket.SHUT_RDWR)
    assert session.marts()


def test_threads_share_a_session(house: House, session: Session) -> None:
    expected = session.query(LINES).rows()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: session.query(LINES).rows(), range(32)))
    assert answers == [expected] * 32


def test_it_works_while_an_event_loop_runs(session: Session) -> None:
    async def cell() -> int:
        return len(session.query(LINES))

    assert asyncio.run(cell()) > 0


def test_progress_is_told(session: Session) -> None:
    told: list[Progress] = []
    answer = session.query(LINES, progress=told.append)
    assert told[-1].arrived == told[-1].expected == len(answer._data)


def test_an_interrupt_cancels_the_query_at_the_server(house: House) -> None:
    program = (
        "from mart_platform.client import connect\n"
        f"session = connect({house.url!r}, user={ADA[0]!r}, secret={ADA[1]!r})\n"
        f"session.query({f'SELECT {HOLD}'!r})\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert house.queries.holds.wait(30)
    asking.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in asking.communicate(timeout=30)[1]
    assert house.queries.was_cancelled.wait(30)


def test_a_notebook_shows_the_first_rows_and_nothing_of_them_as_markup(session: Session) -> None:
    shown = session.query("SELECT '<b>' AS \"<i>\", 1 AS one FROM range(100)")._repr_html_()
    assert shown.count("<tr>") == 21
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "100 rows" in shown


def test_secrets_do_not_go_over_a_network_in_plain_text() -> None:
    with pytest.raises(ValueError, match="not encrypted"):
        connect("http://marts.example.com", token="t")
    connect("http://marts.example.com", token="t", allow_plain_text=True)


@pytest.mark.parametrize(
    "said",
    [{}, {"user": "ada"}, {"user": "ada", "secret": "s", "token": "t"}],
    ids=["nobody", "half", "both"],
)
def test_somebody_must_ask(said: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Say who asks"):
        connect("http://127.0.0.1", **said)  # type: ignore[arg-type]  # what a mistaken caller gives


@pytest.mark.parametrize("url", ["127.0.0.1:8800", "ftp://127.0.0.1", "http://", "http://a:b@127.0.0.1"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        connect(url, token="t")


class Proxy(http.server.BaseHTTPRequestHandler):
    """Answers whatever it is asked for, and remembers what that was."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        type(self).asked.append((self.path, self.headers.get("Proxy-Authorization")))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: Any) -> None:
        pass


def test_a_proxy_of_the_environment_is_used() -> None:
    Proxy.asked = []
    with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        program = (
            "from mart_platform.client import connect\n"
            "session = connect('http://marts.example.com', token='t', allow_plain_text=True)\n"
            "assert session.marts() == []\n"
        )
        environment = os.environ | {
            "http_proxy": f"http://me:secret@127.0.0.1:{server.server_port}",
            "no_proxy": "",
        }
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    assert Proxy.asked == [("http://marts.example.com:80/v1/marts", "Basic bWU6c2VjcmV0")]


def test_it_can_be_copied_and_needs_nothing_but_python(house: House, tmp_path: Path) -> None:
    copy = tmp_path / "marts.py"
    copy.write_bytes(Path(client.__file__).read_bytes())
    program = (
        "import sys, marts\n"
        "libraries = {'polars', 'pyarrow', 'pandas', 'arro3', 'mart_platform'} & set(sys.modules)\n"
        "assert not libraries, libraries\n"
        f"session = marts.connect({house.url!r}, user={ADA[0]!r}, secret={ADA[1]!r})\n"
        f"answer = session.query({LINES!r})\n"
        f"assert len(answer.rows()) == len(answer) > 0\n"
        "try:\n    answer.polars()\n"
        "except ImportError as error:\n    print(error)\n"
    )
    # -I leaves out the environment, -S what is installed.
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{program}",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "pip install polars" in ended.stdout


def test_the_token_of_the_environment_is_used(house: House) -> None:
    program = (
        "from mart_platform.client import MartError, connect\n"
        f"try:\n    connect({house.url!r}).whoami()\n"
        "except MartError as error:\n    print(error.code)\n"
    )
    environment = os.environ | {"MART_TOKEN": "mt_none"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout.strip() == "not_connected"


def test_all_its_exceptions_are_of_one_kind() -> None:
    assert all(issubclass(kind, MartError) for kind in (NotConnected, OverBudget, QueryRefused, Unreachable))
