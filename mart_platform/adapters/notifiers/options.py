"""Options of alert channels: what ``secret:NAME`` stands for, and what else may be said."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mart_platform.ports import Secrets
from mart_platform.spec.problems import UserError

_SECRET = "secret:"  # noqa: S105 (the mark of a secret, not one)


class Options(BaseModel):
    """Options of a channel; unknown ones are refused, and a mistake never repeats what was given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


O = TypeVar("O", bound=Options)  # noqa: E741 (options; it stands beside no number)


def read_options(model: type[O], channel: str, options: Mapping[str, Any], secrets: Secrets) -> O:
    """Return the options of a channel with secrets in their places.

    Raises UserError naming each option that is wrong, without its value.
    """
    told = {name: _told(value, secrets) for name, value in options.items()}
    try:
        return model.model_validate(told)
    except ValidationError as error:
        wrong = "; ".join(
            f"option '{'.'.join(map(str, problem['loc']))}': {problem['msg']}"
            for problem in error.errors(include_input=False, include_context=False, include_url=False)
        )
        raise UserError(f"settings.yaml: alert channel '{channel}': {wrong}.") from None


def is_secret(value: object) -> bool:
    """Say whether an option only names a secret."""
    return isinstance(value, str) and value.startswith(_SECRET)


def _told(value: Any, secrets: Secrets) -> Any:
    return secrets.secret(value.removeprefix(_SECRET)) if is_secret(value) else value
