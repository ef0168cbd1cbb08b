"""`POST /openrlhf`: rollouts as OpenRLHF's `--reward.remote_url` sends them."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from rubric.wire import ScoreReply
from service import dialects
from service.admission import Turn
from service.routes.answering import answer
from service.routes.gate import Gate
from service.routes.shapes import NUMBERS, an_object, dialect_route
from service.scoring import Scored, Scoring


def router(scoring: Scoring, *, gate: Gate, most_bytes: int) -> APIRouter:
    """The route."""
    routes = APIRouter()

    async def work(raw: bytes, /, *, turn: Turn) -> Scored:
        bodies = dialects.from_openrlhf(raw)
        found = await asyncio.gather(*(scoring.score(body, turn=turn) for body in bodies))
        replies = [ScoreReply.model_validate_json(scored.body) for scored in found]
        return Scored(dialects.to_openrlhf(replies), rollouts=len(replies))

    @routes.post(
        "/openrlhf",
        summary="Reward rollouts of OpenRLHF",
        **dialect_route(
            request=an_object(
                ("query",), query={"type": "array"}, prompts={"type": "array"}, labels={"type": "array"}
            ),
            reply=an_object(
                ("rewards", "scores", "extra_logs"), rewards=NUMBERS, scores=NUMBERS, extra_logs=an_object()
            ),
        ),
    )
    async def openrlhf(request: Request) -> Response:
        return await answer(request, work, gate=gate, most_bytes=most_bytes)

    return routes
