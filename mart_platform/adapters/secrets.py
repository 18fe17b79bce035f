"""The Secrets port: a secret is an environment variable, or a file that only its owner may read."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mart_platform.spec.problems import UserError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FOLDER = "MART_SECRETS"


class EnvironmentSecrets:
    """Looks for MART_SECRET_NAME in the environment, then for the file NAME in a folder.

    The folder is ``folder``, else what MART_SECRETS names (/run/secrets in a container, say), else none.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        named = self._environment.get(_FOLDER)
        self._folder = folder or (Path(named) if named else None)

    def secret(self, name: str) -> str:
        """Return a secret, without the line break at the end of its file.

        Raises UserError when it is nowhere, is empty, or lies in a file that others may read.
        """
        if not _NAME.fullmatch(name):
            raise UserError(f"'{name}' cannot name a secret; use letters, digits and underscores.")
        variable = f"MART_SECRET_{name.upper()}"
        file = self._folder / name if self._folder else None
        found = self._environment.get(variable) or (file and _content(file))
        if not found:
            places = f"the environment variable {variable} is not set"
            places += f", and {file} is missing or empty" if file else f", and {_FOLDER} names no folder"
            raise UserError(f"The secret {name} was not found: {places}.")
        return found


def _content(file: Path) -> str | None:
    try:
        if (mode := file.stat().st_mode & 0o777) & 0o077:
            raise UserError(f"{file} may be read by others (mode {mode:04o}); run: chmod 600 {file}")
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise UserError(f"{file} is not text in UTF-8.") from None  # the cause would show the secret
