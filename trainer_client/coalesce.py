"""Single rollouts of one group that are asked for together, sent as one request.

Most loops ask for one rollout per call, and a burst of thousands has the question and the rubric of each
group many times. What a rollout gets must not depend on who happened to ask beside it: the request says that
its rollouts only travel together (`alone`), and each caller's reply is that of a lone one.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import ValidationError

from rubric.wire import GroupOut, RolloutIn, RolloutOut, ScoreReply, ScoreRequest
from trainer_client.protocol import Scored, read_request


class Send(Protocol):
    """Scores one request by a deadline, which is a `time.monotonic()`."""

    async def __call__(self, request: ScoreRequest, *, deadline: float) -> Scored: ...


@dataclass(frozen=True, slots=True)
class Lone:
    """One rollout of a group: it may be sent with those of the same key. `group` has no rollouts."""

    key: str
    group: ScoreRequest
    id: str | None
    rollout: RolloutIn


class Coalescer:
    """Collects rollouts of the same group for a moment. Belongs to one loop."""

    def __init__(self, send: Send, *, size: int, window_s: float) -> None:
        self._send = send
        self._size = size
        self._window_s = window_s
        self._groups = Groups()
        self._open: dict[str, _Batch] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def read(self, given: ScoreRequest | Mapping[str, object]) -> Lone | None:
        """A request of one rollout; None for any other. Raises `FixRequest`."""
        return self._groups.read(given)

    async def score(self, lone: Lone, *, deadline: float) -> Scored:
        """What `send` would give for this rollout alone. Raises what `send` raises."""
        loop = asyncio.get_running_loop()
        batch = self._open.get(lone.key)
        if batch is None:
            batch = self._open[lone.key] = _Batch(deadline)
            batch.timer = loop.call_later(self._window_s, self._flush, lone.key)
        batch.asked.append(lone)
        batch.futures.append(loop.create_future())
        future = batch.futures[-1]
        if len(batch.asked) >= self._size:
            self._flush(lone.key)
        return await future

    def _flush(self, key: str) -> None:
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
            asked = [batch.asked[at] for at in wanted]
            found = await self._scored(asked, deadline=batch.deadline) if wanted else []
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

    async def _scored(self, asked: Sequence[Lone], *, deadline: float) -> list[Scored]:
        """One that spoils the request for the others is found by sending each alone."""
        scored = await self._send(merge(asked), deadline=deadline)
        if len(asked) > 1 and _refused(scored):
            parts = await asyncio.gather(*(self._scored([each], deadline=deadline) for each in asked))
            return [scored for part in parts for scored in part]
        return split(scored, asked)


@dataclass(slots=True)
class _Batch:
    deadline: float
    asked: list[Lone] = field(default_factory=list)
    futures: list[asyncio.Future[Scored]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


def merge(asked: Sequence[Lone]) -> ScoreRequest:
    """One request for all, with rollouts named by their position, of which none depends on another."""
    rollouts = [each.rollout.model_copy(update={"id": f"k{index}"}) for index, each in enumerate(asked)]
    return asked[0].group.model_copy(update={"id": asked[0].id, "rollouts": rollouts, "alone": True})


def split(scored: Scored, asked: Sequence[Lone]) -> list[Scored]:
    """Each caller's own part, as the reply to a lone rollout."""
    return [
        _alone(scored.reply, lone, rollout.model_copy(update={"id": lone.rollout.id or "k0"}))
        for lone, rollout in zip(asked, scored.rollouts, strict=True)
    ]


def _alone(reply: ScoreReply | None, lone: Lone, rollout: RolloutOut) -> Scored:
    if reply is None:
        return Scored((rollout,))
    group = GroupOut.model_construct(
        size=1,
        scored=int(rollout.reward is not None),
        score_max=rollout.rubric.score if rollout.rubric else None,
        reward_mean=rollout.reward,
        reward_std=None,
        degenerate=True,
    )
    return Scored((rollout,), reply.model_copy(update={"id": lone.id, "rollouts": [rollout], "group": group}))


def _refused(scored: Scored) -> bool:
    """Whether the request as a whole was found at fault."""
    return scored.reply is None and any(failure and not failure.retryable for failure in scored.failures)


# --- what belongs together --------------------------------------------------------------------------------

MOST_GROUPS = 4096
"""Groups whose question and rubric were read and are remembered."""


class Groups:
    """The groups that calls belong to: each is read and checked once, and not by every call for it again."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, ScoreRequest] = OrderedDict()

    def read(self, given: ScoreRequest | Mapping[str, object]) -> Lone | None:
        """A request of one rollout; None for any other. Raises `FixRequest`."""
        if not isinstance(given, ScoreRequest) and (quick := self._quick(given)):
            return quick
        request = read_request(given)
        if len(request.rollouts) != 1:
            return None
        group = request.model_copy(update={"id": None, "rollouts": []})
        key = group.model_dump_json()
        if not isinstance(given, ScoreRequest) and (plain := _plain_key(given)):
            key = plain
            self._remember(key, group)
        return _lone(key, group, request.id, request.rollouts[0])

    def _quick(self, given: Mapping[str, object]) -> Lone | None:
        """A rollout of a group that is known; None where it needs a closer look."""
        key, name, rollouts = _plain_key(given), given.get("id"), given.get("rollouts")
        group = self._known.get(key) if key else None
        if key is None or group is None or not isinstance(name, str | None):
            return None
        if not isinstance(rollouts, list) or len(rollouts) != 1:
            return None
        self._known.move_to_end(key)
        try:
            return _lone(key, group, name, RolloutIn.model_validate(rollouts[0]))
        except ValidationError:
            return None

    def _remember(self, key: str, group: ScoreRequest) -> None:
        self._known[key] = group
        if len(self._known) > MOST_GROUPS:
            self._known.popitem(last=False)


def _plain_key(given: Mapping[str, object]) -> str | None:
    """Equal for plain data that differs in rollouts and id alone; None for what is not plain."""
    try:
        return _PLAIN.encode({name: given[name] for name in given if name not in {"rollouts", "id"}})
    except (TypeError, ValueError):
        return None


_PLAIN = json.JSONEncoder(sort_keys=True)


def _lone(key: str, group: ScoreRequest, name: str | None, rollout: RolloutIn) -> Lone:
    """An id that may decide something, as the seed of what a scheme leaves out, keeps groups apart."""
    seeded = group.scheme is None or group.scheme.dropout is not None
    return Lone(f"{name!r} {key}" if seeded else key, group, name, rollout)
