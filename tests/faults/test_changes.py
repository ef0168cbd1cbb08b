"""Another model, calibration, judge or default beside a cache that knows the old ones: nothing stale."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.faults.law import timeless
from tests.faults.world import by_judge, by_match, by_model
from tests.service.judge import double
from tests.service.serving import metric, running, wait_until
from tests.service.store.server import binaries, serving
from tests.service.test_semantics import SCORER

BODIES = [make(seed) for seed in range(2) for make in (by_match, by_judge, by_model)]
SPLITTING = SCORER | {"model": "hash:64", "base": 4000}
"""Takes for a name what the other scorer does not."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """One of each kind, started side by side; all remember in the same Redis, under the same names."""
    folder = tmp_path_factory.mktemp("calibration")
    for name, scorer in {"first": SCORER, "other": SPLITTING}.items():
        (folder / f"{name}.json").write_text(json.dumps(scorer))
    with ExitStack() as stack:
        redis = stack.enter_context(serving(next(iter(binaries().values()))))
        honest = stack.enter_context(double.in_thread(double.honest))
        lenient = stack.enter_context(double.in_thread(double.says("yes")))
        usual = {
            "workers": 0,
            "cache_bytes": 0,
            "redis_url": redis.url,
            "redis_budget_ms": 1000,
            "embedding_model": "hash",
            "calibration": folder / "first.json",
            "judge_url": honest.url,
            "judge_model": "a-judge",
        }
        changes = {
            "the same": {},
            "calibration": {"calibration": folder / "other.json"},
            "judge": {"judge_url": lenient.url, "judge_model": "another-judge"},
            "defaults": {"profile": "legacy", "incomplete": "mask", "scheme": "gear"},
        }
        with ThreadPoolExecutor(len(changes)) as threads:
            begun = {
                name: threads.submit(stack.enter_context, running(**{**usual, **change}))
                for name, change in changes.items()
            }
        yield redis, {name: each.result() for name, each in begun.items()}


def _scored(server):
    with server.client() as client:
        return [timeless(client.post("/score", json=body)) for body in BODIES]


@pytest.mark.parametrize("change", ["calibration", "judge", "defaults"])
def test_a_server_that_was_changed_takes_nothing_stale_from_the_cache(servers, change):
    redis, named = servers
    redis.say("FLUSHALL")
    fresh = _scored(named[change])
    redis.say("FLUSHALL")
    before = _scored(named["the same"])
    wait_until(lambda: redis.say("DBSIZE") != b":0")
    after = _scored(named[change])
    assert after == fresh
    assert _scored(named["the same"]) == before
    assert [each["rollouts"] for each in after] != [each["rollouts"] for each in before]


def test_a_server_that_is_the_same_takes_all_of_it(servers):
    """Else the others would prove nothing."""
    redis, named = servers
    redis.say("FLUSHALL")
    before = _scored(named["the same"])
    with named["the same"].client() as client:
        wait_until(lambda: redis.say("DBSIZE") == redis.say("DBSIZE") != b":0")
        hits = metric(client, "cairn_cache_lookups_total", result="hit")
        assert _scored(named["the same"]) == before
        assert metric(client, "cairn_cache_lookups_total", result="hit") > hits
