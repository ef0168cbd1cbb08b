"""Has the policy changed? A sequential test over the numbers of groups, with a known rate of false alarms.

    detector = Detector(reference.features); alarm = detector.add(signals.features)

Every feature is bet on, up and down, with stakes of several sizes. A bet multiplies a wealth by
1 + stake * (z - slack), which loses on average as long as the feature's mean is within the slack of the
reference's; whenever a change might begin, a new bettor joins with wealth 1. A weighted mean over all bets,
M, then grows by at most 1 a group, and an alarm at M >= c comes, without a change, after c groups or more on
average, whatever the distribution of the features and however they hang together. A change makes one bet
grow exponentially. Source: Shin, Ramdas, Rinaldo, "E-detectors", arXiv 2203.03532 (its Shiryaev-Roberts
form).

Half of the weight is on the bets on `reward`, the number that training moves; all other features share the
other half. It is a choice made beforehand, and costs them at most ln 2 more evidence.

The slack is what the reference itself does not know: `SLACK` standard errors, counted by distinct prompts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.drift.signals import FEATURES, Floats

Booleans = NDArray[np.bool_]

GROUPS_PER_FALSE_ALARM = 20_000
"""At least so many, on average, from one false alarm to the next."""

SLACK = 1.5
_STAKES = (0.2, 0.5)
_CLIP = 4.0
_REWARD_SHARE = 0.5
_LEAST_SCALE = 0.02
_MOST_LOSS = 0.9
_NAMED, _TOLD_SHARE = 5, 0.01


@dataclass(frozen=True, slots=True)
class Moments:
    """A feature over groups of the reference; `prompts` are the distinct ones that say something of it."""

    mean: float
    deviation: float
    prompts: int


@dataclass(frozen=True, slots=True)
class Cause:
    """A feature, which way it went, and its part of the evidence."""

    feature: str
    up: bool
    share: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """The policy has changed: what says so, and how many groups ago the evidence began to grow."""

    group: int
    since: int
    causes: tuple[Cause, ...]


class Detector:
    """Watches one stream of groups. After an alarm it begins again: a lasting change is told again."""

    def __init__(
        self, features: Mapping[str, Moments], *, groups_per_false_alarm: float = GROUPS_PER_FALSE_ALARM
    ) -> None:
        known = [features.get(name, Moments(math.nan, math.nan, 0)) for name in FEATURES]
        prompts = np.array([max(1, each.prompts) for each in known], dtype=float)
        deviation = np.array([each.deviation for each in known])
        mean = np.array([each.mean for each in known])
        self._limit = groups_per_false_alarm
        self._scale = np.maximum(deviation, _LEAST_SCALE)
        slack = SLACK * deviation / np.sqrt(prompts) + 1.0 / prompts
        self._centers = np.stack([mean + slack, mean - slack])
        reach = np.stack([(mean + slack) / self._scale, (1.0 - mean + slack) / self._scale])
        most = _MOST_LOSS / np.minimum(_CLIP, np.maximum(reach, 1e-3))
        self._stakes = np.minimum(np.array(_STAKES)[:, None, None], most)
        self._usable = ~np.isnan(mean) & (np.array([each.prompts for each in known]) > 1)
        self._weights = _weights(self._usable) / (2 * len(_STAKES))
        self._wealth = np.zeros(self._stakes.shape)
        self.groups = 0
        self._began = 0

    @property
    def evidence(self) -> float:
        """How far the alarm is, in [0, 1] until it comes: the logarithm of M over that of c."""
        return max(0.0, math.log(max(1.0, self._mean()))) / math.log(self._limit)

    def add(self, features: Floats) -> Alarm | None:
        """Take one group in. A feature of which the group says nothing is not bet on."""
        self.groups += 1
        told = self._usable & ~np.isnan(features)
        z = np.where(told, (features - self._centers) / self._scale, 0.0)
        z = np.maximum(z * _SIGNS, -_CLIP)
        bets = 1.0 + self._stakes * z
        self._wealth = np.where(told, bets * (self._wealth + 1.0), self._wealth)
        mean = self._mean()
        if mean <= self.groups - self._began:  # no more than chance has it
            self._quiet = self.groups
        if mean < self._limit:
            return None
        alarm = Alarm(self.groups, self.groups - self._quiet, self.causes())
        self._wealth = np.zeros(self._wealth.shape)
        self._began = self._quiet = self.groups
        return alarm

    def causes(self) -> tuple[Cause, ...]:
        """Where the evidence comes from, the most of it first."""
        parts = (self._wealth * self._weights).sum(axis=0)
        total = float(parts.sum()) or 1.0
        order = np.argsort(parts, axis=None)[::-1][:_NAMED]
        places = [divmod(int(place), len(FEATURES)) for place in order]
        return tuple(
            Cause(FEATURES[feature], side == 0, float(parts[side, feature]) / total)
            for side, feature in places
            if parts[side, feature] > _TOLD_SHARE * total
        )

    def _mean(self) -> float:
        return float((self._wealth * self._weights).sum())

    _quiet = 0


def _weights(usable: Booleans) -> Floats:
    """One per feature; they add up to 1 where any is usable."""
    rest = usable & ~_IS_REWARD
    share = _REWARD_SHARE if rest.any() else 1.0
    weights: Floats = np.where(usable & _IS_REWARD, share, 0.0)
    weights[rest] = (1.0 - weights.sum()) / max(1, int(rest.sum()))
    return weights


_IS_REWARD = np.array([name == "reward" for name in FEATURES])

_SIGNS = np.array([[1.0], [-1.0]])
