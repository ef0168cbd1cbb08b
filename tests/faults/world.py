"""A real service with everything that it depends on, each behind a network that can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.faults.law import Body, Law
from tests.faults.proxy import Proxy, proxied
from tests.service.bodies import FIVE, FOUR, group, long_text
from tests.service.embedding import test_remote as embedding
from tests.service.judge import double
from tests.service.serving import Running, metric, running, wait_until
from tests.service.store import server as store
from tests.service.test_semantics import SCORER

KINDS = ("late", "unreachable", "refused", "foreign", "left_alone", "dropped")
WRONG = FOUR.replace("Moroccan-Swedish", "Danish")


def rollouts(*responses: str, **more: object) -> list[dict[str, object]]:
    """Rollouts that keep their names where one of them is missing."""
    return [{"id": f"r{at}", "response": each, **more} for at, each in enumerate(responses)]


def by_match(seed: object) -> Body:
    texts = rollouts(FOUR, FIVE, long_text(seed, 3_000), f"<think>{seed}", f"{FIVE} {seed}")
    return group(*texts, id=f"match {seed}", question=f"Which nationality? {seed}")


def by_judge(seed: object) -> Body:
    """Two rollouts have an outcome already, two wait for the judge."""
    texts = [*rollouts(FIVE, FOUR, outcome=1.0), *rollouts(WRONG, f"{FIVE} {seed}")]
    named = [{**each, "id": f"r{at}"} for at, each in enumerate(texts)]
    return group(*named, id=f"judge {seed}", question=f"Nationality? {seed}", verifier={"name": "judge"})


def by_model(seed: int) -> Body:
    """Names in other words, which only vectors find; the model has not seen them under another seed."""
    name = "Zorqa" + "".join("bdfgklmnrt"[int(digit)] + "u" for digit in f"{seed:03}")
    texts = [
        f"In the end he went to the {name} University in Berkeley. Lady Gaga did not.",
        f"Nobody saw {name}’s highlands in May.",
        f"He came from Berkeley's {name} University.",
        "Nothing of that; Lady Gaga spoke.",
        "Lady Gaga again.",
    ]
    rubric = {"entities": [f"University of {name}, Berkeley", f"{name}an Highlands", "Lady Gaga"]}
    return {
        "id": f"model {seed}",
        "rubric": rubric,
        "rollouts": rollouts(*texts, outcome=1.0),
        "profile": "balanced",
    }


BODIES: list[Body] = [make(seed) for seed in range(3) for make in (by_match, by_judge, by_model)]


@dataclass(frozen=True)
class World:
    """The service, what it depends on, and the ways there."""

    server: Running
    client: httpx.Client
    law: Law
    redis: store.Running
    judge: double.Double
    model: embedding.Server
    to_redis: Proxy
    to_judge: Proxy
    to_model: Proxy

    def post(self, body: Body, **options: Any) -> httpx.Response:
        return self.client.post("/score", json=body, **options)

    def scored(self, bodies: list[Body] = BODIES, *, at_once: int = 6) -> list[httpx.Response]:
        """Replies in order, several at a time."""
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(self.post, bodies))

    def trouble(self) -> dict[str, float]:
        """With the cache, by kind, since the server was started."""
        return {kind: metric(self.client, "cairn_cache_trouble_total", kind=kind) for kind in KINDS}

    def hits(self) -> float:
        return metric(self.client, "cairn_cache_lookups_total", result="hit")

    def stages(self) -> set[str]:
        """By which the entities of all groups are found when all is well."""
        told = [self.law.fault_free(body) for body in BODIES]
        return {each["stage"] for reply in told for one in reply["rollouts"] for each in one["criteria"]}

    def forget(self) -> None:
        """Nothing is stored."""
        self.redis.say("FLUSHALL")

    def warm(self) -> None:
        """All is well, and everything is stored."""
        self.recover()
        self.forget()
        self.scored()
        before = [-1.0]

        def still() -> bool:
            before.append(float(self.redis.say("DBSIZE")[1:]))
            return before[-1] == before[-2]

        wait_until(still)

    def recover(self) -> None:
        """Nothing is wrong any more, and the cache is used: the breaker has closed."""
        for proxy in (self.to_redis, self.to_judge, self.to_model):
            proxy.fault = None

        def remembered() -> bool:
            before, found = self.trouble(), self.hits()
            self.post(BODIES[0])
            return self.trouble() == before and self.hits() > found

        wait_until(remembered)


@contextmanager
def built() -> Iterator[World]:
    """Every part in a process or thread of its own; no memory in the service, so that it asks Redis."""
    binary = next(iter(store.binaries().values()))
    with (
        store.serving(binary) as redis,
        double.in_thread(double.honest) as judge,
        embedding.serving() as (model, model_url),
        proxied(redis.port) as to_redis,
        proxied(_port(judge.url)) as to_judge,
        proxied(_port(model_url)) as to_model,
        TemporaryDirectory() as folder,
    ):
        calibration = Path(folder) / "calibration.json"
        calibration.write_text(json.dumps(SCORER | {"model": "remote:some/model:abc:"}))
        settings = {
            "workers": 2,
            "max_in_flight": 16,
            "cache_bytes": 0,
            "redis_url": f"redis://127.0.0.1:{to_redis.port}",
            "redis_budget_ms": 200,
            "judge_url": f"http://127.0.0.1:{to_judge.port}/v1",
            "judge_model": "a-judge",
            "judge_tries": 1,
            "judge_timeout_s": 1,
            "judge_deadline_s": 2,
            "judge_breaker_failures": 1000,
            "embedding_model": "remote",
            "embedding_url": f"http://127.0.0.1:{to_model.port}",
            "embedding_timeout_s": 1,
            "embedding_retries": 0,
            "calibration": calibration,
        }
        with running(**settings) as server, server.client() as client:
            law = Law(client, forget=lambda: redis.say("FLUSHALL"))
            world = World(server, client, law, redis, judge, model, to_redis, to_judge, to_model)
            world.law.learn(BODIES)
            assert {"embedding", "exact"} <= world.stages()
            yield world


def _port(url: str) -> int:
    return httpx.URL(url).port or 0
