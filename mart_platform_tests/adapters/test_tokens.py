"""JSON Web Tokens: only what the issuer signed for us, in time, by an algorithm of the settings, counts."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

jwt = pytest.importorskip("jwt", reason="comes with the extra oidc")

from cryptography.hazmat.primitives import serialization  # noqa: E402 - comes with the extra too
from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402 - as above

from mart_platform.adapters.tokens import JsonWebTokens  # noqa: E402 - after what it needs
from mart_platform.ports import Signed  # noqa: E402 - as above
from mart_platform.spec.problems import UserError  # noqa: E402 - as above
from mart_platform.spec.settings import Oidc  # noqa: E402 - as above

OIDC = Oidc(issuer="https://sso.example", audience="mart", keys="keys.json")
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, algorithm: str, kid: str, **more: str) -> dict[str, Any]:
    made: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": kid, **more}


def claims(**changed: Any) -> dict[str, Any]:
    said = {"iss": "https://sso.example", "aud": "mart", "sub": "ada", "exp": int(time.time()) + 600}
    return {name: value for name, value in {**said, **changed}.items() if value is not None}


def signed(
    payload: Mapping[str, Any], key: Any = RSA, algorithm: str = "RS256", kid: str | None = "r1"
) -> str:
    token: str = jwt.encode(dict(payload), key, algorithm, headers={"kid": kid} if kid else {})
    return token


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys = [jwk(RSA, "RS256", "r1", use="sig"), jwk(EC, "ES256", "e1", alg="ES256"), {"kty": "RSA"}]
    keys += [jwk(OTHER_RSA, "RS256", "enc", use="enc"), {"kty": "oct", "k": "c2VjcmV0", "kid": "o1"}]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))
    return tmp_path


def test_a_token_of_the_issuer_proves_its_principal_until_it_expires(folder: Path) -> None:
    tokens = JsonWebTokens(OIDC, folder)
    until = int(time.time()) + 60
    proved = Signed("ada", datetime.fromtimestamp(until, UTC))
    assert tokens.read(signed(claims(exp=until))) == proved
    assert tokens.read(signed(claims(exp=until, aud=["other", "mart"]), EC, "ES256", "e1")) == proved


def test_the_settings_say_which_claim_holds_the_principal(folder: Path) -> None:
    tokens = JsonWebTokens(OIDC.model_copy(update={"principal": "email"}), folder)
    read = tokens.read(signed(claims(email="ada@example.com")))
    assert read is not None
    assert read.principal == "ada@example.com"
    assert tokens.read(signed(claims())) is None


def unsigned() -> str:
    parts = ({"alg": "none", "kid": "r1"}, claims())
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts)
        + "."
    )


def public_key_as_a_secret() -> str:
    """The oldest trick: signed by HMAC with the public key, which everybody has."""
    public = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"r1"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=")
    seal = base64.urlsafe_b64encode(hmac.digest(public, head + b"." + body, hashlib.sha256)).rstrip(b"=")
    return b".".join((head, body, seal)).decode()


def changed_afterwards() -> str:
    head, _, seal = signed(claims()).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(sub="root")).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{seal}"


@pytest.mark.parametrize(
    "forged",
    [
        unsigned,
        public_key_as_a_secret,
        changed_afterwards,
        lambda: signed(claims(), OTHER_RSA),
        lambda: signed(claims(), EC, "ES256", "r1"),
        lambda: signed(claims(), RSA, "PS256"),
        lambda: signed(claims(), RSA, "RS384"),
        lambda: signed(claims(), OTHER_RSA, "RS256", "enc"),
        lambda: signed(claims(), "secret" * 8, "HS256", "o1"),
        lambda: signed(claims(), kid=None),
        lambda: signed(claims(), kid="unknown"),
        lambda: signed(claims(exp=int(time.time()) - 60)),
        lambda: signed(claims(exp=None)),
        lambda: signed(claims(exp=10**15)),
        lambda: signed(claims(nbf=int(time.time()) + 600)),
        lambda: signed(claims(aud="another")),
        lambda: signed(claims(aud=None)),
        lambda: signed(claims(iss="https://sso.example.evil")),
        lambda: signed(claims(iss=None)),
        lambda: signed(claims(sub=None)),
        lambda: signed(claims(sub="")),
        lambda: "not.a.token",
        lambda: "..",
        lambda: "a" * 20_000 + ".b.c",
    ],
)
def test_anything_else_proves_nothing(folder: Path, forged: Callable[[], str]) -> None:
    assert JsonWebTokens(OIDC, folder).read(forged()) is None


def test_an_unknown_key_lets_the_set_be_read_again_once_a_minute() -> None:
    published, asked, now = [jwk(RSA, "RS256", "r1")], list[str](), [0.0]

    def fetch(address: str) -> bytes:
        asked.append(address)
        return json.dumps({"keys": published}).encode()

    oidc = OIDC.model_copy(update={"keys": "https://sso.example/keys"})
    tokens = JsonWebTokens(oidc, Path(), fetch=fetch, elapsed=lambda: now[0])
    published.append(jwk(OTHER_RSA, "RS256", "r2"))
    assert tokens.read(signed(claims(), OTHER_RSA, kid="r2")) is None
    now[0] = 61
    for n in range(5):
        assert tokens.read(signed(claims(), kid=f"guess{n}")) is None
    assert tokens.read(signed(claims(), OTHER_RSA, kid="r2")) is not None
    assert asked == ["https://sso.example/keys"] * 2


def test_the_keys_that_were_read_go_on_while_the_issuer_is_away() -> None:
    answers, now = [json.dumps({"keys": [jwk(RSA, "RS256", "r1")]}).encode()], [0.0]

    def fetch(_: str) -> bytes:
        if not answers:
            raise TimeoutError("timed out")
        return answers.pop()

    oidc = OIDC.model_copy(update={"keys": "https://sso.example/keys"})
    tokens = JsonWebTokens(oidc, Path(), fetch=fetch, elapsed=lambda: now[0])
    now[0] = 100
    assert tokens.read(signed(claims(), kid="r2")) is None
    assert tokens.read(signed(claims())) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no set of JSON Web Keys can be read from keys.json"),
        ("{", "no set of JSON Web Keys"),
        ("[]", "no set of JSON Web Keys"),
        ('{"keys": [{"kty": "RSA"}]}', "holds no key with a `kid`"),
    ],
)
def test_keys_that_cannot_be_read_are_told_when_the_door_opens(
    tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "keys.json").write_text(text)
    with pytest.raises(UserError, match=said):
        JsonWebTokens(OIDC, tmp_path)


def test_keys_are_read_over_https_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not https"):
        JsonWebTokens(OIDC.model_copy(update={"keys": "http://sso.example/keys"}), tmp_path)
