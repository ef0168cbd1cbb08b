"""Whatever becomes of Redis, or of the way to it: the same rewards, bit for bit."""

from __future__ import annotations

import itertools
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.proxy import EVERY, BlackHole, Corrupt, Cut, Refuse, Reset, Slow
from tests.faults.world import BODIES
from tests.service.store.server import free_port

LINES = [
    *(Slow(seconds) for seconds in (0.02, 0.5)),
    *(Refuse(), BlackHole(), Reset()),
    *(Cut(after) for after in (0, 1, 2, 5, 17, 60, 200)),
    *(Corrupt(every) for every in (1, 2, 3, 5, 17, 64, 200)),
    *(Corrupt(every, questions=True) for every in (1, 64, 150)),
]


def test_a_bad_line_to_redis_moves_no_reward(world):
    """One group under each fault, so that the breaker stays closed and every fault is met."""
    world.warm()
    begun = world.trouble()
    for body, fault in zip(itertools.cycle(BODIES), LINES, strict=False):
        struck = world.to_redis.struck
        world.to_redis.fault = fault
        reply = world.post(body)
        met = world.to_redis.struck > struck or isinstance(fault, Refuse)  # that one is met on the way
        world.recover()
        assert world.law.kept(reply, body) == set(), fault
        assert met, fault
    kinds = {kind for kind, count in world.trouble().items() if count > begun[kind]}
    assert kinds >= {"late", "unreachable", "foreign"}


def test_a_line_that_changes_under_load_moves_no_reward(world):
    """Long enough for the breaker to open and to let somebody through."""
    world.warm()
    begun, chance = world.trouble(), random.Random(5)
    with ThreadPoolExecutor(1) as thread:
        load = thread.submit(world.scored, BODIES * 12, at_once=4)
        while not load.done():
            world.to_redis.fault = chance.choice([*EVERY, None])
            time.sleep(0.02)
        replies = load.result()
    world.recover()
    for reply, body in zip(replies, BODIES * 12, strict=True):
        assert world.law.kept(reply, body) == set()
    assert world.trouble()["left_alone"] > begun["left_alone"]


def _of_memory(*words):
    """No room for anything."""
    return [("CONFIG", "SET", "maxmemory-policy", *words), ("CONFIG", "SET", "maxmemory", 1)]


SERVERS = {
    "out of memory": (_of_memory("noeviction"), [("CONFIG", "SET", "maxmemory", 0)]),
    "evicting": (_of_memory("allkeys-lru"), [("CONFIG", "SET", "maxmemory", 0)]),
    "a replica by now": ([("REPLICAOF", "127.0.0.1", free_port())], [("REPLICAOF", "NO", "ONE")]),
    "emptied": ([("FLUSHALL",)], []),
}


@pytest.mark.parametrize("trouble", SERVERS)
def test_a_redis_in_trouble_moves_no_reward(world, trouble):
    world.warm()
    begin, end = SERVERS[trouble]
    for words in begin:
        world.redis.say(*words)
    replies = world.scored(BODIES * 2)
    for words in end:
        world.redis.say(*words)
    for reply, body in zip(replies, BODIES * 2, strict=True):
        assert world.law.kept(reply, body) == set()
