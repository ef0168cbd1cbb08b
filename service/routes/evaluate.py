"""`POST /evaluate`: one rollout, as users of LongTraceRL's own reward server send it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.routes.answering import answer
from service.routes.gate import Gate
from service.routes.openapi import scoring_route
from service.scoring import Scoring


def router(scoring: Scoring, *, gate: Gate, most_bytes: int) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post(
        "/evaluate",
        summary="Reward one rollout as LongTraceRL does",
        **scoring_route("EvaluateRequest", "EvaluateReply"),
    )
    async def evaluate(request: Request) -> Response:
        return await answer(request, scoring.evaluate, gate=gate, most_bytes=most_bytes)

    return routes
