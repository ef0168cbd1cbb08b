"""The cases that the matcher is held to must be cases."""

from __future__ import annotations

from pathlib import Path

import pytest
from mention_set import Counts, read_cases

FILES = sorted((Path(__file__).parents[2] / "benchmarks" / "data").glob("mentions*.jsonl"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_case_is_told_twice_or_without_a_reason(file):
    cases = read_cases(file)
    assert len({case.id for case in cases}) == len(cases)
    assert all(case.reason and case.text for case in cases)
    assert 0.45 < sum(case.hit for case in cases) / len(cases) < 0.55


def test_the_blind_half_holds_no_case_of_the_other():
    halves = [{(case.rubric.entities[0].name, case.text) for case in read_cases(file)} for file in FILES]
    assert len(halves) == 2
    assert not halves[0] & halves[1]


def test_a_matcher_that_finds_nothing_has_no_precision():
    assert Counts(hits=0, false_hits=0, misses=3, true_misses=4).precision is None
    counts = Counts(hits=3, false_hits=1, misses=2, true_misses=4)
    assert (counts.precision, counts.recall) == (0.75, 0.6)
