"""`/openapi.json`: the wire's own models as schemas, and every status that a route can answer with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rubric import wire
from service.errors import MEDIA_TYPE, PROBLEMS

Json = dict[str, Any]

_REQUESTS: tuple[type[BaseModel], ...] = (wire.ScoreRequest, wire.EvaluateRequest)
_REPLIES: tuple[type[BaseModel], ...] = (wire.ScoreReply, wire.EvaluateReply)


def scoring_route(request: str, reply: str) -> dict[str, Any]:
    """What FastAPI is told of a route that scores; names are those of the wire's models."""
    return {
        "responses": {200: _content("application/json", _ref(reply), "Scored")} | _problems(_OF_SCORING),
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(request)}}},
            "parameters": [_DEADLINE],
            "security": [{}, {"bearer": []}, {"key": []}],
        },
    }


def plain_route(*, media_type: str = "application/json", may_refuse: bool = False) -> dict[str, Any]:
    """What FastAPI is told of every other route."""
    schema: Json = {"type": "object" if media_type == "application/json" else "string"}
    refusals = _problems({"starting", "draining"}) if may_refuse else {}
    return {"responses": {200: _content(media_type, schema, "The answer")} | refusals}


def describe(app: FastAPI) -> None:
    """Give the app its document, made when it is first asked for."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI documents this as the way


def _document(app: FastAPI) -> Json:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    document["components"] = {
        "schemas": _schemas(),
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        },
    }
    return document


def _schemas() -> Json:
    models = [(model, "validation") for model in _REQUESTS] + [(model, "serialization") for model in _REPLIES]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: Json = found["$defs"]
    for name in _STRINGS_TOO & schemas.keys():
        schemas[name] = {"anyOf": [{"type": "string"}, schemas[name]], "title": name}
    return schemas | {"Problem": _PROBLEM}


_STRINGS_TOO = {"EntityIn", "AnswerIn"}
"""Models that the wire also takes as a bare string."""

_OF_SCORING = PROBLEMS.keys() - {"not_found", "method_not_allowed"}

_DEADLINE: Json = {
    "name": "X-Request-Timeout-Ms",
    "in": "header",
    "required": False,
    "description": "The deadline of this request; the server's own can only be shortened.",
    "schema": {"type": "integer", "minimum": 1},
}

_PROBLEM: Json = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [f"urn:cairn:problem:{kind}" for kind in PROBLEMS]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def _problems(kinds: set[str]) -> dict[int, Json]:
    """By status; several kinds may share one."""
    described: dict[int, Json] = {}
    for kind, problem in PROBLEMS.items():
        if kind in kinds:
            entry = described.setdefault(problem.status, _content(MEDIA_TYPE, _ref("Problem"), ""))
            entry["description"] += ("; " if entry["description"] else "") + problem.title
    return dict(sorted(described.items()))


def _content(media_type: str, schema: Json, description: str) -> Json:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
