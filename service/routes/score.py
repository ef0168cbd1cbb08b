"""`POST /score`: one prompt group, one reply."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.routes.answering import Work, answer
from service.routes.gate import Gate
from service.routes.openapi import scoring_route


def router(work: Work, *, gate: Gate, most_bytes: int) -> APIRouter:
    """The route. It takes raw bytes: validation is one pass over them, in `rubric/wire.py`."""
    routes = APIRouter()

    @routes.post("/score", summary="Score one prompt group", **scoring_route("ScoreRequest", "ScoreReply"))
    async def score(request: Request) -> Response:
        return await answer(request, work, gate=gate, most_bytes=most_bytes)

    return routes
