"""A service with Redis gives the rewards of one without, whatever Redis does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.bodies import group, long_text
from tests.service.serving import metric, running, wait_until
from tests.service.store.server import binaries, free_port, serving

BODIES = [group(long_text(seed, 5_000), long_text(seed + 100, 5_000), id=str(seed)) for seed in range(40)]
HITS = {"result": "hit"}


@pytest.fixture(scope="module")
def redis():
    with serving(next(iter(binaries().values()))) as it:
        yield it


def _scored(client, bodies=BODIES):
    """What every group got, but for the time it took."""
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda body: client.post("/score", json=body), bodies))
    assert {each.status_code for each in replies} == {200}
    return [{**each.json(), "timings_ms": None} for each in replies]


def _trouble(client):
    kinds = ("late", "unreachable", "refused", "foreign", "left_alone", "dropped")
    return {kind for kind in kinds if metric(client, "cairn_cache_trouble_total", kind=kind)}


def test_another_server_takes_over_what_the_first_has_scored(redis):
    patient = {"redis_url": redis.url, "redis_budget_ms": 1000}  # a miss would be a fault here
    with running(**patient) as first, first.client() as client:
        fresh = _scored(client)
        wait_until(lambda: redis.say("DBSIZE") == b":%d" % (2 * len(BODIES)))
        assert _scored(client) == fresh
    with running(**patient) as second, second.client() as client:
        assert _scored(client) == fresh
        assert metric(client, "cairn_cache_lookups_total", **HITS) == 2 * len(BODIES)
        other = [{**body, "scheme": {"name": "longtrace", "eta": 0.1}} for body in BODIES[:3]]
        assert _scored(client, other) != fresh[:3]
        assert metric(client, "cairn_cache_lookups_total", **HITS) == 2 * len(BODIES) + 6
        assert _trouble(client) == set()


def test_a_redis_that_dies_under_load_fails_no_request_and_moves_no_reward(redis):
    with (
        running(redis_url=redis.url, redis_prefix="other", cache_bytes=0) as server,
        server.client() as client,
    ):
        before = _scored(client)
        with ThreadPoolExecutor(1) as killer:
            load = killer.submit(_scored, client, BODIES * 4)
            redis.kill()
            during = load.result()
        redis.start()
        redis.pause()
        stalled = _scored(client)
        redis.resume()
        assert during == before * 4
        assert stalled == before
        assert "left_alone" in _trouble(client)
        assert metric(client, "cairn_breaker_open", of="redis") == 1
        assert metric(client, "cairn_workers", state="all") == 1
        events = [each["event"] for each in server.events()]
        assert events.count("cache_left_alone") <= 2


def test_a_redis_that_was_never_there_does_not_stop_the_start():
    with running(redis_url=f"redis://:hunter2@127.0.0.1:{free_port()}") as server, server.client() as client:
        assert client.get("/readyz").status_code == 200
        _scored(client, BODIES[:3])
        assert _trouble(client) >= {"unreachable"}
        assert "hunter2" not in server.log.read_text()
