"""The last groups of every label set beside the reference: what `GET /drift` shows.

    windows = Windows(names=("source",), reference=reference)
    alarm = windows.add(signals)
    windows.views()

A window is a ring of chunks, each with a sketch of every number, so that old groups leave by the chunk and
nothing is kept per rollout.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.drift.bins import place
from service.drift.detector import Alarm, Cause, Detector
from service.drift.gather import Gather
from service.drift.ledger import MOST_SETS, OTHER
from service.drift.reference import WATCHED, Binned, Reference, Series, compare, values_of
from service.drift.signals import Signals
from service.drift.sketch import Sketch
from service.drift.statistics import Statistic

CHUNK_GROUPS = 32
CHUNKS = 8
"""A window is so many chunks that are full, and the one that is being filled."""

_ALARMS_KEPT = 16
_RANKS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Distance:
    """A number of a window against the reference: the statistic and what noise alone would make of it.

    `surprise` is how many deviations above the noise's mean it stands.
    """

    value: float
    noise_mean: float | None
    noise_deviation: float | None

    @property
    def surprise(self) -> float | None:
        """None without a noise floor."""
        if self.noise_mean is None or not self.noise_deviation:
            return None
        return (self.value - self.noise_mean) / self.noise_deviation


@dataclass(frozen=True, slots=True)
class Number:
    """One of `WATCHED` over a window; `prompts` are the distinct ones behind it."""

    values: int
    prompts: int
    mean: float | None
    deviation: float | None
    quantiles: Mapping[float, float]
    distances: Mapping[Statistic, Distance]


@dataclass(frozen=True, slots=True)
class View:
    """A window as it stands; `alarms` are the last ones, since the start."""

    labels: Mapping[str, str]
    groups: int
    prompts: int
    rollouts: int
    numbers: Mapping[str, Number]
    compared: bool
    evidence: float
    alarms: Sequence[Alarm]


@dataclass(frozen=True, slots=True)
class Stand:
    """How far the next alarm is, how many there were, and what the last one said."""

    evidence: float
    changes: int
    causes: Sequence[Cause]


class Windows:
    """One window over all groups, and one per label set, of which there are at most `MOST_SETS`.

    `names` are the labels that part them. A label set is compared with a series of its own labels alone: one
    source is no sample of all of them.
    """

    def __init__(self, *, names: Sequence[str] = (), reference: Reference | None = None) -> None:
        self._names = tuple(names)
        self._nameless = ("",) * len(self._names)
        self.reference = reference
        self._windows: dict[tuple[str, ...], _Window] = {}

    def add(self, signals: Signals) -> Alarm | None:
        """Take a group in; an alarm where it shows that the policy has changed."""
        keys = dict.fromkeys((self._nameless, self._key(signals.labels)))
        alarms = [self._window(key).add(signals) for key in keys]
        return next((each for each in alarms if each), None)

    def stands(self) -> list[tuple[tuple[str, ...], Stand]]:
        """Of each label set: what the detector has to say, without the numbers."""
        return [(key, window.stand()) for key, window in self._windows.items()]

    def views(self) -> list[View]:
        """All of them, the one over all groups first."""
        return [window.view() for window in self._windows.values()]

    def listed(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Those that part the windows. The others may have any value, and a log is no place for that."""
        return {name: labels[name] for name in self._names if name in labels}

    def _key(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        key = tuple(labels.get(name, "") for name in self._names)
        known = key in self._windows or len(self._windows) < MOST_SETS
        return key if known else (OTHER,) * len(self._names)

    def _window(self, key: tuple[str, ...]) -> _Window:
        if key not in self._windows:
            labels = {name: value for name, value in zip(self._names, key, strict=True) if value}
            self._windows[key] = _Window(labels, self.reference.of(labels) if self.reference else None)
        return self._windows[key]


@dataclass(slots=True)
class _Chunk:
    groups: int = 0
    rollouts: int = 0
    prompts: set[str] = field(default_factory=set)
    sketches: dict[str, Sketch] = field(default_factory=lambda: {name: Sketch() for name in WATCHED})
    counts: dict[str, Any] = field(
        default_factory=lambda: {name: np.zeros(len(ends) + 1) for name, ends in WATCHED.items()}
    )
    sums: dict[str, Any] = field(default_factory=lambda: {name: np.zeros(2) for name in WATCHED})

    def add(self, signals: Signals) -> None:
        self.groups += 1
        self.rollouts += signals.size
        self.prompts.add(signals.prompt)
        for name, ends in WATCHED.items():
            if values := values_of(signals, name):
                self.sketches[name].add(values)
                self.counts[name] += place(values, ends)
                self.sums[name] += (math.fsum(values), math.fsum([each * each for each in values]))


class _Window:
    def __init__(self, labels: Mapping[str, str], series: Series | None) -> None:
        self._labels = labels
        self._series = series
        self._gather = Gather()
        self._detector = Detector(series.moments()) if series else None
        self._chunks: deque[_Chunk] = deque([_Chunk()], maxlen=CHUNKS + 1)
        self._alarms: deque[Alarm] = deque(maxlen=_ALARMS_KEPT)
        self._changes = 0

    def add(self, signals: Signals) -> Alarm | None:
        if self._chunks[-1].groups >= CHUNK_GROUPS:
            self._chunks.append(_Chunk())
        self._chunks[-1].add(signals)
        if self._detector is None:
            return None
        alarms = [self._detector.add(features) for features in self._gather.add(signals)]
        alarm = next((each for each in alarms if each), None)
        if alarm:
            self._alarms.append(alarm)
            self._changes += 1
        return alarm

    def stand(self) -> Stand:
        evidence = self._detector.evidence if self._detector else 0.0
        return Stand(evidence, self._changes, self._alarms[-1].causes if self._alarms else ())

    def view(self) -> View:
        prompts = set[str]().union(*(each.prompts for each in self._chunks))
        return View(
            labels=self._labels,
            groups=sum(each.groups for each in self._chunks),
            prompts=len(prompts),
            rollouts=sum(each.rollouts for each in self._chunks),
            numbers={name: self._number(name, prompts=len(prompts)) for name in WATCHED},
            compared=self._series is not None,
            evidence=self.stand().evidence,
            alarms=tuple(self._alarms),
        )

    def _number(self, name: str, *, prompts: int) -> Number:
        sketch = Sketch.merged(each.sketches[name] for each in self._chunks)
        total, squares = np.sum([each.sums[name] for each in self._chunks], axis=0).tolist()
        count = sketch.count
        mean = total / count if count else None
        return Number(
            values=count,
            prompts=prompts,
            mean=mean,
            deviation=None if mean is None else math.sqrt(max(0.0, squares / count - mean * mean)),
            quantiles=dict(zip(_RANKS, sketch.quantiles(_RANKS), strict=False)),
            distances=self._distances(name, sketch, prompts=prompts) if count else {},
        )

    def _distances(self, name: str, sketch: Sketch, *, prompts: int) -> dict[Statistic, Distance]:
        then = self._series.numbers.get(name) if self._series else None
        if then is None or not sum(then.shares):
            return {}
        now = Binned(np.sum([each.counts[name] for each in self._chunks], axis=0), sketch.curve())
        found = compare(now, shares=then.shares, then=then.curve(WATCHED[name]))
        floors = {statistic: then.floor_at(statistic, prompts) for statistic in found}
        return {
            statistic: Distance(value, floor.mean if floor else None, floor.deviation if floor else None)
            for (statistic, value), floor in zip(found.items(), floors.values(), strict=True)
        }
