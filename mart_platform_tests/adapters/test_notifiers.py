import base64
import email
import email.policy
import json
import logging
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mart_platform.adapters.notifiers import CHANNELS, notifier
from mart_platform.ports import Notice, Notifier
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import NotifierSettings
from mart_platform_tests.fakes import KnownSecrets, RecordingNotifier

NOTICE = Notice(
    title="sales is late", text="Since 09:00, by 2 h 🛒", on_call="ana@bank.example", mart="sales"
)


def channel(name: str, secrets: Mapping[str, str] | None = None, **options: Any) -> Notifier:
    return notifier(NotifierSettings(channel=name, options=options), KnownSecrets(secrets or {}))


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


class Hook(ThreadingHTTPServer):
    """Keeps what is posted to it, and answers with ``status``."""

    status = 200

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _HookRequest)


class _HookRequest(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that it overrides)
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """Takes e-mail from anybody who logs in, and keeps it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.logins: list[bytes] = []
        self.recipients: list[str] = []
        super().__init__(("127.0.0.1", 0), _MailSession)


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline():
            command, _, argument = line.decode().strip().partition(" ")
            match command.upper():
                case "EHLO" | "HELO":
                    self._say("250-here\r\n250-SMTPUTF8\r\n250 AUTH PLAIN")
                case "AUTH":
                    self.server.logins.append(base64.b64decode(argument.removeprefix("PLAIN ")))
                    self._say("235 welcome")
                case "DATA":
                    self._say("354 go on")
                    self.server.mails.append(self._message())
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    if command.upper() == "RCPT":
                        self.server.recipients.append(argument)
                    self._say("250 fine")

    def _message(self) -> EmailMessage:
        lines = iter(self.rfile.readline, b".\r\n")
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    with serving(server):
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    with serving(server):
        yield server


@pytest.fixture(params=["log", "webhook", "email", "fake"])
def any_notifier(request: pytest.FixtureRequest, hook: Hook, mail: MailServer) -> Notifier:
    match request.param:
        case "webhook":
            return channel("webhook", url=f"http://127.0.0.1:{hook.server_address[1]}/")
        case "email":
            return email_by(mail)
        case "fake":
            return RecordingNotifier()
        case name:
            return channel(name)


def email_by(mail: MailServer, **options: Any) -> Notifier:
    secrets = {"MAIL": "p@ss/w%41rd: +"}
    base: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": mail.server_address[1],
        "security": "none",
        "from": "mart@bank.example",
        "to": ["ana@bank.example", "ben@bank.example"],
    }
    return channel("email", secrets, **(base | options))


def test_every_notifier_says_none_when_it_told_somebody(any_notifier: Notifier) -> None:
    assert any_notifier.notify(NOTICE) is None


def test_the_log_gets_a_structured_record(caplog: pytest.LogCaptureFixture) -> None:
    channel("log").notify(NOTICE)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "sales is late (on call: ana@bank.example): Since 09:00, by 2 h 🛒"
    assert {name: record.__dict__[name] for name in ("alert", "text", "on_call", "mart")} == {
        "alert": "sales is late",
        "text": "Since 09:00, by 2 h 🛒",
        "on_call": "ana@bank.example",
        "mart": "sales",
    }


class TestWebhook:
    def test_posts_the_notice_to_exactly_the_address(self, hook: Hook) -> None:
        port = hook.server_address[1]
        told = channel(
            "webhook",
            {"HOOK": f"http://ana:p%40ss@127.0.0.1:{port}/T0/a%2Fb?token=x%26y&to=z"},
            url="secret:HOOK",
        ).notify(NOTICE)
        assert told is None
        ((path, headers, body),) = hook.posted
        assert path == "/T0/a%2Fb?token=x%26y&to=z"
        assert headers["Authorization"] == "Basic " + base64.b64encode(b"ana:p@ss").decode()
        assert body["title"] == "sales is late"
        assert body["message"] == "Since 09:00, by 2 h 🛒\n\nMart: sales\nOn call: ana@bank.example"

    def test_can_be_sent_again_and_again(self, hook: Hook) -> None:
        told = channel("webhook", url=f"http://127.0.0.1:{hook.server_address[1]}/")
        assert [told.notify(NOTICE) for _ in range(3)] == [None] * 3
        assert len(hook.posted) == 3

    @pytest.mark.parametrize("status", [404, 500])
    def test_that_is_refused_is_a_reason(self, hook: Hook, status: int) -> None:
        hook.status = status
        told = channel("webhook", url=f"http://127.0.0.1:{hook.server_address[1]}/")
        assert told.notify(NOTICE) == f"webhook: the server answered with status {status}"

    def test_that_cannot_be_reached_is_a_reason_without_the_address(self) -> None:
        told = channel("webhook", {"HOOK": "http://127.0.0.1:1/t0ken"}, url="secret:HOOK").notify(NOTICE)
        assert told == "webhook: the server could not be reached, or refused"

    @pytest.mark.parametrize("status", [200, 500])
    def test_writes_no_secret_to_any_log(
        self, hook: Hook, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], status: int
    ) -> None:
        hook.status = status
        url = f"http://ana:hunter2@127.0.0.1:{hook.server_address[1]}/t0ken?key=s3cr3t"
        with caplog.at_level(logging.DEBUG):
            told = channel("webhook", {"HOOK": url}, url="secret:HOOK")
            reason = told.notify(NOTICE)
        written = caplog.text + "".join(capfd.readouterr()) + str(reason) + repr(told)
        assert not [word for word in ("hunter2", "t0ken", "s3cr3t") if word in written]

    @pytest.mark.parametrize(
        "url", ["hunter2", "ftp://hunter2@host/x", "https:///hunter2", "http://a:hunter2/"]
    )
    def test_refuses_another_address_without_repeating_it(self, url: str) -> None:
        with pytest.raises(UserError, match="alert channel 'webhook': option 'url'") as told:
            channel("webhook", {"HOOK": url}, url="secret:HOOK")
        assert "hunter2" not in str(told.value)


class TestEmail:
    def test_reaches_all_recipients(self, mail: MailServer) -> None:
        assert email_by(mail).notify(NOTICE) is None
        assert [m["Subject"] for m in mail.mails] == ["sales is late"] * 2
        assert [m["To"] for m in mail.mails] == ["ana@bank.example", "ben@bank.example"]
        assert mail.recipients == ["TO:<ana@bank.example>", "TO:<ben@bank.example>"]
        assert "mart@bank.example" in mail.mails[0]["From"]
        body = mail.mails[0].get_body(("plain",))
        assert body is not None
        text = body.get_content().splitlines()
        assert text == ["Since 09:00, by 2 h 🛒", "", "Mart: sales", "On call: ana@bank.example"]
        assert mail.logins == []

    def test_logs_in_with_the_password_as_it_is(self, mail: MailServer) -> None:
        assert email_by(mail, user="m%art", password="secret:MAIL").notify(NOTICE) is None
        assert mail.logins == [b"\0m%art\0p@ss/w%41rd: +"]

    def test_keeps_a_title_in_its_header(self, mail: MailServer) -> None:
        forged = Notice(title="late\r\nBcc: eve@bank.example", text="t", on_call="o", mart="m")
        assert email_by(mail).notify(forged) is None
        assert mail.mails[0]["Subject"] == "late Bcc: eve@bank.example"
        assert mail.mails[0]["Bcc"] is None

    def test_by_a_server_without_the_security_that_was_asked_for_is_a_reason(self, mail: MailServer) -> None:
        told = email_by(mail, security="starttls").notify(NOTICE)
        assert told == "email: the server could not be reached, or refused"
        assert mail.mails == []

    def test_refuses_a_password_that_is_written_out(self, mail: MailServer) -> None:
        with pytest.raises(UserError, match="name it as secret:NAME") as told:
            email_by(mail, user="mart", password="hunter2")
        assert "hunter2" not in str(told.value)

    def test_names_every_option_that_is_wrong(self) -> None:
        with pytest.raises(UserError) as told:
            channel("email", host="h", to=[], form="m@b.example")
        for wrong in ("'to'", "'from': Field required", "'form': Extra inputs are not permitted"):
            assert wrong in str(told.value)


def test_an_unknown_channel_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no alert channel 'webhok'\. Did you mean 'webhook'\?"):
        channel("webhok")


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(UserError, match="HOOK"):
        channel("webhook", url="secret:HOOK")


def test_the_log_channel_has_no_options() -> None:
    with pytest.raises(UserError, match="alert channel 'log': option 'file': Extra inputs"):
        channel("log", file="x")


def test_the_table_of_channels_is_what_the_documentation_says() -> None:
    assert list(CHANNELS) == ["log", "webhook", "email"]


def test_a_missing_library_is_named_with_its_extra_and_costs_nothing_before() -> None:
    script = """
import sys
from importlib.abc import MetaPathFinder

class NotInstalled(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "apprise":
            raise ModuleNotFoundError("No module named 'apprise'", name="apprise")

sys.meta_path.insert(0, NotInstalled())
from mart_platform_tests.adapters.test_notifiers import UserError, channel
channel("log")
try:
    channel("webhook", url="http://127.0.0.1:1/")
except UserError as error:
    print(error)
"""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, env=environment)
    assert told.stdout.decode().strip() == (
        "The alert channel 'webhook' needs a library that is not installed: "
        "pip install 'mart-platform[alerts]'."
    )
