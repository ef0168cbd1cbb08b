"""Workers that die, a server that is told to stop, too many clients, clients without patience."""

from __future__ import annotations

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx

from tests.faults.law import Law
from tests.faults.world import BODIES, by_match, rollouts
from tests.service.bodies import group, long_text
from tests.service.serving import metric, running, wait_until
from tests.service.test_statuses import chunked

LONG = group(*rollouts(*(long_text(seed, 60_000) for seed in range(24))), id="long")
KILLS = 6


def test_workers_killed_at_work_move_no_reward_and_the_retry_gives_all_of_them(world):
    world.law.learn([LONG])
    chance, failures = random.Random(3), set()
    lost = metric(world.client, "cairn_workers_lost_total")
    with ThreadPoolExecutor(2) as threads:
        while metric(world.client, "cairn_workers_lost_total") < lost + KILLS:
            world.forget()
            replies = [threads.submit(world.post, body) for body in (LONG, *BODIES[:3])]
            threads.submit(_kill, world.server, chance).result()
            for reply, body in zip(replies, (LONG, *BODIES[:3]), strict=True):
                failures |= world.law.kept(reply.result(), body)
    assert failures <= {"worker_lost"}
    for reply, body in zip(world.scored([LONG, *BODIES]), [LONG, *BODIES], strict=True):
        assert world.law.kept(reply, body) == set()
    wait_until(lambda: len(world.server.workers()) == 2)


def _kill(server, chance):
    if workers := server.workers():
        with suppress(ProcessLookupError):
            os.kill(chance.choice(workers), signal.SIGKILL)


def test_a_stop_under_load_moves_no_reward():
    bodies = [by_match(seed) for seed in range(24)]
    with running(workers=2, cache_bytes=0) as server, server.client() as client:
        law = Law(client, forget=lambda: None)
        law.learn(bodies)
        with ThreadPoolExecutor(8) as threads:
            loads = [threads.submit(_until_gone, server, bodies[at::8]) for at in range(8)]
            wait_until(lambda: server.log.read_text().count('"/score"') > 3 * len(bodies))
            assert server.stop() == 0
            answered = [pair for load in loads for pair in load.result()]
        logged = [event["status"] for event in server.events() if event.get("route") == "/score"]
    failures = [law.kept(reply, body) for reply, body in answered]
    assert set().union(*failures) <= {"draining"}
    assert len(answered) == len(logged) - len(bodies)
    assert failures.count(set()) > len(bodies)


def _until_gone(server, bodies):
    """Replies until nobody listens any more, a connection for each so that none is cut while idle."""
    answered = []
    while True:
        for body in bodies:
            try:
                answered.append((httpx.post(f"{server.url}/score", json=body, timeout=20), body))
            except httpx.TransportError:
                return answered


def test_an_overload_is_refused_and_moves_no_reward(world):
    """All permits but two are held by those who are slow to send."""
    world.warm()
    with ExitStack() as held:
        for _ in range(14):
            send, _ = held.enter_context(chunked(world.server))
            send(b" ")
        wait_until(lambda: metric(world.client, "cairn_in_flight_requests") >= 14)
        bodies = [LONG, *BODIES] * 4
        replies = world.scored(bodies, at_once=24)
    failures = [world.law.kept(reply, body) for reply, body in zip(replies, bodies, strict=True)]
    assert set().union(*failures) == {"queue_full"}
    assert set() in failures
    for reply, failed in zip(replies, failures, strict=True):
        assert not failed or int(reply.headers["retry-after"]) >= 1


def test_a_deadline_at_any_moment_moves_no_reward(world):
    bodies = [LONG, *BODIES[:3]]
    world.law.learn(bodies)
    replies = []
    for at in (1, 2, 3, 5, 8, 13, 21, 34, 55, 5000):
        for body in bodies:
            world.forget()
            replies.append((world.post(body, headers={"x-request-timeout-ms": str(at)}), body))
    failures = [world.law.kept(reply, body) for reply, body in replies]
    assert set().union(*failures) <= {"deadline_passed", "judge_timeout"}
    assert {"deadline_passed"} in failures
    assert failures[-len(bodies) :] == [set()] * len(bodies)


def test_clients_that_leave_at_any_moment_move_nobody_s_reward(world):
    world.warm()
    world.law.learn([LONG])
    left = metric(world.client, "cairn_requests_total", route="/score", status="499")
    with ThreadPoolExecutor(3) as threads:
        for at in (0.002, 0.005, 0.01, 0.02, 0.04, 0.08):
            world.forget()
            leaving = [threads.submit(_leave, world, LONG, at) for _ in range(2)]
            for reply, body in zip(world.scored([*BODIES[:3], LONG]), [*BODIES[:3], LONG], strict=True):
                assert world.law.kept(reply, body) == set()
            assert all(each.result() is None for each in leaving)
    wait_until(lambda: metric(world.client, "cairn_in_flight_requests") <= 1)  # the one that asks
    assert metric(world.client, "cairn_requests_total", route="/score", status="499") > left


def _leave(world, body, after):
    with suppress(httpx.TimeoutException):
        httpx.post(f"{world.server.url}/score", json=body, timeout=httpx.Timeout(5, read=after))
