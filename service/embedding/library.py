"""Models of any other architecture, run by sentence-transformers: padded, so in batches of like lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rubric.embedder import Vectors
from service.embedding.backend import BYTES_PER_TOKEN, MissingPart, ModelFault
from service.embedding.folder import Folder

_PADDED_TOKENS = 8192
"""Of one batch, padding included."""


class Library:
    """A `SentenceTransformer` that takes ids. Raises `MissingPart`, `ModelFault`."""

    def __init__(self, folder: Folder, *, device: torch.device, dtype: torch.dtype) -> None:
        if find_spec("sentence_transformers") is None:
            raise MissingPart("this architecture needs sentence_transformers: pip install 'cairn-rm[embed]'")
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - heavy: seconds

        try:
            self._model: Any = SentenceTransformer(
                str(folder.path),
                device=str(device),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"dtype": dtype, "use_safetensors": True},
            ).eval()
        except (OSError, ValueError, ImportError) as error:
            raise ModelFault(f"sentence-transformers does not load {folder.path.name}: {error}") from error
        self._device = device
        self.dimensions: int = self._model.get_embedding_dimension() or 0

    @torch.inference_mode()
    def __call__(self, inputs: Sequence[bytes]) -> Vectors:
        vectors = np.empty((len(inputs), self.dimensions), dtype=np.float32)
        for batch in _batches(inputs):
            found = self._forward([inputs[at] for at in batch])["sentence_embedding"]
            vectors[batch] = found.float().cpu().numpy()
        return vectors

    @torch.inference_mode()
    def contextual(self, one: bytes) -> Vectors:
        """A row per token of one input, those that frame it included."""
        return self._forward([one])["token_embeddings"][0].float().cpu().numpy()

    def _forward(self, inputs: Sequence[bytes]) -> dict[str, Tensor]:
        lengths = [len(one) // BYTES_PER_TOKEN for one in inputs]
        ids = np.zeros((len(inputs), max(lengths)), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, (one, length) in enumerate(zip(inputs, lengths, strict=True)):
            ids[row, :length] = np.frombuffer(one, dtype=np.int32)
            mask[row, :length] = 1
        padded = {"input_ids": ids, "attention_mask": mask}
        features = {key: torch.from_numpy(value).to(self._device) for key, value in padded.items()}
        found: dict[str, Tensor] = self._model(features)
        return found


def _batches(inputs: Sequence[bytes]) -> Iterator[list[int]]:
    """Neighbors in length, as many as fit when padded to the longest of them."""
    batch: list[int] = []
    for at in sorted(range(len(inputs)), key=lambda at: len(inputs[at])):
        if batch and (len(batch) + 1) * len(inputs[at]) > _PADDED_TOKENS * BYTES_PER_TOKEN:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
