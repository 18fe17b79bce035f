"""Secrets that a test made up."""

from collections.abc import Mapping

from mart_platform.spec.problems import UserError


class KnownSecrets:
    """Gives the secrets that it was made with."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def secret(self, name: str) -> str:
        if name not in self._known:
            raise UserError(f"The secret {name} is not among those of this test.")
        return self._known[name]
