"""A leak is told from a memory that wanders, and wandering is not taken for a leak."""

from __future__ import annotations

import numpy as np
import pytest
from soak_slope import Life, slope_of


def wandering(chance, length, *, remembered, leak=0.0, level=500.0):
    noise = chance.normal(size=length + 50) * 10
    for at in range(1, length + 50):
        noise[at] += remembered * noise[at - 1]
    minutes = np.arange(length, dtype=float)
    return Life(minutes, level + leak * minutes + noise[50:])


@pytest.mark.parametrize("remembered", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("lengths", [(25,), (8, 17)])
def test_memory_that_only_wanders_is_seldom_told_to_grow(remembered, lengths):
    chance = np.random.default_rng(5)
    runs = [[wandering(chance, n, remembered=remembered) for n in lengths] for _ in range(400)]
    found = [slope_of(lives) for lives in runs]
    assert np.mean([each.grows for each in found]) < 0.09
    assert np.mean([each.is_flat for each in found]) > 0.84


def test_the_usual_interval_would_see_a_slope_in_every_third_wandering():
    chance = np.random.default_rng(5)
    flat = []
    for _ in range(400):
        life = wandering(chance, 25, remembered=0.8)
        fit, covered = np.polyfit(life.minutes, life.megabytes, 1, cov=True)
        flat.append(abs(fit[0]) < 2.07 * np.sqrt(covered[0, 0]))
    assert np.mean(flat) < 0.67


def test_a_leak_is_seen_in_spite_of_restarts():
    chance = np.random.default_rng(5)
    found = slope_of(
        [wandering(chance, n, remembered=0.5, leak=6.0, level=900.0 - 100 * n) for n in (6, 9, 12)]
    )
    assert found.grows
    assert found.low < 6.0 < found.high


def test_a_fresh_start_is_no_shrinking():
    steady = [Life(np.arange(5.0) + 5 * at, np.full(5, 900.0 - 200 * at)) for at in range(3)]
    found = slope_of(steady)
    assert (found.mb_per_minute, found.low, found.high) == (0.0, 0.0, 0.0)


def test_too_few_points_say_nothing():
    assert slope_of([Life(np.arange(3.0), np.arange(3.0))]) is None
    assert slope_of([]) is None
