"""The API under ``/v1``: queries, estimates, receipts, the catalogue; and whether the server is well."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mart_platform.runs import catalogue
from mart_platform.runs.access.callers import Caller
from mart_platform.serving.answers import answered, wanted_form
from mart_platform.serving.bodies import EstimateBody, HealthBody, QueryBody, ReceiptBody, SessionBody
from mart_platform.serving.callers import caller_of, client_of
from mart_platform.serving.office import Office, arrived, office_of
from mart_platform.serving.refusing import NotFound

T = TypeVar("T")

_MARTS = TypeAdapter(tuple[catalogue.MartCard, ...])


async def query(request: Request) -> Response:
    """Answer a query."""
    office, form, body = office_of(request), wanted_form(request), await _query_in(request)
    client = client_of(request)
    return await answered(office, request, lambda: caller_of(office, request), body.asked(client), form)


async def estimate(request: Request) -> Response:
    """Tell what a query will cost."""
    body = await _query_in(request)

    def estimated(office: Office, caller: Caller) -> EstimateBody:
        found = office.door.estimate(caller, body.asked(client_of(request)))
        return EstimateBody(
            cpu_seconds=found.cpu_seconds,
            bytes_read=found.bytes_read,
            price=found.price,
            currency=office.plan.settings.currency,
            runs=found.runs,
        )

    return _json(await _told(request, estimated))


async def receipt(request: Request) -> Response:
    """Give the receipt of one of the caller's queries."""
    identity = request.path_params["id"]
    return _json(await _told(request, lambda office, caller: receipt_for(office, caller, identity)))


async def session(request: Request) -> Response:
    """Tell who asks."""
    return _json(await _told(request, _session))


async def marts(request: Request) -> Response:
    """List the marts of which the caller may read anything."""
    found = await _told(
        request, lambda office, caller: catalogue.marts(office.platform, office.plan, office.seen_by(caller))
    )
    return Response(_MARTS.dump_json(found), media_type="application/json")


async def mart(request: Request) -> Response:
    """Tell about a mart."""
    name = request.path_params["mart"]
    return _json(
        await _told(
            request,
            lambda office, caller: catalogue.mart(office.platform, office.plan, office.seen_by(caller), name),
        )
    )


async def table(request: Request) -> Response:
    """Tell about a table."""
    name = f"{request.path_params['mart']}.{request.path_params['table']}"
    return _json(
        await _told(
            request,
            lambda office, caller: catalogue.table(
                office.platform, office.plan, office.seen_by(caller), name
            ),
        )
    )


async def health(request: Request) -> Response:
    """Tell whether the server lives and takes queries; it names nothing, and asks for no login."""
    is_ready = office_of(request).door.is_open
    return Response(
        HealthBody(ready=is_ready).model_dump_json(), 200 if is_ready else 503, media_type="application/json"
    )


ROUTES = (
    Route("/v1/query", query, methods=["POST"]),
    Route("/v1/estimate", estimate, methods=["POST"]),
    Route("/v1/receipts/{id}", receipt),
    Route("/v1/session", session),
    Route("/v1/marts", marts),
    Route("/v1/marts/{mart}", mart),
    Route("/v1/marts/{mart}/tables/{table}", table),
    Route("/health", health),
)


def receipt_for(office: Office, caller: Caller, identity: str) -> ReceiptBody:
    """Return a receipt of a caller's own. Raises NotFound."""
    try:
        return ReceiptBody.model_validate(office.door.receipt(caller, identity))
    except LookupError:
        raise NotFound from None


async def _query_in(request: Request) -> QueryBody:
    return QueryBody.model_validate_json(await arrived(request))


async def _told(request: Request, tell: Callable[[Office, Caller], T]) -> T:
    """Return what there is to tell to who sends a request. Raises NotFound where there is nothing."""
    office = office_of(request)

    def find() -> T:
        caller = caller_of(office, request)
        try:
            return tell(office, caller)
        except catalogue.NotSeen:
            raise NotFound from None

    return await office.work(find)


def _session(office: Office, caller: Caller) -> SessionBody:
    return SessionBody(
        principal=caller.principal,
        kind=caller.kind,
        roles=caller.roles,
        attributes=caller.attributes,
        scope=caller.scope,
        until=caller.until,
        tables=len(office.seen_by(caller)),
    )


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")
