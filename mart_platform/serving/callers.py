"""Who asks: by name and secret, or by a token, in the header ``Authorization``."""

import base64
import binascii

from starlette.requests import HTTPConnection, Request

from mart_platform.runs.access.callers import Caller
from mart_platform.serving.office import Office
from mart_platform.serving.refusing import NotLoggedIn


def caller_of(office: Office, request: Request) -> Caller:
    """Return who sends a request. Raises NotLoggedIn, and NotConnected as the door does.

    It hashes and may wait: to be called in a thread.
    """
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "basic":
            name, secret = _name_and_secret(said.strip())
            return office.door.connect(name, secret, client_of(request))
        case "bearer":
            return office.door.connect_with_token(said.strip(), client_of(request))
    raise NotLoggedIn


def client_of(request: HTTPConnection) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client else ""


def _name_and_secret(said: str) -> tuple[str, str]:
    try:
        name, colon, secret = base64.b64decode(said, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise NotLoggedIn from None
    if not colon:
        raise NotLoggedIn
    return name, secret
