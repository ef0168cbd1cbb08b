"""The model `hash`: spelling alone, for tests and for trying a server out without a model."""

from __future__ import annotations

from collections.abc import Sequence

from rubric.embedder import HashEmbedder, Vectors


class Hashed:
    """`HashEmbedder` as a device."""

    band = HashEmbedder.band
    step_tokens = 16_384

    def __init__(self) -> None:
        self._embedder = HashEmbedder()
        self.identity = self._embedder.identity
        self.dimensions = self._embedder.dimensions

    def prepare(self, texts: Sequence[str]) -> list[bytes]:
        return [text.encode("utf-8", "surrogatepass") for text in texts]

    def encode(self, inputs: Sequence[bytes]) -> Vectors:
        return self._embedder.embed([one.decode("utf-8", "surrogatepass") for one in inputs])

    def encode_alone(self, one: bytes) -> Vectors:
        return self.encode([one])[0]

    def close(self) -> None:
        """There is nothing to close."""
