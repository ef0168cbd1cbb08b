"""What is shipped of `balanced`: the answers of the model and the scorer that come along, on any machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from rubric import pair
from rubric.intake import parse_score
from rubric.job import Defaults
from rubric.score import Asking, Model, score_group
from service.drift.canary import BALANCED, Canary, golden, golden_of
from service.embedding.backend import Choice
from service.embedding.direct import Direct
from service.embedding.loading import load

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def embedder():
    return Direct(load(Choice("builtin", device="cpu")))


class Elsewhere:
    """The same model on a machine whose vectors are off by so much: a hundred times what devices do."""

    def __init__(self, embedder, *, off=1e-3):
        self._embedder, self._off, self._random = embedder, off, np.random.default_rng(7)
        self.identity, self.band = embedder.identity, embedder.band

    def embed(self, texts):
        return self._moved(self._embedder.embed(texts))

    def embed_alone(self, texts):
        return self._moved(self._embedder.embed_alone(texts))

    def _moved(self, vectors):
        noise = self._random.normal(size=vectors.shape) * self._off / np.sqrt(vectors.shape[1])
        return ((vectors + noise) / np.linalg.norm(vectors + noise, axis=1, keepdims=True)).astype(np.float32)


def passed(embedder):
    """A pass over what is known of `balanced`, with this model."""
    model = Model(embedder, Asking(pair.builtin()))

    async def score(body):
        defaults = Defaults(embedding=model.parts)
        return score_group(parse_score(body), defaults=defaults, model=model).model_dump_json().encode()

    known = golden_of(model.parts)
    alone = [replace(case, expected={BALANCED: case.expected[BALANCED]}) for case in known]
    return asyncio.run(Canary(score, cases=alone).check())


@pytest.mark.parametrize("machine", [lambda it: it, Elsewhere])
def test_the_model_that_comes_along_gives_the_answers_that_are_shipped(embedder, machine):
    done = passed(machine(embedder))
    assert (done.wrong, done.cases) == ((), 2 * len(golden()))


def test_another_model_under_the_same_name_is_seen(embedder):
    assert any(f"({BALANCED})" in name for name in passed(Elsewhere(embedder, off=0.5)).wrong)


def test_answers_are_not_held_against_a_model_or_a_scorer_that_they_are_not_of(embedder):
    parts = Asking(pair.builtin()).parts(embedder.identity)
    for other in (
        None,
        {},
        parts | {"embedding": "x"},
        parts | {"calibration": "x"},
        parts | {"semantic": "x"},
    ):
        assert golden_of(other) == golden()
    assert all(BALANCED in case.expected for case in golden_of(parts))
