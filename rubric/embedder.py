"""What the matching side knows of a model: names and spans go in, unit vectors come out.

    near = embedder.embed(["NYC"]) @ embedder.embed(["New York City"]).T

Matching never calls it between its own steps: a plan lists the texts, the caller brings their vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rubric.text import fold

Vectors: TypeAlias = NDArray[np.float32]
"""One row of length 1 per text; a row of NaN is a text that has no vector."""


class Embedder(Protocol):
    """A model. Equal identities promise equal vectors, but for the last bits: see `band`."""

    @property
    def identity(self) -> str:
        """What goes into the fingerprint: the name and a digest of all that shapes the vectors."""

    @property
    def band(self) -> float:
        """How far a similarity from `embed` can be from the one of `embed_alone`."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts, computed together: the last bits can depend on the company."""

    def embed_alone(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts, each computed by itself in full precision: the same in any company."""


class HashEmbedder:
    """No model: words and runs of three letters, hashed into the dimensions. The same bits everywhere.

    Similar spellings are near each other, other names for the same thing are not. For tests.
    """

    band = 0.0

    def __init__(self, dimensions: int = 64) -> None:
        self.dimensions = dimensions
        self.identity = f"hash:{dimensions}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for piece in _pieces(text):
                place, sign = _hashed(piece)
                row[place % self.dimensions] += sign
            if not row.any():
                row[0] = 1
        return vectors / np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]  # type: ignore[no-any-return]

    embed_alone = embed


def _pieces(text: str) -> Iterator[str]:
    for word in fold(text).text.split():
        framed = f"^{word}$"
        yield framed
        yield from (framed[start : start + 3] for start in range(len(framed) - 2))


def _hashed(piece: str) -> tuple[int, int]:
    digest = int.from_bytes(blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    return digest >> 1, 1 if digest & 1 else -1
