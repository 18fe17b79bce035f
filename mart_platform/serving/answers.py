"""An answer on its way to the client: its form, its headers, and its bytes in pieces."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from mart_platform.ports import Form
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.asking import Asked, Reply
from mart_platform.serving.office import Office

MEDIA_TYPES: Mapping[Form, str] = {
    "arrow": "application/vnd.apache.arrow.stream",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_ENDINGS: Mapping[Form, str] = {"arrow": "arrows", "json": "json", "csv": "csv", "parquet": "parquet"}
_AT_ONCE = 512 * 1024
"""Bytes up to which an answer is sent as a whole, with its length."""


@dataclass(frozen=True)
class Encoded:
    """The bytes of an answer: those that are there already, and the ``rest``, None where that is all."""

    reply: Reply
    first: bytes
    rest: Iterator[bytes] | None

    def close(self) -> None:
        """Give back what the answer holds."""
        self.reply.result.close()


def wanted_form(request: Request) -> Form:
    """Return the form that a request asks for: by ``?format=``, else by ``Accept``, else JSON."""
    if named := request.query_params.get("format"):
        return _form_named(named)
    return _form_accepted(request.headers.get("accept", "*/*").lower())


async def answered(
    office: Office,
    request: Request,
    caller: Callable[[], Caller],
    asked: Asked,
    form: Form,
    *,
    download: bool = False,
) -> Response:
    """Ask the door in a thread, and answer in this form; a client that leaves cancels its query."""

    def ask(cancel: threading.Event) -> Encoded:
        return _encoded(office, office.door.ask(caller(), asked, cancel), form)

    encoded = await office.work_until_gone(request, ask, Encoded.close)
    headers = headers_of(encoded.reply)
    if download:
        name = f"answer-{encoded.reply.receipt.id[:8]}.{_ENDINGS[form]}"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if encoded.rest is None:
        return Response(encoded.first, 200, headers, MEDIA_TYPES[form])
    return _Streamed(office, encoded, encoded.rest, headers, MEDIA_TYPES[form])


class _Streamed(StreamingResponse):
    """Sends a large answer in pieces, each made when the client has taken the one before."""

    def __init__(
        self,
        office: Office,
        encoded: Encoded,
        rest: Iterator[bytes],
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(_pieces(office, encoded.first, rest), 200, headers, media_type)
        self._office, self._encoded = office, encoded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._office.threads.submit(self._encoded.close)


async def _pieces(office: Office, first: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    while (piece := await office.work(lambda: next(rest, None))) is not None:
        yield piece


def headers_of(reply: Reply) -> dict[str, str]:
    """Return what is told of an answer beside its rows. ``Mart-Bytes`` is its size as an Arrow stream."""
    receipt = reply.receipt
    return {
        "Mart-Receipt": receipt.id,
        "Mart-Rows": str(receipt.rows),
        "Mart-Bytes": str(reply.result.bytes),
        "Mart-Versions": ", ".join(f"{mart}={number}" for mart, number in receipt.versions.items()),
        "Mart-Price": f"{receipt.price:.8f} {receipt.currency}",
        "Mart-Cache": "hit" if receipt.outcome == "cached" else "miss",
        "Cache-Control": "no-store",
    }


def _encoded(office: Office, reply: Reply, form: Form) -> Encoded:
    """Return an answer with its first pieces: small ones are whole before anything is sent."""
    try:
        pieces, first = iter(office.door.encode(reply, form)), bytearray()
        for piece in pieces:
            first += piece
            if len(first) >= _AT_ONCE:
                return Encoded(reply, bytes(first), pieces)
    except BaseException:  # nobody will take the rest, whatever ended it: it may be a file
        reply.result.close()
        raise
    reply.result.close()
    return Encoded(reply, bytes(first), None)


def _form_named(named: str) -> Form:
    for form in MEDIA_TYPES:
        if named == form:
            return form
    raise HTTPException(400, f"'{named[:20]}' is no format; there is {', '.join(MEDIA_TYPES)}")


def _form_accepted(accepted: str) -> Form:
    """Return the form that a client likes best, by the weights of RFC 9110, 12.5.1."""
    for media, weight in sorted(map(_weighed, accepted.split(",")), key=lambda each: -each[1]):
        if weight > 0 and media in ("*/*", "application/*", ""):
            return "json"
        for form, ours in MEDIA_TYPES.items():
            if weight > 0 and media == ours.partition(";")[0]:
                return form
    raise HTTPException(406, f"There is {', '.join(MEDIA_TYPES.values())}")


def _weighed(part: str) -> tuple[str, float]:
    media, *parameters = (word.strip() for word in part.split(";"))
    weights = [word[2:] for word in parameters if word.startswith("q=")]
    try:
        return media, float(weights[0]) if weights else 1.0
    except ValueError:
        return media, 0.0
