"""The API as an OpenAPI document, made of the bodies that go over the wire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mart_platform.runs.catalogue import MartCard, MartPage, TablePage
from mart_platform.serving.answers import MEDIA_TYPES
from mart_platform.serving.bodies import (
    AnswerBody,
    ErrorBody,
    EstimateBody,
    HealthBody,
    QueryBody,
    ReceiptBody,
    SessionBody,
)


@dataclass(frozen=True)
class Operation:
    """A route as it is described. ``listed`` says that it answers with a list of ``answers``."""

    method: str
    path: str
    name: str
    summary: str
    answers: type[BaseModel]
    body: type[BaseModel] | None = None
    listed: bool = False
    errors: Mapping[int, str] = field(default_factory=dict)
    public: bool = False


_OF_QUERIES = {
    400: "The query is wrong, or fails on the rows that it reads.",
    403: "The query holds something that is not allowed.",
    404: "There is no such table, or none that the caller may read.",
    409: "The version that was asked for is not there.",
    429: "A budget or the machine is used up; `Retry-After` says when to come back, where that helps.",
}
_NOTHING = {404: "There is no such thing, or none that the caller may know of."}

OPERATIONS = (
    Operation(
        "POST",
        "/v1/query",
        "query",
        "Answer one SELECT on the live version of its marts, or on another one. The form is asked for by "
        "`?format=arrow|json|csv|parquet` or `Accept`. Headers of the answer: `Mart-Receipt` (its id), "
        "`Mart-Rows`, `Mart-Bytes` (as an Arrow stream), `Mart-Versions`, `Mart-Price`, `Mart-Cache`. "
        "Closing the connection cancels the query.",
        AnswerBody,
        QueryBody,
        errors={
            **_OF_QUERIES,
            406: "There is no such form.",
            413: "The query is too long, or would take or answer more than its budget allows.",
            503: "The audit log cannot be written, or the server is closing.",
        },
    ),
    Operation(
        "POST",
        "/v1/estimate",
        "estimate",
        "Tell what a query will cost, without running it.",
        EstimateBody,
        QueryBody,
        errors=_OF_QUERIES,
    ),
    Operation(
        "GET",
        "/v1/receipts/{id}",
        "receipt",
        "Give the receipt of one of the caller's own queries: what its answer rests on.",
        ReceiptBody,
        errors=_NOTHING,
    ),
    Operation("GET", "/v1/session", "session", "Tell who asks, and with which roles.", SessionBody),
    Operation(
        "GET",
        "/v1/marts",
        "marts",
        "List the marts of which the caller may read anything.",
        MartCard,
        listed=True,
    ),
    Operation(
        "GET",
        "/v1/marts/{mart}",
        "mart",
        "Tell about a mart: owner, promises, freshness, tables, questions, versions.",
        MartPage,
        errors=_NOTHING,
    ),
    Operation(
        "GET",
        "/v1/marts/{mart}/tables/{table}",
        "table",
        "Tell about a table: columns with type, meaning, label, mask and lineage; checks and how they went.",
        TablePage,
        errors=_NOTHING,
    ),
    Operation(
        "GET",
        "/health",
        "health",
        "Tell whether the server lives and takes queries; 503 when it takes none.",
        HealthBody,
        errors={503: "No queries are taken, or the server is closing."},
        public=True,
    ),
)


@dataclass(frozen=True)
class Described:
    """An operation for people: the fields of its body with their types, and what it answers."""

    method: str
    path: str
    name: str
    summary: str
    body: tuple[tuple[str, str], ...]
    answers: tuple[str, ...]


def described() -> tuple[Described, ...]:
    """Return all operations, to be read."""
    return tuple(
        Described(
            operation.method,
            operation.path,
            operation.name,
            operation.summary,
            tuple(_fields(operation.body)) if operation.body else (),
            tuple(map(str, sorted({200, *([] if operation.public else [401]), *operation.errors}))),
        )
        for operation in OPERATIONS
    )


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    bodies = {
        model for each in OPERATIONS for model in (each.answers, each.body, ErrorBody) if model is not None
    }
    named = sorted(bodies, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "serialization") for model in named], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Marts",
            "version": "1",
            "description": "Governed queries on published data marts.",
        },
        "security": [{"secret": []}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "secret": {"type": "http", "scheme": "basic", "description": "Name and secret."},
                "token": {"type": "http", "scheme": "bearer", "description": "A token, or a JSON Web Token."},
            },
        },
    }


async def openapi(_: Request) -> Response:
    """The document."""
    return JSONResponse(document())


ROUTES = (Route("/openapi.json", openapi, include_in_schema=False),)


def _operation(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary}
    if parameters := list(_parameters(operation)):
        told["parameters"] = parameters
    if operation.body:
        told["requestBody"] = {"required": True, "content": _json(_reference(operation.body))}
    told["responses"] = {"200": {"description": "Done.", "content": _content(operation)}}
    body = operation.answers if operation.public else ErrorBody
    errors = (
        dict(operation.errors) if operation.public else {401: "Nobody is let in by this.", **operation.errors}
    )
    for status, says in errors.items():
        told["responses"][str(status)] = {"description": says, "content": _json(_reference(body))}
    if operation.public:
        told["security"] = []
    return told


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            yield {"name": part.strip("{}"), "in": "path", "required": True, "schema": {"type": "string"}}
    if operation.answers is AnswerBody:
        yield {"name": "format", "in": "query", "schema": {"type": "string", "enum": list(MEDIA_TYPES)}}


def _content(operation: Operation) -> dict[str, Any]:
    reference = _reference(operation.answers)
    content = _json({"type": "array", "items": reference} if operation.listed else reference)
    others = MEDIA_TYPES.values() if operation.answers is AnswerBody else ()
    return {media.partition(";")[0]: {} for media in others} | content


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    whole = model.model_json_schema()
    for name, schema in whole["properties"].items():
        yield name, _type(schema) + ("" if name in whole.get("required", ()) else ", optional")


def _type(schema: Mapping[str, Any]) -> str:
    """Return a JSON schema in a word or two."""
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
        )
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    return {"array": "list"}.get(str(schema.get("type")), str(schema.get("type", "value")))
