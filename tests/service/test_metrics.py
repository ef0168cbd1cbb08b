from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rubric.entity import CriterionFlag, RolloutFlag, Stage
from service.drift.ledger import MOST_SETS, REMEMBERED_S
from service.drift.reference import freeze
from service.drift.telling import Telling
from service.drift.windows import Windows
from service.metrics import FAILURES, TROUBLE, Metrics
from service.store.trouble import Trouble
from tests.service.drift.making import drawn, group, rollout

MOST_SERIES = 8000


def page(metrics):
    """Values by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
    }


def value(metrics, name, **labels):
    return page(metrics)[name, tuple(sorted(labels.items()))]


def counted(*groups, labels=()):
    metrics = Metrics(labels=labels)
    for each in groups:
        metrics.observed(each)
    return metrics


def test_no_request_can_make_more_series_than_prometheus_holds():
    reference = freeze([drawn(Random(f"g {number}")) for number in range(150)], source="test")
    windows = Windows(names=("source", "policy", "split"), reference=reference)
    metrics = Metrics(labels=("source", "policy", "split"), build={"version": "1"})
    metrics.add(Telling(windows, names=("source", "policy", "split")))
    for number in range(2000):
        labels = {"source": f"s{number}", "policy": f"p{number % 7}", "split": "train"}
        signals = group(prompt=f"p{number}", labels=labels)
        metrics.observed(signals)
        windows.add(signals)
        metrics.failed(f"failure {number}")
    found = page(metrics)
    assert len(found) < MOST_SERIES
    sets = {labels for name, labels in found if name == "cairn_degenerate_groups_total"}
    assert len(sets) == MOST_SETS
    assert (("policy", "other"), ("source", "other"), ("split", "other")) in sets
    assert sum(count for (name, _), count in found.items() if name == "cairn_rollouts_total") == 2000


def test_a_type_of_failure_that_nobody_listed_is_other():
    metrics = Metrics()
    metrics.failed("a text of a rollout")
    metrics.failed(FAILURES[0])
    assert value(metrics, "cairn_failures_total", type="other") == 1
    assert "a text of" not in metrics.page().decode()


def test_the_shares_of_exact_zeros_and_ones_can_be_read_from_the_histogram():
    rewards = [0.0, 0.0, 1e-7, 0.5, 0.94, 1.0, 1.0, 1.0]
    metrics = counted(group(*map(rollout, rewards)))
    below = {
        dict(labels)["le"]: count
        for (name, labels), count in page(metrics).items()
        if name == "cairn_reward_bucket"
    }
    assert below["0.0"] == 2
    assert below["+Inf"] - below["0.999999"] == 3
    assert value(metrics, "cairn_reward_count") == 8


def test_bins_are_each_by_themselves_and_add_up_to_the_histogram():
    groups = [drawn(Random(f"g {number}")) for number in range(40)]
    metrics = counted(*groups)
    bins = [count for (name, _), count in page(metrics).items() if name == "cairn_reward_bin_total"]
    assert len(bins) == 13
    assert sum(bins) == value(metrics, "cairn_reward_count") == 320


def test_mean_deviation_and_correlation_can_be_computed_from_sums():
    groups = [drawn(Random(f"g {number}")) for number in range(40)]
    metrics = counted(*groups)
    rewards = np.concatenate([each.rewards for each in groups])
    lengths = np.concatenate([each.lengths for each in groups])
    n, x, y, xy, xx, yy = (
        value(metrics, "cairn_length_reward_moments_total", moment=each)
        for each in ("n", "x", "y", "xy", "xx", "yy")
    )
    mean = value(metrics, "cairn_reward_sum") / value(metrics, "cairn_reward_count")
    squares = value(metrics, "cairn_reward_squares_total") / value(metrics, "cairn_reward_count")
    assert math.sqrt(squares - mean**2) == pytest.approx(rewards.std())
    correlation = (n * xy - x * y) / math.sqrt((n * xx - x * x) * (n * yy - y * y))
    assert correlation == pytest.approx(np.corrcoef(lengths, rewards)[0, 1])


def test_group_outcomes_stages_hops_and_flags_are_counted():
    metrics = counted(
        group(rollout(0.0), rollout(0.0)),
        group(rollout(1.0), rollout(1.0)),
        group(rollout(0.0), rollout(1.0, hits=(True, False), flags=[RolloutFlag.ENTITY_DUMP])),
        group(rollout(1.0), rollout(None, status="failed")),
    )
    outcomes = {each: value(metrics, "cairn_groups_total", outcome=each) for each in ("all_zero", "all_one")}
    assert outcomes == {"all_zero": 1, "all_one": 1}
    assert value(metrics, "cairn_groups_total", outcome="incomplete") == 1
    assert value(metrics, "cairn_degenerate_groups_total") == 2
    assert value(metrics, "cairn_criteria_total", stage="none") == 1
    assert value(metrics, "cairn_hop_criteria_total", hop="2") == 8
    assert value(metrics, "cairn_hop_hits_total", hop="2") == 7
    assert value(metrics, "cairn_flags_total", flag="entity_dump") == 1
    assert value(metrics, "cairn_rollouts_total", status="failed") == 1


def test_every_stage_and_flag_has_a_series_before_it_is_first_seen():
    found = page(counted(group()))
    for stage in Stage:
        assert ("cairn_criteria_total", (("stage", stage.value),)) in found
    for flag in (*CriterionFlag, *RolloutFlag):
        assert ("cairn_flags_total", (("flag", flag.value),)) in found


def test_rollouts_of_one_prompt_in_many_requests_are_one_prompt():
    assert (
        value(counted(*(group(prompt=f"p{number % 3}") for number in range(30))), "cairn_prompts_total") == 3
    )


def test_a_second_epoch_of_the_same_prompts_counts_again():
    now = [0.0]
    metrics = Metrics(clock=lambda: now[0])
    for epoch in range(3):
        now[0] = epoch * REMEMBERED_S
        for number in range(10):
            metrics.observed(group(prompt=f"p{number}"))
    assert value(metrics, "cairn_prompts_total") == 30


def test_the_fingerprints_parts_become_labels_whatever_their_names():
    metrics = Metrics(build={"version": "1", "match-verifier": "2", "3d": "x"})
    assert value(metrics, "cairn_build_info", version="1", match_verifier="2", _3d="x") == 1


def test_every_trouble_with_the_cache_has_a_series_before_it_is_first_seen():
    assert set(TROUBLE) == {each.value for each in Trouble}
