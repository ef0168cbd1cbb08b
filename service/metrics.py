"""Every metric of the service, once. Labels hold words of our own, or values that the settings list.

What the rewards say (`cairn_reward`, `cairn_criteria_total`, …) is counted by `service/drift/ledger.py`, and
whether they have moved by `service/drift/telling.py`; both stand in the same registry.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.registry import Collector

from rubric.entity import Verdict
from rubric.wire import ScoreReply
from service.drift.ledger import OTHER, Ledger
from service.drift.signals import Asked, Seen, Signals, read


class Step(Protocol):
    """One turn of the embedding model, as the batcher tells it."""

    @property
    def texts(self) -> int: ...

    @property
    def tokens(self) -> int: ...

    @property
    def halved(self) -> int: ...

    @property
    def seconds(self) -> float: ...


class Opens(Protocol):
    """Leaves somebody alone while they are down."""

    @property
    def is_open(self) -> bool: ...


class Busy(Protocol):
    """The worker processes."""

    @property
    def count(self) -> int: ...

    @property
    def busy(self) -> int: ...


class Inside(Protocol):
    """Requests that hold a place, and the bytes of their bodies."""

    @property
    def taken(self) -> int: ...

    @property
    def bytes(self) -> int: ...


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_TOKENS = (64, 256, 1024, 4096, 16384, 65536)

FAILURES = (
    *("internal", "worker_lost", "embedding_failed"),
    *("judge_unreachable", "judge_timeout", "judge_unparsable", "judge_refused", "judge_quota"),
)
"""Types of failures that are counted under their own names."""

TROUBLE = ("late", "unreachable", "refused", "foreign", "left_alone", "dropped")
"""What can go wrong with the shared cache, as `service/store/trouble.py` names it."""


class Metrics:
    """The metrics of one app, in a registry of its own. `labels` are names that requests may carry."""

    def __init__(
        self,
        *,
        labels: Sequence[str] = (),
        build: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        registry = self._registry = CollectorRegistry()
        self._ledger = Ledger(labels=labels, clock=clock)
        registry.register(self._ledger)

        def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(f"cairn_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(f"cairn_{name}", meaning, labels, registry=registry)

        def histogram(
            name: str, meaning: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS
        ) -> Histogram:
            return Histogram(f"cairn_{name}", meaning, labels, buckets=buckets, registry=registry)

        # requests
        self.requests = counter("requests", "Requests answered.", ("route", "status"))
        self.request_seconds = histogram("request_seconds", "From the first byte to the answer.", ("route",))
        self.in_flight = gauge("in_flight_requests", "Requests being answered.")
        self.places = gauge("places_taken", "Requests inside, by what they wait for.", ("waits",))
        self.bytes_in_flight = gauge("in_flight_bytes", "Bytes of their bodies.", ("waits",))
        self.refusals = counter("refusals", "Requests that were not scored.", ("type",))
        self.failures = counter("failures", "Rollouts without a score.", ("type",))
        # where the time goes
        self.match_seconds = histogram("match_seconds", "From a group to its verdicts.")
        self.embed_seconds = histogram("embed_seconds", "From plans to what the model says of them.")
        self.lag_seconds = histogram("loop_lag_seconds", "How late the event loop comes back.", (), _LAG)
        # the embedding model and its queue
        self.queue_tokens = gauge("embed_queue_tokens", "Tokens that wait for the embedding model.")
        self.queue_seconds = histogram("embed_queue_seconds", "Waiting for the embedding model.")
        self.step_seconds = histogram("embed_step_seconds", "One step of the embedding model.")
        self.step_texts = histogram("embed_step_texts", "Texts in one step.", (), _TEXTS)
        self.step_tokens = histogram("embed_step_tokens", "Tokens in one step.", (), _TOKENS)
        self.embed_halved = counter("embed_halved", "Steps cut in half for a lack of memory.")
        # workers, cache, judge
        self.workers = gauge("workers", "Worker processes.", ("state",))
        self.workers_lost = counter("workers_lost", "Worker processes that died at work.")
        self.cache_lookups = counter("cache_lookups", "Verdicts by where they come from.", ("result",))
        self.cache_trouble = counter("cache_trouble", "What went wrong with the shared cache.", ("kind",))
        self.cache_rechecks = counter("cache_rechecks", "Verdicts of the cache scored again.", ("result",))
        self.breaker_open = gauge("breaker_open", "1 while nobody is asked.", ("of",))
        self.judge_calls = counter("judge_calls", "Calls to the judge, by how they ended.", ("result",))
        self.judge_seconds = histogram("judge_seconds", "One call to the judge.")
        self.cases = counter("verified", "Outcomes that no trainer gave, by who was asked.", ("by",))
        self._hit, self._miss, self._joined = (
            self.cache_lookups.labels(each) for each in ("hit", "miss", "joined")
        )
        self._by_judge, self._by_match = self.cases.labels("judge"), self.cases.labels("match")
        for kind in (*FAILURES, OTHER):
            self.failures.labels(kind)  # so that a first one is seen as an increase from 0
        for kind in TROUBLE:
            self.cache_trouble.labels(kind)
        for result in ("same", "different", "failed"):
            self.cache_rechecks.labels(result)
        info = {_NOT_A_LABEL.sub("_", name): value for name, value in (build or {}).items()}
        Info("cairn_build", "What makes the numbers.", registry=registry).info(info)

    def add(self, collector: Collector) -> None:
        """Show the metrics of another part on the same page."""
        self._registry.register(collector)

    def observed(self, signals: Signals) -> None:
        """Count one group that was answered."""
        self._ledger.add(signals)

    def failed(self, kind: str) -> None:
        """Count a rollout without a score."""
        self.failures.labels(kind if kind in FAILURES else OTHER).inc()

    def scored(self, reply: ScoreReply, verdicts: Sequence[object], *, labels: Mapping[str, str]) -> None:
        """Count one group of which neither texts nor hops are known."""
        found = [each if isinstance(each, Verdict) else None for each in verdicts]
        seen = [
            Seen(
                out.status,
                out.reward,
                out.rubric.score if out.rubric else None,
                None,
                criteria=verdict.criteria if verdict else (),
                flags=verdict.flags if verdict else (),
            )
            for out, verdict in zip(reply.rollouts, found, strict=True)
        ]
        size = max((len(each.criteria) for each in found if each), default=0)
        self.observed(read(seen, asked=(Asked("none"),) * size, prompt=reply.id or "", labels=labels))
        for rollout in reply.rollouts:
            if rollout.failure:
                self.failed(rollout.failure.type)

    def looked_up(self, *, hits: int, misses: int, joined: int) -> None:
        """Count the rollouts of one group by where their verdicts come from."""
        self._hit.inc(hits)
        self._miss.inc(misses)
        self._joined.inc(joined)

    def cache_troubled(self, kind: str) -> None:
        """Count one thing that went wrong with the shared cache."""
        self.cache_trouble.labels(kind).inc()

    def rechecked(self, result: str) -> None:
        """Count a verdict of the cache that was scored again: `same`, `different` or `failed`."""
        self.cache_rechecks.labels(result).inc()

    def waited(self, seconds: float) -> None:
        """Note how long texts waited for the embedding model."""
        self.queue_seconds.observe(seconds)

    def stepped(self, step: Step) -> None:
        """Count one step of the embedding model."""
        self.step_seconds.observe(step.seconds)
        self.step_texts.observe(step.texts)
        self.step_tokens.observe(step.tokens)
        self.embed_halved.inc(step.halved)

    def judge_called(self, result: str, seconds: float) -> None:
        """Count one call to the judge: `ok`, `cancelled` or the type of its failure."""
        self.judge_calls.labels(result).inc()
        self.judge_seconds.observe(seconds)

    def verified(self, *, asked: int, spared: int) -> None:
        """Count the rollouts that a judge was asked about, and those that it was spared."""
        self._by_judge.inc(asked)
        self._by_match.inc(spared)

    def watch_queue(self, tokens: Callable[[], float]) -> None:
        """Ask this for the length of the embedding model's queue, whenever the page is read."""
        self.queue_tokens.set_function(tokens)

    def watch_workers(self, workers: Busy) -> None:
        """Ask these how many there are and how many have work."""
        self.workers.labels("busy").set_function(lambda: workers.busy)
        self.workers.labels("all").set_function(lambda: workers.count)

    def watch_pool(self, waits: str, pool: Inside) -> None:
        """Ask this for the requests and the bytes inside that wait for something."""
        self.places.labels(waits).set_function(lambda: pool.taken)
        self.bytes_in_flight.labels(waits).set_function(lambda: pool.bytes)

    def watch_breaker(self, of: str, breaker: Opens) -> None:
        """Ask this whether somebody (`judge`, `redis`) is given a rest."""
        self.breaker_open.labels(of).set_function(lambda: breaker.is_open)

    async def measure_lag(self, *, every_s: float = 0.25) -> None:
        """Note, until cancelled, how late the event loop comes back to whoever sleeps."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + every_s
            await asyncio.sleep(every_s)
            self.lag_seconds.observe(max(0.0, loop.time() - due))

    def page(self) -> bytes:
        """The metrics as Prometheus reads them."""
        return generate_latest(self._registry)


_NOT_A_LABEL = re.compile(r"[^a-zA-Z0-9_]|^(?=[0-9])")
