"""A figure says what it is called."""

from __future__ import annotations

import numpy as np
import pytest
from load_figures import figures_of
from load_generator import REPLY
from load_lines import Broken
from load_mix import Size, templates

MIX = templates(40)


def row(due, *, taken=0.1, status=200, template=0, right=True, early=False):
    return (due, due, due + taken, status, template, right and status == 200, early)


def figures(*rows):
    return figures_of(np.array(list(rows), REPLY), mix=MIX, begin=10.0, end=20.0)


def test_goodput_counts_rollouts_of_right_answers_within_the_window():
    found = figures(
        row(9.0, taken=2.0, template=3),  # due before, answered within
        row(19.0, taken=2.0, template=4),  # answered too late to count
        row(12.0, template=5, right=False),
        row(12.0, template=6, status=429),
    )
    assert found.good_rollouts == MIX[3].rollouts / 10
    assert found.good_mb == pytest.approx(MIX[3].length / 1e7)
    assert found.offered_rollouts == sum(MIX[at].rollouts for at in (4, 5, 6)) / 10
    assert found.wrong == 1


def test_refusals_do_not_make_the_accepted_look_fast():
    found = figures(*(row(11 + at / 100, status=429, taken=0.001) for at in range(99)), row(15.0, taken=0.5))
    assert found.accepted.p50_ms == pytest.approx(500)
    assert found.refused_p50_ms == pytest.approx(1)
    assert found.refused_share == 0.99


def test_what_is_neither_200_nor_a_refusal_is_named():
    statuses = (200, 429, 503, 504, 500, 400, Broken.CUT, Broken.UNSENT)
    found = figures(*(row(11.0, status=status) for status in statuses))
    assert found.unforeseen == 2
    assert found.statuses == {"200": 1, "400": 1, "429": 1, "500": 1, "503": 1, "504": 1}
    assert found.broken == {"unsent": 1, "cut": 1}


def test_each_request_counts_in_the_class_of_its_body():
    rows = [row(11.0, template=at, taken=MIX[at].length / 1e6) for at in range(len(MIX))]
    found = figures(*rows)
    for size in Size:
        own = [each.length for each in MIX if each.size is size]
        assert found.latency[size].count == len(own)
        assert found.latency[size].p50_ms == pytest.approx(np.median(own) / 1e3)


def test_nothing_accepted_is_no_latency_of_zero():
    found = figures(row(11.0, status=429))
    assert found.accepted.p99_ms is None
