"""The app: all routes, what protects them, and the words for everything that can go wrong."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from mart_platform.planning.plan import Plan
from mart_platform.runs.door.door import Door
from mart_platform.serving import api, openapi, pages
from mart_platform.serving.office import Office
from mart_platform.serving.protecting import Protection
from mart_platform.serving.refusing import KNOWN, refuse_as_json

_LARGEST_BODY = 1_000_000
_FOR_PROGRAMS = ("/v1/", "/health", "/openapi.json")


def app(door: Door, plan_of: Callable[[], Plan], *, only_encrypted: bool = False) -> Starlette:
    """Return the app that answers over HTTP; when it ends, the door is closed.

    ``only_encrypted`` refuses whatever does not come over TLS.
    """
    office = Office(door, plan_of)

    @asynccontextmanager
    async def open_until_the_end(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await office.work(door.close)
            office.threads.shutdown(wait=True)

    made = Starlette(
        routes=[*api.ROUTES, *openapi.ROUTES, *pages.ROUTES],
        middleware=[Middleware(Protection, only_encrypted=only_encrypted)],
        exception_handlers=dict.fromkeys(KNOWN, _refuse),
        lifespan=open_until_the_end,
        max_body_size=_LARGEST_BODY,
    )
    made.state.office = office
    return made


async def _refuse(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(_FOR_PROGRAMS):
        return await refuse_as_json(request, error)
    return await pages.refuse_as_page(request, error)
