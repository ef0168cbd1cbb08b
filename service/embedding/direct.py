"""A backend without a queue, for programs that are alone with it: calibration, notebooks, tests.

near = Direct(load(Choice())).embed(["NYC", "New York City"])
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rubric.embedder import Vectors
from service.embedding.backend import Backend, tokens_of


class Direct:
    """An `Embedder`. Each text is computed once per call, in steps of what the device takes well."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.identity = backend.identity
        self.band = backend.band

    def embed(self, texts: Sequence[str]) -> Vectors:
        inputs = self._backend.prepare(texts)
        rows = {one: row for row, one in enumerate(dict.fromkeys(inputs))}
        steps = [self._backend.encode(step) for step in steps_of(list(rows), self._backend.step_tokens)]
        return self._gathered(steps, [rows[one] for one in inputs])

    def embed_alone(self, texts: Sequence[str]) -> Vectors:
        vectors = [self._backend.encode_alone(one)[None] for one in self._backend.prepare(texts)]
        return self._gathered(vectors, list(range(len(texts))))

    def _gathered(self, parts: list[Vectors], rows: list[int]) -> Vectors:
        empty = np.empty((0, self._backend.dimensions), dtype=np.float32)
        return np.concatenate([empty, *parts])[rows]


def steps_of(inputs: Sequence[bytes], most_tokens: int) -> list[list[bytes]]:
    """Inputs in order, cut into steps within so many tokens."""
    steps: list[list[bytes]] = []
    left = 0
    for one in inputs:
        if tokens_of(one) > left:
            steps.append([])
            left = most_tokens
        steps[-1].append(one)
        left -= tokens_of(one)
    return steps
