"""Asks a Cairn service for rewards: many calls at once, each ending in time with a score or a typed failure.

    client = AsyncRewardClient()
    scored = await client.score({"question": "...", "rubric": {...}, "rollouts": [{"response": "..."}]})
    scored.rewards  # (0.94,), or (None,) with the reason in scored.failures

A client is a value: nothing is opened before the first call, and it may be pickled, forked and used from any
loop. What a process learns of the service (how much it bears, how many calls failed) is shared by its loops
and threads, and is not shipped.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary, finalize

from rubric.wire import EvaluateReply, EvaluateRequest, ScoreRequest
from trainer_client import protocol
from trainer_client.breaker import Breaker
from trainer_client.calls import Call, Means
from trainer_client.coalesce import Coalescer
from trainer_client.lone import Known, Lone
from trainer_client.protocol import Next, Scored, Trouble
from trainer_client.settings import Settings
from trainer_client.throttle import Throttle

if TYPE_CHECKING:
    from trainer_client.sessions import Session

Group = ScoreRequest | Mapping[str, object]
"""The body of a `/score` request, as a model or as plain data."""


class AsyncRewardClient:
    """For code on an event loop, or on several. Without settings it has those of the environment."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = Settings.from_env() if settings is None else settings
        self._known = Known()
        self._processes: dict[int, _Process] = {}
        self._coalescers: WeakKeyDictionary[Session, Coalescer] = WeakKeyDictionary()
        finalize(self, _let_go, self._processes).atexit = False

    async def score(
        self, group: Group, *, timeout_s: float | None = None, traceparent: str | None = None
    ) -> Scored:
        """Rewards of one group, or of a lone rollout; what could not be scored is in it as a failure.

        Raises `FixRequest` for plain data that is no request, and `StopRun`.
        """
        plain = timeout_s is None and traceparent is None
        return await self._asked(
            self._read(group, may_join=plain), deadline=self._deadline(timeout_s), traceparent=traceparent
        )

    async def score_many(self, groups: Iterable[Group], *, timeout_s: float | None = None) -> list[Scored]:
        """Rewards of many groups, in their order; a group that cannot be scored takes no other along.

        Raises as `score` does; then no other group is waited for.
        """
        asked = [self._read(group, may_join=timeout_s is None) for group in groups]
        deadline = self._deadline(timeout_s)
        tasks = [asyncio.create_task(self._asked(each, deadline=deadline)) for each in asked]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def evaluate(
        self,
        request: EvaluateRequest | Mapping[str, object],
        *,
        timeout_s: float | None = None,
        traceparent: str | None = None,
    ) -> EvaluateReply:
        """The three numbers of LongTraceRL's own server. Raises `TryLater`, `FixRequest`, `StopRun`.

        Its reply has no place for a failure, so that one is raised.
        """
        process = self._process()
        call = Call(
            "/evaluate",
            body=partial(protocol.evaluate_body, request),
            read=protocol.read_evaluate,
            means=await self._means(process),
            deadline=self._deadline(timeout_s),
            traceparent=traceparent,
        )
        found = await call.run()
        if isinstance(found, Trouble):
            error = found.error()
            if found.next is not Next.STOP:
                process.breaker.note([protocol.failure_of(found)])
            raise error
        process.breaker.note([None])
        return found

    async def aclose(self) -> None:
        """Close the connections of the running loop. A loop that ends by `asyncio.run` closes its own."""
        await self._process().sessions.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.settings,)

    def _read(self, group: Group, *, may_join: bool) -> Lone | ScoreRequest:
        lone = self._known.lone(group) if may_join and self.settings.coalesce > 1 else None
        return protocol.read_request(group) if lone is None else lone

    async def _asked(
        self, asked: Lone | ScoreRequest, *, deadline: float, traceparent: str | None = None
    ) -> Scored:
        process = self._process()
        process.breaker.check()
        if isinstance(asked, Lone):
            scored = await (await self._coalescer(process)).score(asked, deadline=deadline)
        else:
            body, ids = partial(protocol.score_body, asked), protocol.rollout_ids(asked)
            scored = await self._scored(body, ids=ids, deadline=deadline, traceparent=traceparent)
        process.breaker.note(scored.failures)
        return scored

    async def _scored(
        self,
        body: Callable[[], bytes],
        *,
        ids: Sequence[str],
        deadline: float,
        traceparent: str | None = None,
    ) -> Scored:
        call = Call(
            "/score",
            body=body,
            read=partial(protocol.read_score, ids=ids),
            means=await self._means(self._process()),
            deadline=deadline,
            traceparent=traceparent,
        )
        found = await call.run()
        if not isinstance(found, Trouble):
            return found
        if found.next is Next.STOP:
            raise found.error()
        return protocol.failed(ids, found)

    def _deadline(self, timeout_s: float | None) -> float:
        return time.monotonic() + (self.settings.timeout_s if timeout_s is None else timeout_s)

    async def _means(self, process: _Process) -> Means:
        session = await process.sessions.current()
        return Means(self.settings, session, process.throttle, process.breaker)

    async def _coalescer(self, process: _Process) -> Coalescer:
        session = await process.sessions.current()
        if session not in self._coalescers:
            self._coalescers[session] = Coalescer(
                self._scored, size=self.settings.coalesce, window_s=self.settings.coalesce_ms / 1e3
            )
        return self._coalescers[session]

    def _process(self) -> _Process:
        """That of the process we are in now. What a fork brought along belongs to the parent, and stays."""
        pid = os.getpid()
        return self._processes.get(pid) or self._processes.setdefault(pid, _Process(self.settings))


class _Process:
    """What one process knows of the service, and has open."""

    def __init__(self, settings: Settings) -> None:
        from trainer_client.sessions import Sessions  # noqa: PLC0415 - httpx is loaded by the first call

        self.breaker = Breaker(share=settings.failed_share, window=settings.failed_window)
        self.throttle = Throttle(limit=settings.concurrency)
        self.sessions = Sessions(settings)


def _let_go(processes: dict[int, _Process]) -> None:
    """Nobody has the client any more: what is open is closed by its loops, not by the garbage collector."""
    process = processes.get(os.getpid())
    if process is not None:
        process.sessions.let_go()
