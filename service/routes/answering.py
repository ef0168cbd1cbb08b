"""What the routes that score have in common: admission, the body, the work, the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.admission import Turn
from service.routes.body import read_body
from service.routes.gate import Gate
from service.scoring import Scored

_T = TypeVar("_T")


class Work(Protocol):
    """Scores a body in its turn."""

    def __call__(self, raw: bytes, /, *, turn: Turn) -> Awaitable[Scored]: ...


async def answer(request: Request, work: Work, *, gate: Gate, most_bytes: int) -> Response:
    """The answer to a body. The work is dropped when its deadline passes or its client goes away."""
    async with gate.enter(request.headers) as turn:
        raw = await read_body(request, most_bytes=most_bytes, hold=turn.hold, idle_s=gate.body_idle_s)
        scored = await _unless_gone(request, work(raw, turn=turn))
    request.state.noted = {"rollouts": scored.rollouts}
    return Response(scored.body, media_type="application/json")


async def _unless_gone(request: Request, work: Awaitable[_T]) -> _T:
    """Raises `ClientDisconnect`."""
    working, going = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, going), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        going.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
