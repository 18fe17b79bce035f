"""Everything that can go wrong, as a status, a code for programs and a sentence for people."""

import math
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mart_platform.gate.questions import Refused
from mart_platform.ports import AuditUnavailable
from mart_platform.runs.access.authenticating import NotConnected

CLIENT_LEFT = 499
"""As nginx calls a request whose client did not wait; only the log ever shows it."""

_STATUS = {
    "busy": 429,
    "over_budget": 429,
    "cancelled": CLIENT_LEFT,
    "closing": 503,
    "no_version": 409,
    "not_ready": 503,
    "not_allowed": 403,
    "out_of_memory": 413,
    "too_long": 413,
    "too_many_rows": 413,
    "unknown_table": 404,
}
"""By the code of a refusal; every other one is a mistake in the query: 400."""
_RETRY_AFTER = {"busy": 2, "closing": 5, "not_ready": 2}
"""Seconds after which it may well go through."""
_CHALLENGE = 'Basic realm="marts", charset="UTF-8", Bearer realm="marts"'


class NotLoggedIn(Exception):
    """The request says nothing about who asks."""


class NotFound(Exception):
    """There is nothing there, or nothing that this caller may know of: nobody can tell which."""


@dataclass(frozen=True)
class Refusal:
    """What the client is told."""

    status: int
    code: str
    message: str
    remedy: str = ""
    retry_after: int | None = None

    def headers(self) -> dict[str, str]:
        """Return what goes with it: when to come back."""
        return {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}


KNOWN = (
    Refused,
    NotConnected,
    NotLoggedIn,
    NotFound,
    AuditUnavailable,
    TimeoutError,
    ValidationError,
    HTTPException,
)
"""The exceptions that ``refusal_of`` has words for; everything else is a bug of ours."""


def refusal_of(error: Exception) -> Refusal:
    """Return what to tell about one of ``KNOWN``."""
    match error:
        case Refused():
            status = _STATUS.get(error.code, 400)
            return Refusal(status, error.code, error.sentence, error.remedy, _RETRY_AFTER.get(error.code))
        case NotConnected():
            wait = None if error.retry_after is None else max(1, math.ceil(error.retry_after))
            return Refusal(401 if wait is None else 429, error.code, str(error), retry_after=wait)
        case NotLoggedIn():
            return Refusal(401, "not_connected", "Say who asks.", "Send a name and a secret, or a token.")
        case NotFound():
            return Refusal(404, "not_found", "There is nothing here that you may read.")
        case AuditUnavailable():
            told = "The audit log cannot be written, and nothing is answered without a record."
            return Refusal(503, "audit_unavailable", told, "Try again later.", 30)
        case TimeoutError():
            return Refusal(408, "too_slow", "The request did not arrive in time.")
        case ValidationError():
            return Refusal(400, "wrong_request", _all_wrong(error), "The API is described at /openapi.json.")
        case HTTPException():
            return Refusal(error.status_code, _code_of(error.status_code), f"{error.detail}.")
        case _:
            return OUR_BUG


OUR_BUG = Refusal(
    500, "our_bug", "Something went wrong here, not with you.", "The log of the server says what."
)


def as_json(refusal: Refusal) -> Response:
    """Return a refusal as programs read it."""
    headers = refusal.headers()
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _CHALLENGE
    told = {"code": refusal.code, "message": refusal.message, "remedy": refusal.remedy}
    return JSONResponse(told, refusal.status, headers)


async def refuse_as_json(_: Request, error: Exception) -> Response:
    """Answer an exception of ``KNOWN``, as Starlette's exception handlers do."""
    response = as_json(refusal_of(error))
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


def _all_wrong(error: ValidationError) -> str:
    """Return one sentence for each mistake, without the values that were sent."""
    return " ".join(
        f"{'.'.join(str(part) for part in found['loc']) or 'The body'}: {found['msg']}."
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _code_of(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
