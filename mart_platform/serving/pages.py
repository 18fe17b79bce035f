"""The pages: the catalogue, a mart, a table, a query and its answer, a receipt, the API, the login."""

import threading
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mart_platform.gate.questions import Refused
from mart_platform.ports import AuditUnavailable, Form
from mart_platform.runs import catalogue
from mart_platform.runs.access.authenticating import NotConnected
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.asking import Asked, Receipt
from mart_platform.serving.answers import answered
from mart_platform.serving.api import receipt_for
from mart_platform.serving.bodies import LONGEST_QUERY
from mart_platform.serving.callers import client_of
from mart_platform.serving.office import Office, office_of
from mart_platform.serving.openapi import described
from mart_platform.serving.refusing import NotFound, NotLoggedIn, refusal_of
from mart_platform.serving.rendering import FOLDER, page
from mart_platform.serving.showing import Shown, shown
from mart_platform.serving.visitors import Visitor, forget, form_of, refuse_stranger, remember, visitor_of


async def marts(request: Request) -> Response:
    """The catalogue, with a search."""
    q = request.query_params.get("q", "")[:200]

    def show(office: Office, visitor: Visitor) -> Response:
        seen = office.seen_by(visitor.caller)
        found = catalogue.search(office.platform, office.plan, seen, q)
        everything = len(catalogue.marts(office.platform, office.plan, seen)) if q else len(found)
        return page("catalogue.html", visitor=visitor, here="/", q=q, found=found, all=everything)

    return await _visited(request, show)


async def mart(request: Request) -> Response:
    """All about a mart."""
    name = request.path_params["mart"]

    def show(office: Office, visitor: Visitor) -> Response:
        found = catalogue.mart(office.platform, office.plan, office.seen_by(visitor.caller), name)
        return page("mart.html", visitor=visitor, mart=found)

    return await _visited(request, show)


async def table(request: Request) -> Response:
    """All about a table."""
    name = f"{request.path_params['mart']}.{request.path_params['table']}"

    def show(office: Office, visitor: Visitor) -> Response:
        found = catalogue.table(office.platform, office.plan, office.seen_by(visitor.caller), name)
        return page("table.html", visitor=visitor, table=found)

    return await _visited(request, show)


async def receipt(request: Request) -> Response:
    """A receipt of one's own."""

    def show(office: Office, visitor: Visitor) -> Response:
        found = receipt_for(office, visitor.caller, request.path_params["id"])
        return page("receipt.html", visitor=visitor, receipt=found)

    return await _visited(request, show)


async def api(request: Request) -> Response:
    """The API, to be read by people."""
    base = str(request.base_url).rstrip("/")
    return await _visited(
        request,
        lambda _, visitor: page("api.html", visitor=visitor, here="/api", operations=described(), base=base),
    )


async def query_form(request: Request) -> Response:
    """An empty query, or one that looks at a table."""
    name = request.query_params.get("table", "")

    def show(office: Office, visitor: Visitor) -> Response:
        is_seen = name in office.seen_by(visitor.caller)
        return _query_page(visitor, f"SELECT *\nFROM {name}\nLIMIT 100" if is_seen else "")

    return await _visited(request, show)


async def query(request: Request) -> Response:
    """A query with its answer, or with what it will cost."""
    office, form = office_of(request), await form_of(request)
    asked = _asked(request, form)

    def answer(cancel: threading.Event) -> Response:
        visitor = visitor_of(office, request)
        refuse_stranger(visitor, form)
        try:
            if form.get("do") == "estimate":
                found = office.door.estimate(visitor.caller, asked)
                return _query_page(
                    visitor, asked.text, estimate=found, currency=office.plan.settings.currency
                )
            seen, rests_on = _ask(office, visitor.caller, asked, cancel)
        except (Refused, AuditUnavailable) as error:
            refusal = refusal_of(error)
            return _query_page(visitor, asked.text, refusal.status, refusal.headers(), refusal=refusal)
        return _query_page(visitor, asked.text, shown=seen, receipt=rests_on)

    return await office.work_until_gone(request, answer, lambda _: None)


async def download(request: Request) -> Response:
    """The whole answer of a query, as a file."""
    office, form = office_of(request), await form_of(request)

    def caller() -> Caller:
        visitor = visitor_of(office, request)
        refuse_stranger(visitor, form)
        return visitor.caller

    kind: Form = "parquet" if form.get("format") == "parquet" else "csv"
    return await answered(office, request, caller, _asked(request, form), kind, download=True)


async def login_form(request: Request) -> Response:
    """The login."""
    return page("login.html", next=_local(request.query_params.get("next", "/")), name="")


async def login(request: Request) -> Response:
    """Begin a session, when the name and the secret are right."""
    office, form = office_of(request), await form_of(request)
    name, secret, client = form.get("name", "").strip(), form.get("secret", ""), client_of(request)
    goes_to = _local(form.get("next", "/"))

    def connected() -> Caller:
        if name:
            return office.door.connect(name, secret, client)
        return office.door.connect_with_token(secret, client)

    try:
        caller = await office.work(connected)
    except (NotConnected, AuditUnavailable) as error:
        refusal = refusal_of(error)
        status = 403 if isinstance(error, NotConnected) and error.retry_after is None else refusal.status
        return page("login.html", status, refusal.headers(), next=goes_to, name=name, refusal=refusal)
    response = RedirectResponse(goes_to, 303)
    remember(request, response, office.sessions.begin(caller))
    return response


async def logout(request: Request) -> Response:
    """End the session."""
    office, form = office_of(request), await form_of(request)
    visitor = await office.work(lambda: visitor_of(office, request))
    refuse_stranger(visitor, form)
    response = RedirectResponse("/login", 303)
    forget(office, request, response)
    return response


ROUTES = (
    Route("/", marts, include_in_schema=False),
    Route("/marts/{mart}", mart, include_in_schema=False),
    Route("/marts/{mart}/tables/{table}", table, include_in_schema=False),
    Route("/query", query_form, include_in_schema=False),
    Route("/query", query, methods=["POST"], include_in_schema=False),
    Route("/query/download", download, methods=["POST"], include_in_schema=False),
    Route("/receipts/{id}", receipt, include_in_schema=False),
    Route("/api", api, include_in_schema=False),
    Route("/login", login_form, include_in_schema=False),
    Route("/login", login, methods=["POST"], include_in_schema=False),
    Route("/logout", logout, methods=["POST"], include_in_schema=False),
    Mount("/static", StaticFiles(directory=FOLDER / "static")),
)


async def refuse_as_page(request: Request, error: Exception) -> Response:
    """Answer an exception as a page; who has not logged in is sent to the login."""
    if isinstance(error, NotLoggedIn | NotConnected):
        there = request.url.path if request.method == "GET" else "/"
        return RedirectResponse(f"/login?next={quote(there)}", 303)
    refusal = refusal_of(error)
    headers = {**refusal.headers(), **(getattr(error, "headers", None) or {})}
    return page("error.html", refusal.status, headers, refusal=refusal)


async def _visited(request: Request, show: Callable[[Office, Visitor], Response]) -> Response:
    """Return a page for who has logged in, made in a thread. Raises NotLoggedIn and NotFound."""
    office = office_of(request)

    def visit() -> Response:
        visitor = visitor_of(office, request)
        try:
            return show(office, visitor)
        except catalogue.NotSeen:
            raise NotFound from None

    return await office.work(visit)


def _asked(request: Request, form: dict[str, str]) -> Asked:
    return Asked(text=form.get("sql", "")[:LONGEST_QUERY], receipt=True, client=client_of(request))


def _ask(office: Office, caller: Caller, asked: Asked, cancel: threading.Event) -> tuple[Shown, Receipt]:
    reply = office.door.ask(caller, asked, cancel)
    try:
        return shown(reply.result), reply.receipt
    finally:
        reply.result.close()


def _query_page(
    visitor: Visitor, sql: str, status: int = 200, headers: dict[str, str] | None = None, **found: object
) -> Response:
    context = {"estimate": None, "shown": None, "receipt": None, "currency": "", **found}
    return page("query.html", status, headers, visitor=visitor, here="/query", sql=sql, **context)


def _local(path: str) -> str:
    """Return a path of this server; whatever leads elsewhere becomes the first page."""
    parts = urlsplit(path)
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if is_local and not parts.netloc and not parts.scheme and path.isprintable() else "/"
