"""What the page on sizes says is what the results say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scale_tables import filled
from sim_figures import read

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scaling.md").read_text()
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "scale.json").read_text())["results"]


def test_the_tables_are_those_of_the_results():
    assert filled(PAGE, RESULTS) == PAGE


def test_another_result_would_be_seen():
    slower = json.loads(json.dumps(RESULTS))
    slower["bursts"][0]["wait_s"] += 1.0
    assert filled(PAGE, slower) != PAGE


def test_rates_of_a_core_follow_from_what_was_measured():
    figures = read(RESULTS["measured"])
    for kb, rates in RESULTS["per_core"].items():
        assert rates["worker"] == pytest.approx(1 / figures.mean_worker_s(float(kb.split()[0])))


def test_a_pod_keeps_up_with_the_stream_of_the_page():
    assert "16,384 rollouts of 122 KB over two minutes are 137 a second" in PAGE
    assert RESULTS["per_core"]["122 KB"]["worker"] * 4 > 16_384 / 120
    assert all(stream["wait_s"] < 1.0 and not stream["lost"] for stream in RESULTS["streams"])


def test_the_simulation_is_as_far_from_the_real_bursts_as_the_page_says():
    assert "within a fifth of each other" in PAGE
    for row in RESULTS["beside_the_real"]:
        assert row["simulated_s"] == pytest.approx(row["real_s"]["fastest"], rel=0.2)


def test_nothing_is_lost_in_any_burst():
    assert all(burst["lost"] == 0 for burst in RESULTS["bursts"])
