"""Does memory grow? A slope with its confidence interval, for a series that remembers itself.

    slope_of([Life(minutes=(0.0, 1.0, ...), megabytes=(512.0, 513.1, ...)), ...])

Minutes of memory are no independent draws: what is high now is high a minute later. Least squares would take
each for a fact of its own and find a slope in any wandering. So the interval is that of Santer et al. 2000
(J. Geophys. Res. 105, 7337, eqs. 3 to 6): the number of points is cut to that of independent ones,
n (1 - r) / (1 + r), with r the correlation of neighboring residuals, in the standard error and in the
degrees of freedom. That r, which short series show too small, is corrected (Kendall 1954): r + (1 + 4 r) / n.

A server that was started again has a level of its own: all lives share the slope, each has its own mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]

_LEAST_POINTS = 5
_LONGEST_MEMORY = 0.98

Series = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Life:
    """Means of the memory of one process tree, evenly spaced, from one start to its end."""

    minutes: Series
    megabytes: Series


@dataclass(frozen=True, slots=True)
class Slope:
    """In MB a minute, with the ends of the interval; `points` that count as independent are `effective`."""

    mb_per_minute: float
    low: float
    high: float
    points: int
    effective: float
    correlation: float

    @property
    def is_flat(self) -> bool:
        """Not distinguishable from 0."""
        return self.low <= 0.0 <= self.high

    @property
    def grows(self) -> bool:
        return self.low > 0.0


def slope_of(lives: Sequence[Life], *, confidence: float = 0.95) -> Slope | None:
    """Of all lives together; None where there are too few points to say anything."""
    lives = [life for life in lives if len(life.minutes) > 1]
    points = sum(len(life.minutes) for life in lives)
    if points - len(lives) < _LEAST_POINTS:
        return None
    times = [life.minutes - life.minutes.mean() for life in lives]
    sizes = [life.megabytes - life.megabytes.mean() for life in lives]
    spread = sum(float(t @ t) for t in times)
    slope = sum(float(t @ m) for t, m in zip(times, sizes, strict=True)) / spread
    residuals = [m - slope * t for t, m in zip(times, sizes, strict=True)]
    remembered = _correlation(residuals, points)
    effective = points * (1 - remembered) / (1 + remembered)
    free = max(1.0, effective - 1 - len(lives))
    variance = sum(float(each @ each) for each in residuals) / free
    half = float(stats.t.ppf(0.5 + confidence / 2, free)) * math.sqrt(variance / spread)
    return Slope(slope, slope - half, slope + half, points, effective, remembered)


def _correlation(residuals: Sequence[Series], points: int) -> float:
    """Of neighbors, never across two lives, and never below 0."""
    total = sum(float(each @ each) for each in residuals)
    if total == 0.0:
        return 0.0
    seen = sum(float(each[1:] @ each[:-1]) for each in residuals) / total
    return min(_LONGEST_MEMORY, max(0.0, seen + (1 + 4 * seen) / points))
