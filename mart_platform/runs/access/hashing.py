"""How secrets are kept: as salted hashes that say by which scheme and parameters they were made.

Whoever connects waits for the hash of a secret, so it may take some milliseconds and no more: scrypt with
2 MB takes 4. A guesser pays that, waits longer after each few tries, and meets secrets of some length. A
token is 256 random bits, which nobody guesses however fast the hash: SHA-256 does.
"""

import hashlib
import hmac
import secrets
from typing import Literal

Scheme = Literal["scrypt", "sha256"]

_N, _R, _P = 2048, 8, 1
_BYTES = 32
_SALT = 16


def hashed(secret: str, scheme: Scheme) -> str:
    """Return ``<scheme>$<parameters>$<salt>$<digest>``, salt and digest in hexadecimal, with a new salt."""
    parameters = f"n={_N},r={_R},p={_P}" if scheme == "scrypt" else "-"
    salt = secrets.token_bytes(_SALT)
    return f"{scheme}${parameters}${salt.hex()}${_digest(scheme, parameters, salt, secret).hex()}"


def matches(secret: str, kept: str) -> bool:
    """Say whether a secret is the one that a hash was made of; how long that takes does not depend on it.

    Raises ValueError for a hash that is not written as ``hashed`` writes it.
    """
    scheme, parameters, salt, digest = kept.split("$")
    return hmac.compare_digest(
        _digest(scheme, parameters, bytes.fromhex(salt), secret), bytes.fromhex(digest)
    )


def _digest(scheme: str, parameters: str, salt: bytes, secret: str) -> bytes:
    text = secret.encode("utf-8", "surrogatepass")
    if scheme == "scrypt":
        n, r, p = (int(each.partition("=")[2]) for each in parameters.split(","))
        return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, dklen=_BYTES)
    if scheme == "sha256":
        return hashlib.sha256(salt + text).digest()
    raise ValueError(f"no secret is kept as '{scheme}'")
