"""Single rollouts of one group that are asked for together, sent as one request.

Most loops ask for one rollout per call, and a burst of thousands has the question and the rubric of each
group many times. What a rollout gets must not depend on who happened to ask beside it: the request says that
its rollouts only travel together (`alone`), and each caller's reply is that of a lone one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from rubric.wire import GroupOut, RolloutOut, ScoreReply
from trainer_client.lone import Lone
from trainer_client.protocol import Scored, joined_body


class Send(Protocol):
    """Scores the rollouts of these ids in one request by a deadline, which is a `time.monotonic()`."""

    async def __call__(self, body: Callable[[], bytes], *, ids: Sequence[str], deadline: float) -> Scored: ...


class Coalescer:
    """Collects equal requests for a moment. Belongs to one loop."""

    def __init__(self, send: Send, *, size: int, window_s: float) -> None:
        self._send = send
        self._size = size
        self._window_s = window_s
        self._open: dict[tuple[bytes, str | None], _Batch] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def score(self, call: Lone, *, deadline: float) -> Scored:
        """What `send` would give for this call alone. Raises what `send` raises."""
        loop = asyncio.get_running_loop()
        key = call.group
        batch = self._open.get(key)
        if batch is None:
            batch = self._open[key] = _Batch(deadline)
            batch.timer = loop.call_later(self._window_s, self._flush, key)
        future: asyncio.Future[Scored] = loop.create_future()
        batch.calls.append(call)
        batch.futures.append(future)
        if len(batch.calls) >= self._size:
            self._flush(key)
        return await future

    def _flush(self, key: tuple[bytes, str | None]) -> None:
        batch = self._open.pop(key)
        if batch.timer is not None:
            batch.timer.cancel()
        task = asyncio.get_running_loop().create_task(self._answer(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _answer(self, batch: _Batch) -> None:
        """Whoever waits gets a result or an exception, whatever becomes of the batch."""
        wanted = [at for at, future in enumerate(batch.futures) if not future.done()]
        try:
            calls = [batch.calls[at] for at in wanted]
            found = await self._scored(calls, deadline=batch.deadline) if wanted else []
        except asyncio.CancelledError:
            for future in batch.futures:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is theirs, and raised there
            for future in batch.futures:
                if not future.done():
                    future.set_exception(error)
        else:
            for at, scored in zip(wanted, found, strict=True):
                if not batch.futures[at].done():
                    batch.futures[at].set_result(scored)

    async def _scored(self, calls: Sequence[Lone], *, deadline: float) -> list[Scored]:
        """One that spoils the request for the others is found by sending each alone."""
        ids = [f"k{at}" for at in range(len(calls))]
        scored = await self._send(partial(body, calls), ids=ids, deadline=deadline)
        if len(calls) > 1 and _refused(scored):
            parts = await asyncio.gather(*(self._scored([each], deadline=deadline) for each in calls))
            return [scored for part in parts for scored in part]
        return split(scored, calls)


@dataclass(slots=True)
class _Batch:
    deadline: float
    calls: list[Lone] = field(default_factory=list)
    futures: list[asyncio.Future[Scored]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


def body(calls: Sequence[Lone]) -> bytes:
    """One request for all, of which none depends on another."""
    first = calls[0]
    return joined_body(first.shared.head, group_id=first.id, rollouts=[each.rollout for each in calls])


def split(scored: Scored, calls: Sequence[Lone]) -> list[Scored]:
    """Each caller's own part, as the reply to a lone rollout."""
    return [
        _alone(scored.reply, call, rollout.model_copy(update={"id": own if own is not None else "k0"}))
        for call, rollout in zip(calls, scored.rollouts, strict=True)
        for own in [call.rollout.id]
    ]


def _alone(reply: ScoreReply | None, call: Lone, rollout: RolloutOut) -> Scored:
    if reply is None:
        return Scored((rollout,))
    group = GroupOut(
        size=1,
        scored=int(rollout.reward is not None),
        score_max=rollout.rubric.score if rollout.rubric else None,
        reward_mean=rollout.reward,
        reward_std=None,
        degenerate=True,
    )
    update = {"id": call.id, "rollouts": [rollout], "group": group}
    return Scored((rollout,), reply.model_copy(update=update))


def _refused(scored: Scored) -> bool:
    """Whether the request as a whole was found at fault."""
    return scored.reply is None and any(failure and not failure.retryable for failure in scored.failures)
