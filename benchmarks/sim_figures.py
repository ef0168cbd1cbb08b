"""What work takes in the simulation: read from the results of measurements, never written here by hand.

How long a worker, the front process and the client are busy with a rollout was seen in a real service
(`sim_measure.py`); how much texts differ is `matching.json`'s; what the front does before and after matching
is `cache.json`'s.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from measure import RESULTS

KINDS = ("ASCII", "Unicode", "lively", "real")
"""Kinds of texts in `matching.json`, each as likely as another."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one rollout costs Redis."""

    commands: float
    bytes: float
    server_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of one core, by the size of a rollout; `spread` are factors between kinds of texts."""

    kb: tuple[float, ...]
    client_ms: tuple[float, ...]
    front_ms: tuple[float, ...]
    worker_ms: tuple[float, ...]
    spread: tuple[float, ...]
    front_before: float
    redis_read: Asked
    redis_write: Asked

    def client_s(self, sizes: Sequence[float]) -> float:
        """Of the trainer's process, for one group."""
        return sum(self._at(self.client_ms, size) for size in sizes)

    def front_s(self, sizes: Sequence[float]) -> float:
        """Of a pod's own process, for one group."""
        return sum(self._at(self.front_ms, size) for size in sizes)

    def worker_s(self, sizes: Sequence[float], chance: random.Random) -> float:
        """Of a worker, for the rollouts of one piece: each is of some kind."""
        return sum(self._at(self.worker_ms, size) * chance.choice(self.spread) for size in sizes)

    def slower(self, times: float) -> Figures:
        """The same work on cores of which so much less is left."""
        client, front, worker = (
            tuple(times * each for each in ms) for ms in (self.client_ms, self.front_ms, self.worker_ms)
        )
        return replace(self, client_ms=client, front_ms=front, worker_ms=worker)

    def mean_worker_s(self, kb: float) -> float:
        """Of a worker, for one rollout."""
        return self._at(self.worker_ms, kb * 1000) * sum(self.spread) / len(self.spread)

    def _at(self, ms: Sequence[float], size: float) -> float:
        """Between the sizes that were measured on a straight line, beyond the last on its continuation."""
        known, kb = self.kb, size / 1000
        right = next((at for at in range(1, len(known)) if kb <= known[at]), len(known) - 1)
        low, high = known[right - 1], known[right]
        slope = (ms[right] - ms[right - 1]) / (high - low)
        return max(ms[right - 1] + slope * (kb - low), 0.0) / 1e3


def read(measured: Mapping[str, Any], *, kinds: Sequence[str] = KINDS) -> Figures:
    """The figures of the last measurements; `measured` is what `sim_measure.py` found."""
    bursts = measured["bursts"]
    stages = _results("matching")["milliseconds by stage"]
    whole = {kind: stages[kind]["whole, strict"] for kind in KINDS}
    parts = _results("cache")["parts_of_a_warm_request_ms"]
    before = sum(parts[name] for name in ("parse", "prepare", "keys (SHA-256)"))
    after = sum(parts[name] for name in ("decode", "compose", "write"))
    by = {
        name: tuple(each["cpu_ms_per_rollout"][name] for each in bursts)
        for name in ("client", "front", "workers")
    }
    read, write = _redis(measured["redis"][-1]["per_rollout"])
    return Figures(
        kb=tuple(float(each["kb"]) for each in bursts),
        client_ms=by["client"],
        front_ms=by["front"],
        worker_ms=by["workers"],
        spread=tuple(whole[kind] / whole["ASCII"] for kind in kinds),
        front_before=before / (before + after),
        redis_read=read,
        redis_write=write,
    )


def _redis(moved: Mapping[str, Mapping[str, float]]) -> tuple[Asked, Asked]:
    """A new rollout is asked for in vain, and written. What is asked for in vain costs what its key does."""
    cold, warm = moved["cold"], moved["warm"]
    read = Asked(warm["commands"], warm["bytes_in"], warm["server_cpu_ms"] / 1e3)
    both = cold["bytes_in"] + cold["bytes_out"]
    server_s = max(cold["server_cpu_ms"] / 1e3 - read.server_s, 0.0)
    return read, Asked(cold["commands"] - read.commands, both - read.bytes, server_s)


def _results(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())["results"]
