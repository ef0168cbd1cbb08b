"""TRL's own trainer, with rewards of a live service: a few steps of the example."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
OUTAGE = range(1, 2)
pytestmark = pytest.mark.filterwarnings("ignore")  # the trainer's own


@pytest.fixture(scope="module")
def runs():
    """Two runs that are the same, and lose the service in their second step of three."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        example = importlib.import_module("trl_grpo")
    finally:
        sys.path.remove(str(EXAMPLES))
    return [example.train(3, 3, down=OUTAGE, warm_steps=10) for _ in range(2)]


def test_a_trainer_gets_rewards_and_metrics_at_every_step(runs):
    first, _, last = runs[0].log
    for row in (first, last):
        assert 0.0 <= row["reward"] <= 1.0
        assert row["reward"] == row["rewards/rubric_reward/mean"]
        assert row["cairn/failed"] == 0.0
        assert 0.0 <= row["cairn/hit_rate"] <= 1.0


def test_a_step_without_the_service_is_masked_and_moves_nothing(runs):
    during = runs[0].log[1]
    assert during["cairn/failed"] == 1.0
    assert during["reward"] is None
    assert during["loss"] == 0.0
    assert during["grad_norm"] == 0.0


def test_the_same_seed_gives_the_same_curve(runs):
    def numbers(run):
        names = ("reward", "cairn/hit_rate", "cairn/degenerate", "completions/mean_length", "grad_norm")
        return [[row[name] for name in names] for row in run.log], run.greedy

    assert numbers(runs[0]) == numbers(runs[1])
