"""`POST /slime`: one rollout, as slime's own `--rm-type remote_rm` sends it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from rubric.errors import Fault, InvalidInput
from rubric.wire import ScoreReply
from service import dialects
from service.admission import Turn
from service.routes.answering import answer
from service.routes.gate import Gate
from service.routes.shapes import an_object, dialect_route
from service.scoring import Scored, Scoring


def router(scoring: Scoring, *, gate: Gate, most_bytes: int) -> APIRouter:
    """The route. `?reply=object` is for `--reward-key`."""
    routes = APIRouter()

    @routes.post(
        "/slime",
        summary="Reward one rollout of slime's `remote_rm`",
        **dialect_route(
            request=an_object(prompt={}, response={}, label={}),
            reply={"oneOf": [{"type": "number"}, an_object(("reward",), reward={"type": "number"})]},
        ),
    )
    async def slime(request: Request) -> Response:
        form = _form(request)

        async def work(raw: bytes, /, *, turn: Turn) -> Scored:
            scored = await scoring.score(dialects.from_slime(raw), turn=turn)
            reply = ScoreReply.model_validate_json(scored.body)
            return Scored(dialects.to_slime(reply, form=form), rollouts=1)

        return await answer(request, work, gate=gate, most_bytes=most_bytes)

    return routes


def _form(request: Request) -> dialects.Form:
    """Raises `InvalidInput`."""
    try:
        return dialects.Form(request.query_params.get("reply", "scalar"))
    except ValueError:
        raise InvalidInput((Fault("query parameter reply", "is none of scalar, object"),)) from None
