"""The Tokens port by PyJWT: JSON Web Tokens of one issuer, checked against its published set of keys.

Only the algorithms of the settings count, all of them asymmetric, and a key is used for the one that it
names: what a token says about itself picks a key and decides nothing (RFC 8725).
"""

import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mart_platform.ports import Signed
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import Oidc

_log = logging.getLogger(__name__)

_LEEWAY = 30
"""Seconds by which the issuer's clock and ours may differ."""
_READ_AGAIN_AFTER = 60.0
_FETCH_SECONDS = 5.0
_LARGEST_SET = 10**6
_LONGEST_TOKEN = 16_384

Keys = Mapping[str, Mapping[str, Any]]
"""JSON Web Keys by their ``kid``."""


class JsonWebTokens:
    """Reads the tokens of the issuer in the settings; ``folder`` is the warehouse folder. Safe for threads.

    The set of keys is read when this is made, and again, at most once a minute, when a token names a key that
    is not in it. Raises UserError when PyJWT is missing, or the set cannot be read at first.
    """

    def __init__(
        self,
        oidc: Oidc,
        folder: Path,
        *,
        fetch: Callable[[str], bytes] | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        _see_that_it_is_installed()
        self._oidc, self._folder, self._elapsed = oidc, folder, elapsed
        self._fetch = fetch or _fetched
        self._reading = threading.Lock()
        self._keys = self._read_keys()
        self._read_at = elapsed()

    def read(self, token: str) -> Signed | None:
        import jwt  # noqa: PLC0415 - comes with an extra

        try:
            claims = self._claims(token)
            until = datetime.fromtimestamp(claims["exp"], UTC)
        except (jwt.PyJWTError, ValueError, OverflowError, OSError) as error:
            _log.info("a signed token was refused: %s", type(error).__name__)
            return None
        principal = claims.get(self._oidc.principal)
        return Signed(principal, until) if isinstance(principal, str) and principal else None

    def _claims(self, token: str) -> dict[str, Any]:
        import jwt  # noqa: PLC0415 - comes with an extra

        if len(token) > _LONGEST_TOKEN:
            raise jwt.InvalidTokenError("longer than any token")
        header = jwt.get_unverified_header(token)
        algorithm, key = header.get("alg"), self._key(header.get("kid"))
        if algorithm not in self._oidc.algorithms or key is None or key.get("use", "sig") != "sig":
            raise jwt.InvalidTokenError("no key of the set, or no algorithm of the settings")
        if key.get("alg", algorithm) != algorithm:
            raise jwt.InvalidTokenError("the key is for another algorithm")
        return jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm),
            algorithms=[algorithm],
            audience=self._oidc.audience,
            issuer=self._oidc.issuer,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )

    def _key(self, identity: object) -> Mapping[str, Any] | None:
        if not isinstance(identity, str):
            return None
        if identity not in self._keys:
            self._read_again()
        return self._keys.get(identity)

    def _read_again(self) -> None:
        with self._reading:
            if self._elapsed() - self._read_at < _READ_AGAIN_AFTER:
                return
            self._read_at = self._elapsed()
            try:
                self._keys = self._read_keys()
            except UserError as error:
                _log.warning("the keys that were read before go on: %s", error)

    def _read_keys(self) -> Keys:
        place = self._oidc.keys
        try:
            text = self._fetch(place) if "://" in place else (self._folder / place).read_bytes()
            keys = {key["kid"]: key for key in json.loads(text)["keys"] if "kid" in key}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"serving.oidc.keys: no set of JSON Web Keys can be read from {place} ({error}). Name a file "
                "of the warehouse folder, or the https address under which the issuer publishes it."
            ) from error
        if not keys:
            raise UserError(f"serving.oidc.keys: {place} holds no key with a `kid`; give each key one.")
        return keys


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows the issuer's server to nowhere that is not encrypted."""

    def redirect_request(self, *arguments: Any, **named: Any) -> urllib.request.Request | None:
        request = super().redirect_request(*arguments, **named)
        if request is not None and request.type != "https":
            raise ValueError(f"it leads to {request.full_url}, which is not https")
        return request


def _fetched(address: str) -> bytes:
    if not address.startswith("https://"):
        raise ValueError("its address is not https")
    with urllib.request.build_opener(_OnlyHttps).open(address, timeout=_FETCH_SECONDS) as answer:
        text: bytes = answer.read(_LARGEST_SET + 1)
    if len(text) > _LARGEST_SET:
        raise ValueError("it is larger than any set of keys")
    return text


def _see_that_it_is_installed() -> None:
    try:
        import jwt  # noqa: F401, PLC0415 - comes with an extra
    except ModuleNotFoundError as error:
        raise UserError(
            "Signing on by JSON Web Tokens (serving.oidc) needs a library that is not installed: "
            "pip install 'mart-platform[oidc]'."
        ) from error
