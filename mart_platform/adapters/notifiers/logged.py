"""The channel ``log``: a structured record at level warning."""

import logging
from collections.abc import Mapping
from typing import Any

from mart_platform.adapters.notifiers.options import Options, read_options
from mart_platform.ports import Notice, Notifier, Secrets

log = logging.getLogger("mart_platform.alerts")


class _Nothing(Options):
    """The log has no options."""


class LogNotifier:
    """Logs a notice; title, text, on-call and mart are fields of the record too."""

    def notify(self, notice: Notice) -> None:
        fields = {"alert": notice.title, "text": notice.text, "on_call": notice.on_call, "mart": notice.mart}
        log.warning("%s (on call: %s): %s", notice.title, notice.on_call, notice.text, extra=fields)


def logged(options: Mapping[str, Any], secrets: Secrets) -> Notifier:
    """Return the notifier that logs; it has no options."""
    read_options(_Nothing, "log", options, secrets)
    return LogNotifier()
