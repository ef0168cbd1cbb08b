"""Inputs that once led somewhere, and some that hypothesis makes of them; `run.py` makes up many more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.run import MOST_BYTES
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = {target: sorted((CORPUS / target).iterdir()) for target in TARGETS}


def test_there_is_a_corpus_and_a_size_for_every_target():
    assert TARGETS.keys() == MOST_BYTES.keys()
    for target, paths in INPUTS.items():
        assert paths
        for path in paths:
            assert path.stat().st_size <= MOST_BYTES[target], path


@pytest.mark.parametrize(
    "path", [path for paths in INPUTS.values() for path in paths], ids=lambda path: path.name
)
def test_an_input_of_the_corpus_breaks_nothing(path):
    TARGETS[path.parent.name](path.read_bytes())


CUTS = st.tuples(st.integers(0, 600), st.integers(0, 12))
PIECES = st.one_of(
    st.binary(max_size=4), st.text(max_size=3).map(lambda text: text.encode("utf-8", "replace"))
)


@st.composite
def changed(draw, target):
    """An input of the corpus with pieces taken out, and others or ones of another input put in."""
    inputs = [path.read_bytes() for path in INPUTS[target]]
    data = draw(st.sampled_from(inputs))
    for _ in range(draw(st.integers(0, 3))):
        at, size = draw(CUTS)
        other = draw(st.sampled_from(inputs))
        piece = draw(st.one_of(PIECES, st.just(other[at : at + size])))
        data = data[:at] + piece + data[at + draw(st.integers(0, size)) :]
    return data[: MOST_BYTES[target]]


@pytest.mark.parametrize("target", TARGETS)
def test_a_changed_input_breaks_nothing(target):
    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(changed(target))
    def run(data):
        TARGETS[target](data)

    run()


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_break_nothing(target):
    @settings(max_examples=100)
    @given(st.binary(max_size=80))
    def run(data):
        TARGETS[target](data)

    run()
