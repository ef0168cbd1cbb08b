"""`POST /verify`: one rollout, as NeMo-Gym asks a resources server about it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from rubric.wire import ScoreReply
from service import dialects
from service.admission import Turn
from service.routes.answering import answer
from service.routes.gate import Gate
from service.routes.shapes import an_object, dialect_route
from service.scoring import Scored, Scoring


def router(scoring: Scoring, *, gate: Gate, most_bytes: int) -> APIRouter:
    """The route."""
    routes = APIRouter()

    async def work(raw: bytes, /, *, turn: Turn) -> Scored:
        row, body = dialects.from_nemo_gym(raw)
        scored = await scoring.score(body, turn=turn)
        reply = ScoreReply.model_validate_json(scored.body)
        return Scored(dialects.to_nemo_gym(row, reply), rollouts=1)

    @routes.post(
        "/verify",
        summary="Reward one rollout of NeMo-Gym",
        **dialect_route(
            request=an_object(response={}),
            reply=an_object(
                ("reward", "mask_sample"), reward={"type": "number"}, mask_sample={"type": "boolean"}
            ),
        ),
    )
    async def verify(request: Request) -> Response:
        return await answer(request, work, gate=gate, most_bytes=most_bytes)

    return routes
