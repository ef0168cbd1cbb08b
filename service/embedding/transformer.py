"""The models that run in this process, on a CPU or a GPU.

    backend = open_folder(read_folder(path), Choice(device="cuda"))

BERT, RoBERTa and XLM-R run unpadded in `packed.py`; any other architecture through sentence-transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file

from rubric.embedder import Vectors
from service.embedding.backend import Choice, MissingPart
from service.embedding.folder import Folder
from service.embedding.packed import Packed
from service.embedding.tokens import Tokens


class Encoder(Protocol):
    """Inputs to vectors of any length, in one step; and one input to the vectors of its tokens."""

    dimensions: int

    def __call__(self, inputs: Sequence[bytes]) -> Vectors: ...

    def contextual(self, one: bytes) -> Vectors: ...


def open_folder(folder: Folder, choice: Choice) -> Transformer:
    """Put a model where the choice wants it; in bfloat16 a second copy stays in full precision.

    Raises `MissingPart`, `ModelFault`.
    """
    device = _device(choice.device)
    dtype = _dtype(choice.precision, device)
    torch.set_float32_matmul_precision("highest")  # what is decided alone is decided in all 32 bits
    if choice.threads:
        torch.set_num_threads(choice.threads)
    tokens = Tokens(folder.home / "tokenizer.json", longest=folder.longest)
    exact = _placed(folder, device, torch.float32)
    fast = exact if dtype is torch.float32 else _placed(folder, device, dtype)
    return Transformer(folder.identity, tokens, fast=fast, exact=exact, on=device)


def _placed(folder: Folder, device: torch.device, dtype: torch.dtype) -> Encoder:
    if folder.form:
        weights = load_file(folder.home / "model.safetensors")
        return Packed(weights, folder.form, device=device, dtype=dtype)
    from service.embedding.library import Library  # noqa: PLC0415 - heavy, and only for what is left

    return Library(folder, device=device, dtype=dtype)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise MissingPart("CAIRN_DEVICE asks for CUDA, and this torch finds none: try `cpu` or `auto`")
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


_STEP_TOKENS = {"cpu": 1024, "cuda": 49_152}
"""Where more tokens at a time bring no more tokens a second."""


class Transformer:
    """A model in this process, as the batcher sees it."""

    def __init__(
        self, identity: str, tokens: Tokens, *, fast: Encoder, exact: Encoder, on: torch.device
    ) -> None:
        self.identity = identity
        self.dimensions = exact.dimensions
        self.band = _BAND_FULL if fast is exact else _BAND_HALF
        self.step_tokens = _STEP_TOKENS.get(on.type, _STEP_TOKENS["cpu"])
        self.prepare = tokens
        self._fast = fast
        self._exact = exact

    def encode(self, inputs: Sequence[bytes]) -> Vectors:
        with _memory_errors():
            return _unit(self._fast(inputs))

    def encode_alone(self, one: bytes) -> Vectors:
        with _memory_errors(), _one_thread():
            return _unit(self._exact([one]))[0]

    def contextual(self, one: bytes) -> Vectors:
        """A vector per token of an input, its frame included, not scaled: to pool spans from."""
        with _memory_errors():
            return self._fast.contextual(one)

    def close(self) -> None:
        """Python frees the weights with the last reference."""


_BAND_FULL, _BAND_HALF = 1e-5, 1e-2
"""Measured by `benchmarks/bench_embedding.py` with the offline model: 7e-7 and 5e-3."""


def _unit(vectors: Vectors) -> Vectors:
    """Rows of length 1; NaN for a row without a direction."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The last bits of a sum on the CPU can depend on how many threads share it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _memory_errors() -> Iterator[None]:
    """What torch raises where memory runs out, as `MemoryError`: a type on the GPU, a message on the CPU."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError("the device has no memory for this step") from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error):
            raise MemoryError("the machine has no memory for this step") from error
        raise
