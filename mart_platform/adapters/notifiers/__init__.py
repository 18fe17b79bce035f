"""Alert channels: each is a constructor in this table, which takes its options and the secrets."""

from collections.abc import Callable, Mapping
from typing import Any

from mart_platform.adapters.notifiers.apprised import email, webhook
from mart_platform.adapters.notifiers.logged import logged
from mart_platform.ports import Notifier, Secrets
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.settings import NotifierSettings

CHANNELS: Mapping[str, Callable[[Mapping[str, Any], Secrets], Notifier]] = {
    "log": logged,
    "webhook": webhook,
    "email": email,
}


def notifier(settings: NotifierSettings, secrets: Secrets) -> Notifier:
    """Return the notifier of a channel.

    Raises UserError for an unknown channel, options that it does not understand, a secret that is missing.
    """
    if settings.channel not in CHANNELS:
        raise UserError(
            f"settings.yaml: there is no alert channel '{settings.channel}'. "
            + nearest(settings.channel, CHANNELS)
        )
    return CHANNELS[settings.channel](settings.options, secrets)
