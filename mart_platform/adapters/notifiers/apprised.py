"""The channels ``webhook`` and ``email``, sent by Apprise (the extra ``alerts``).

Addresses and passwords are secrets. Apprise is given them in parts, never as one URL that has to be quoted
and split again, and what it and its HTTP library log is kept out of our logs, for it holds addresses.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import AfterValidator, Field

from mart_platform.adapters.notifiers.options import Options, is_secret, read_options
from mart_platform.ports import Notice, Notifier, Secrets
from mart_platform.spec.problems import UserError

_STATUS = re.compile(r"error=(\d{3})")


def _is_http(url: str) -> str:
    refusal = "is not an http or https address"
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(refusal) from None  # its own words repeat a part of the address
    if not is_one:
        raise ValueError(refusal)
    return url


class WebhookOptions(Options):
    """Where to POST: JSON with ``title``, ``message`` and ``type``."""

    url: Annotated[str, AfterValidator(_is_http)]


class EmailOptions(Options):
    """Which server sends, as whom, to whom. ``password`` must be named as ``secret:NAME``."""

    host: str
    port: Annotated[int, Field(gt=0, lt=65536)] | None = None
    security: Literal["starttls", "ssl", "none"] = "starttls"
    user: str | None = None
    password: str | None = None
    sender: Annotated[str, Field(alias="from", pattern=r"^[^@\s]+@[^@\s]+$")]
    to: Annotated[tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...], Field(min_length=1)]


def webhook(options: Mapping[str, Any], secrets: Secrets) -> Notifier:
    """Return the notifier that posts to ``url``."""
    address = urlsplit(read_options(WebhookOptions, "webhook", options, secrets).url)
    return AppriseNotifier(
        "webhook",
        {
            "schema": "jsons" if address.scheme == "https" else "json",
            "secure": address.scheme == "https",
            "host": address.hostname,
            "port": address.port,
            "fullpath": address.path or "/",
            "user": address.username,
            "password": address.password,
            "params": dict(parse_qsl(address.query, keep_blank_values=True)),
        },
    )


def email(options: Mapping[str, Any], secrets: Secrets) -> Notifier:
    """Return the notifier that writes e-mails."""
    if "password" in options and not is_secret(options["password"]):
        raise UserError(
            "settings.yaml: alert channel 'email': the password is written out; name it as secret:NAME, and "
            "set the environment variable MART_SECRET_NAME."
        )
    chosen = read_options(EmailOptions, "email", options, secrets)
    return AppriseNotifier(
        "email",
        {
            "schema": "mailto" if chosen.security == "none" else "mailtos",
            "secure": chosen.security != "none",
            "secure_mode": {"none": "insecure"}.get(chosen.security, chosen.security),
            "host": chosen.host,
            "smtp_host": chosen.host,
            "port": chosen.port,
            "user": chosen.user and quote(chosen.user, safe=""),
            "password": chosen.password and quote(chosen.password, safe=""),
            "from_addr": chosen.sender,
            "targets": list(chosen.to),
        },
    )


class AppriseNotifier:
    """Sends notices to one service of Apprise, which is told by its parts."""

    def __init__(self, channel: str, service: Mapping[str, Any]) -> None:
        self._channel = channel
        try:
            apprise = import_module("apprise")
        except ModuleNotFoundError as error:
            raise UserError(
                f"The alert channel '{channel}' needs a library that is not installed: "
                "pip install 'mart-platform[alerts]'."
            ) from error
        self._apprise = apprise.Apprise()
        with _listening():
            taken = self._apprise.add({name: part for name, part in service.items() if part is not None})
        if not taken:
            raise UserError(f"settings.yaml: alert channel '{channel}': the options make no address.")

    def notify(self, notice: Notice) -> str | None:
        text = f"{notice.text}\n\nMart: {notice.mart}\nOn call: {notice.on_call}"
        try:
            with _listening() as said:
                sent = self._apprise.notify(
                    title=" ".join(notice.title.split()), body=text, body_format="text"
                )
        except Exception as error:  # noqa: BLE001 (a port that raises nothing: the reason is returned)
            return f"{self._channel}: {type(error).__name__}"  # not its text, which may hold the address
        return None if sent else f"{self._channel}: {said.reason}"


class _Said(logging.Filter):
    """Hears why Apprise failed, keeps no more of it than the status of HTTP, and lets nothing through."""

    reason = "the server could not be reached, or refused"

    def filter(self, record: logging.LogRecord) -> bool:
        if status := _STATUS.search(record.getMessage()):
            self.reason = f"the server answered with status {status[1]}"
        return False


@contextmanager
def _listening() -> Iterator[_Said]:
    """Keep the lines of Apprise and its HTTP library, which show addresses, out of every log meanwhile."""
    loggers = [logging.getLogger(name) for name in ("apprise", "urllib3.connectionpool")]
    said = _Said()
    for logger in loggers:
        logger.addFilter(said)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeFilter(said)
