"""Who visits the pages: a cookie names a session, a token in each form shows that it is one of ours."""

import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mart_platform.runs.access.authenticating import NotConnected
from mart_platform.runs.access.callers import Caller
from mart_platform.serving.office import Office, arrived
from mart_platform.serving.refusing import NotLoggedIn
from mart_platform.serving.sessions import LASTS

_MOST_FIELDS = 20


@dataclass(frozen=True)
class Visitor:
    """Somebody who has logged in, and the token that forms made for them carry."""

    caller: Caller
    token: str


def visitor_of(office: Office, request: Request) -> Visitor:
    """Return who visits a page, as they are now; to be called in a thread. Raises NotLoggedIn."""
    name = request.cookies.get(_cookie(request), "")
    session = office.sessions.of(name)
    if session is None:
        raise NotLoggedIn
    try:
        return Visitor(office.door.connect_again(session.caller), session.token)
    except NotConnected:
        office.sessions.end(name)
        raise NotLoggedIn from None


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form that a page of ours has sent. Raises HTTPException for another site's."""
    if not _comes_from_us(request):
        raise HTTPException(403, "This form was not sent by a page of this server")
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send the fields of a form")
    try:
        text = (await arrived(request)).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise HTTPException(400, "This is no form") from None


def refuse_stranger(visitor: Visitor, form: dict[str, str]) -> None:
    """Raise HTTPException when a form does not carry the token of who sends it."""
    if not hmac.compare_digest(visitor.token.encode(), form.get("token", "").encode()):
        raise HTTPException(403, "This form is of another session; load the page again")


def remember(request: Request, response: Response, name: str) -> None:
    """Let the browser keep the name of a session, out of reach of scripts and of other sites."""
    response.set_cookie(
        _cookie(request),
        name,
        max_age=int(LASTS),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def forget(office: Office, request: Request, response: Response) -> None:
    """End the session of a browser."""
    office.sessions.end(request.cookies.get(_cookie(request), ""))
    response.delete_cookie(
        _cookie(request), httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def _cookie(request: Request) -> str:
    """Return the cookie's name; browsers take one with this prefix from this very server over TLS alone."""
    return "__Host-mart" if request.url.scheme == "https" else "mart"


def _comes_from_us(request: Request) -> bool:
    if site := request.headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
