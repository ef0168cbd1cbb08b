"""What every model offers to the batcher, whatever it runs on, and how it fails.

- `MissingPart`: something must be installed, downloaded or named; told at start.
- `ModelFault`: the model is not what it should be; told at start.
- `ModelUnreachable`: a model elsewhere does not answer, or not sensibly; asking again can help.
- `MemoryError`: the texts are too many for one step; fewer may fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from rubric.embedder import Vectors
from rubric.errors import CairnError


class MissingPart(CairnError):
    """A part of Cairn, or a model, is not on this machine; the message says how to get it."""


class ModelFault(CairnError):
    """The model cannot be used: not the expected files, or not a form that is safe to load."""


class ModelUnreachable(CairnError):
    """The server of a remote model gave no vectors, also when it was asked again."""


BYTES_PER_TOKEN = 4


class Backend(Protocol):
    """A model on its device. `encode` and `encode_alone` are called from one thread at a time.

    An input is a text as the device takes it, in `BYTES_PER_TOKEN` bytes a token: ids for a model in this
    process, UTF-8 for one elsewhere. Texts with equal inputs have equal vectors.
    """

    identity: str
    """What goes into the fingerprint."""
    dimensions: int
    band: float
    """How far a similarity from `encode` can be from the one of `encode_alone`."""
    step_tokens: int
    """How many tokens the device takes well in one step."""

    def prepare(self, texts: Sequence[str]) -> list[bytes]:
        """The inputs for texts, cut where the model's longest input ends. Quick; called from any thread."""

    def encode(self, inputs: Sequence[bytes]) -> Vectors:
        """One row per input; NaN where the model gave no number. Raises `MemoryError`."""

    def encode_alone(self, one: bytes) -> Vectors:
        """The one row of an input, in full precision. Raises `MemoryError`."""

    def close(self) -> None: ...


def tokens_of(one: bytes) -> int:
    """What an input costs, in tokens."""
    return max(1, len(one) // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which model, and how it is run. `model`: `builtin`, `hash`, `remote`, a folder, or a hub id.

    `device` is `cpu`, `cuda`, `cuda:1` or `auto`; `precision` is `float32`, `bfloat16` or `auto` (bfloat16 on
    CUDA). `threads` are those of torch on the CPU; 0 leaves it the choice. The rest is for `remote`.
    """

    model: str = "builtin"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    url: str = ""
    name: str = ""
    key: SecretStr = field(default_factory=lambda: SecretStr(""))
    timeout_s: float = 10.0
    retries: int = 2
