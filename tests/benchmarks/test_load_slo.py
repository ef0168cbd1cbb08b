"""What the page on service levels claims is what was measured last."""

from __future__ import annotations

import copy
import re

import pytest
from load_mix import Size
from load_slo import PAGE, measured, promises

FIGURES = {"latency": {name: {"p50_ms": 12.5, "p99_ms": 99.5} for name in ("all", *Size)}}
KEPT = (
    {
        "goals": {
            "goodput_share_of_peak": 0.95,
            "p99_over_that_at_1x": 1.5,
            "refused_p50_ms": 3.0,
            "memory_over_that_at_1x": 1.1,
            "most_mb": 900.0,
        },
        "loads": [{"times_capacity": 10.0, "figures": FIGURES}],
    },
    {
        "sigterm": {"times": 50, "accepted": 5000, "lost": 0, "exit_codes": {"0": 50}},
        "kill_9": {"killed": 50, "requests": 5000, "wrong": 0, "unanswered": 0},
    },
    {
        "minutes": 30.0,
        "requests": 100_000,
        "faults": {"redis: cut": 3},
        "wrong": 0,
        "lost": {},
        "unforeseen": {},
        "slope": {"mb_per_minute": 0.0, "low": -0.1, "high": 0.1},
    },
)


def test_the_page_holds_the_numbers_of_the_results():
    found = re.search(r"<!-- measured -->\n(.*?)<!-- /measured -->", PAGE.read_text(), re.DOTALL)
    assert found
    assert found[1] == measured(), "run benchmarks/load_slo.py"


@pytest.mark.parametrize(
    ("of", "path", "value"),
    [
        (0, ("goals", "goodput_share_of_peak"), 0.89),
        (0, ("goals", "p99_over_that_at_1x"), 2.1),
        (0, ("goals", "refused_p50_ms"), 20.0),
        (0, ("goals", "memory_over_that_at_1x"), 1.6),
        (1, ("sigterm", "lost"), 1),
        (1, ("sigterm", "exit_codes"), {"0": 49, "1": 1}),
        (1, ("kill_9", "wrong"), 1),
        (1, ("kill_9", "unanswered"), 1),
        (2, ("wrong",), 1),
        (2, ("lost",), {"lost: cut": 1}),
        (2, ("unforeseen",), {"unforeseen: 500": 1}),
        (2, ("slope",), {"mb_per_minute": 1.0, "low": 0.1, "high": 1.9}),
        (2, ("slope",), None),
    ],
)
def test_a_promise_that_was_broken_is_not_told_as_kept(of, path, value):
    given = copy.deepcopy(KEPT)
    assert all(each.kept for each in promises(*given))
    *parents, last = path
    inside = given[of]
    for name in parents:
        inside = inside[name]
    inside[last] = value
    assert sum(not each.kept for each in promises(*given)) == 1
