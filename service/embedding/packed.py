"""BERT-like encoders over inputs laid end to end: no token of padding is ever computed.

    encoder = Packed(load_file("model.safetensors"), form, device=torch.device("cpu"), dtype=torch.float32)
    vectors = encoder([ids, more_ids])

Inputs are sorted by length. Dense layers see one long row of tokens; attention sees either the ends of the
inputs (flash attention, CUDA) or a block per length. Weights have the names that BERT, RoBERTa and XLM-R use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rubric.embedder import Vectors
from service.embedding.backend import BYTES_PER_TOKEN, ModelFault
from service.embedding.folder import Form


@dataclass(frozen=True, slots=True)
class _Dense:
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class _Layer:
    """`mixed` holds query, key and value in one matrix."""

    mixed: _Dense
    merged: _Dense
    merged_norm: _Norm
    wide: _Dense
    narrow: _Dense
    narrow_norm: _Norm


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the inputs lie in the long row: `ends` with a leading 0; `blocks` as (inputs, length)."""

    lengths: NDArray[np.int64]
    ends: Tensor
    blocks: tuple[tuple[int, int], ...]


_Attention: TypeAlias = Callable[[Tensor, _Layout], Tensor]
"""Tokens × 3 × heads × width to tokens × heads × width."""


class Packed:
    """An encoder. Calls give one row per input: what the model's pooling makes of it, of any length."""

    def __init__(
        self, weights: Mapping[str, Tensor], form: Form, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        read = _Reader(weights, form.epsilon, device, dtype)
        self._form = form
        self._device = device
        self._words = read("embeddings.word_embeddings.weight")
        kinds = read("embeddings.token_type_embeddings.weight")
        self._places = read("embeddings.position_embeddings.weight")[form.first_position :] + kinds[0]
        self._norm = read.norm("embeddings.LayerNorm")
        self._layers = list(read.layers())
        self._attend = _attention(device, dtype)
        self.dimensions = self._words.shape[1]

    @torch.inference_mode()
    def __call__(self, inputs: Sequence[bytes]) -> Vectors:
        order = sorted(range(len(inputs)), key=lambda at: len(inputs[at]))
        hidden, layout = self._hidden([inputs[at] for at in order])
        vectors = np.empty((len(inputs), self.dimensions), dtype=np.float32)
        vectors[order] = _pooled(hidden, layout, self._form.pooling).float().cpu().numpy()
        return vectors

    @torch.inference_mode()
    def contextual(self, one: bytes) -> Vectors:
        """A row per token of one input, those that frame it included."""
        return self._hidden([one])[0].float().cpu().numpy()

    def _hidden(self, inputs: Sequence[bytes]) -> tuple[Tensor, _Layout]:
        layout = _layout(inputs, self._device)
        ids = torch.frombuffer(bytearray(b"".join(inputs)), dtype=torch.int32).to(self._device)
        places = np.arange(len(ids)) - np.repeat(np.cumsum(layout.lengths) - layout.lengths, layout.lengths)
        x = functional.embedding(ids, self._words)
        x = self._norm(x + self._places[torch.from_numpy(places).to(self._device)])
        for layer in self._layers:
            mixed = layer.mixed(x).view(len(x), 3, self._form.heads, -1)
            x = layer.merged_norm(x + layer.merged(self._attend(mixed, layout).flatten(1)))
            x = layer.narrow_norm(x + layer.narrow(functional.gelu(layer.wide(x))))
        return x, layout


def _layout(inputs: Sequence[bytes], device: torch.device) -> _Layout:
    lengths = np.array([len(one) // BYTES_PER_TOKEN for one in inputs], dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    blocks = tuple((sum(1 for _ in same), length) for length, same in groupby(lengths.tolist()))
    return _Layout(lengths, torch.from_numpy(ends).to(device), blocks)


def _pooled(hidden: Tensor, layout: _Layout, pooling: str) -> Tensor:
    if pooling == "cls":
        return hidden[layout.ends[:-1]]
    return torch.cat([block.mean(dim=1) for block in _blocks(hidden.float(), layout)])


def _blocks(row: Tensor, layout: _Layout) -> Iterator[Tensor]:
    """The inputs of each length: inputs × length × the rest."""
    sizes = [inputs * length for inputs, length in layout.blocks]
    for part, (inputs, length) in zip(torch.split(row, sizes), layout.blocks, strict=True):
        yield part.view(inputs, length, *row.shape[1:])


# --- attention --------------------------------------------------------------------------------------------

_SHORT = 64
"""Up to here two small matrix products are faster than the fused kernel of the CPU."""


def _attention(device: torch.device, dtype: torch.dtype) -> _Attention:
    """Flash attention where there is a kernel for it; elsewhere, and in full precision, block by block."""
    if device.type == "cuda" and dtype in (torch.bfloat16, torch.float16):
        for module, name in _KERNELS:
            if _is_there(module) and torch.cuda.get_device_capability(device) >= _AMPERE:
                return partial(_end_to_end, kernel=getattr(import_module(module), name))
    return _in_blocks


_KERNELS = (("flash_attn", "flash_attn_varlen_func"), ("torch.nn.attention.varlen", "varlen_attn"))
"""The wheel, and what newer versions of torch bring along: the same algorithm and the same arguments."""
_AMPERE = (8, 0)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _end_to_end(mixed: Tensor, layout: _Layout, kernel: Callable[..., Tensor]) -> Tensor:
    longest = layout.blocks[-1][1]
    query, key, value = mixed.unbind(1)
    return kernel(query, key, value, layout.ends, layout.ends, longest, longest)


def _in_blocks(mixed: Tensor, layout: _Layout) -> Tensor:
    return torch.cat([_attended(block).flatten(0, 1) for block in _blocks(mixed, layout)])


def _attended(block: Tensor) -> Tensor:
    """Inputs × length × 3 × heads × width to inputs × length × heads × width."""
    query, key, value = block.permute(2, 0, 3, 1, 4).unbind(0)
    if block.shape[1] > _SHORT or block.is_cuda:
        return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
    scores: Tensor = (query @ key.transpose(-1, -2)) * block.shape[-1] ** -0.5
    return (scores.softmax(dim=-1) @ value).transpose(1, 2)


# --- weights ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes weights by name, whatever stands before `embeddings` and `encoder` in a file."""

    weights: Mapping[str, Tensor]
    epsilon: float
    device: torch.device
    dtype: torch.dtype

    def __call__(self, *names: str) -> Tensor:
        """The weights of these names, one under the other. Raises `ModelFault`."""
        try:
            parts = [self.weights[f"{self._prefix()}{name}"] for name in names]
        except KeyError as error:
            raise ModelFault(f"the weights have no {error}") from None
        return torch.cat(parts).to(self.device, self.dtype)

    def _prefix(self) -> str:
        named = (name for name in self.weights if name.endswith("embeddings.word_embeddings.weight"))
        return next(named, "").removesuffix("embeddings.word_embeddings.weight")

    def dense(self, *names: str) -> _Dense:
        return _Dense(self(*(f"{name}.weight" for name in names)), self(*(f"{name}.bias" for name in names)))

    def norm(self, name: str) -> _Norm:
        return _Norm(self(f"{name}.weight"), self(f"{name}.bias"), self.epsilon)

    def layers(self) -> Iterator[_Layer]:
        start = f"{self._prefix()}encoder.layer."
        numbers = {int(name[len(start) :].split(".")[0]) for name in self.weights if name.startswith(start)}
        for number in sorted(numbers):
            here = f"encoder.layer.{number}"
            attention = f"{here}.attention.self"
            yield _Layer(
                self.dense(f"{attention}.query", f"{attention}.key", f"{attention}.value"),
                self.dense(f"{here}.attention.output.dense"),
                self.norm(f"{here}.attention.output.LayerNorm"),
                self.dense(f"{here}.intermediate.dense"),
                self.dense(f"{here}.output.dense"),
                self.norm(f"{here}.output.LayerNorm"),
            )
