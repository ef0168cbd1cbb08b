"""Faults at random, drawn from a seed: each part of the world has a lane, with one trouble at a time in it.

    await throw(World(server, redis, proxy, judge), seconds=1800.0, seed=1, tell=thrown.append)

Lanes do not wait for each other, so that troubles meet.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple

from soak_judge import MOODS, Judge
from soak_server import Server

from tests.faults.proxy import EVERY, Fault, Proxy
from tests.service.store.server import Running as Redis

_REDIS_EVERY_S, _JUDGE_EVERY_S, _WORKER_EVERY_S = 12.0, 25.0, 90.0
_SHORTEST_S, _LONGEST_S = 2.0, 8.0
_RESTART_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class World:
    """What can be hurt."""

    server: Server
    redis: Redis
    proxy: Proxy
    judge: Judge


class Thrown(NamedTuple):
    """A fault from its beginning to its end, by the monotonic clock."""

    lane: str
    kind: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is done, and undone after a while."""

    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None


async def throw(world: World, *, seconds: float, seed: int, tell: Callable[[Thrown], object]) -> None:
    """Until the time is over; then everything is well again."""
    chance = Random(seed)
    lanes: Mapping[str, tuple[float, Mapping[str, Trouble]]] = {
        "redis": (_REDIS_EVERY_S, _of_redis(world)),
        "judge": (_JUDGE_EVERY_S, _of_judge(world.judge)),
        "worker": (_WORKER_EVERY_S, {"kill -9": Trouble(partial(_kill_a_worker, world.server, chance))}),
    }
    until = time.monotonic() + seconds
    await asyncio.gather(
        _restarts(world.server, seconds=seconds, chance=Random(seed), tell=tell),
        *(
            _lane(name, troubles, every_s=every_s, until=until, chance=Random(f"{seed} {name}"), tell=tell)
            for name, (every_s, troubles) in lanes.items()
        ),
    )


async def _lane(
    name: str,
    troubles: Mapping[str, Trouble],
    *,
    every_s: float,
    until: float,
    chance: Random,
    tell: Callable[[Thrown], object],
) -> None:
    """All kinds once before one comes again; quiet in between."""
    kinds: list[str] = []
    while True:
        await asyncio.sleep(min(chance.expovariate(1 / every_s), until - time.monotonic()))
        hold = min(chance.uniform(_SHORTEST_S, _LONGEST_S), until - time.monotonic())
        if hold <= 0:
            return
        kinds = kinds or chance.sample(list(troubles), len(troubles))
        kind = kinds.pop()
        begin = time.monotonic()
        await asyncio.to_thread(troubles[kind].begin)
        try:
            await asyncio.sleep(hold)
        finally:
            await asyncio.to_thread(troubles[kind].end)
        tell(Thrown(name, kind, begin, time.monotonic()))


async def _restarts(
    server: Server, *, seconds: float, chance: Random, tell: Callable[[Thrown], object]
) -> None:
    """All in the first half: memory is watched over the long life that follows."""
    count = max(1, round(seconds / _RESTART_EVERY_S))
    begun = time.monotonic()
    for at in sorted(chance.uniform(0.05, 0.5) * seconds for _ in range(count)):
        await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
        begin = time.monotonic()
        await asyncio.to_thread(server.again)
        tell(Thrown("server", "SIGTERM, started again", begin, time.monotonic()))


def _of_redis(world: World) -> dict[str, Trouble]:
    def turn(fault: Fault | None) -> None:
        world.proxy.fault = fault

    on_the_line = {str(each): Trouble(partial(turn, each), partial(turn, None)) for each in EVERY}
    return {
        **on_the_line,
        "stopped": Trouble(world.redis.pause, world.redis.resume),
        "killed, started empty": Trouble(world.redis.kill, world.redis.start),
    }


def _of_judge(judge: Judge) -> dict[str, Trouble]:
    return {mood: Trouble(partial(judge.mood, mood), judge.mood) for mood in MOODS}


def _kill_a_worker(server: Server, chance: Random) -> None:
    if workers := server.workers():
        with suppress(ProcessLookupError):
            os.kill(chance.choice(workers), signal.SIGKILL)
