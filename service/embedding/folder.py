"""A model folder in the form of sentence-transformers, read without running anything that it brings along.

    folder = read_folder(find_folder("sentence-transformers/all-MiniLM-L6-v2"))
    folder.form        None where only the library knows how to run it

A folder may name classes to import (in `modules.json`, in `config.json`); only the library's own pass.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.embedding.backend import MissingPart, ModelFault


@dataclass(frozen=True, slots=True)
class Form:
    """What the weights of an encoder do not say. `first_position` is 0 for BERT, 2 for RoBERTa."""

    heads: int
    epsilon: float
    pooling: str
    first_position: int = 0


@dataclass(frozen=True, slots=True)
class Folder:
    """A model that can be loaded: `home` holds its encoder and tokenizer, `longest` is in tokens.

    `form` is None where `packed.py` cannot run it.
    """

    path: Path
    home: Path
    identity: str
    longest: int
    form: Form | None


def find_folder(model: str) -> Path:
    """The folder of that path, or a snapshot of that hub id (`owner/name` or `owner/name@revision`).

    Raises `MissingPart`.
    """
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only where a hub is asked

    name, _, revision = model.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=_WANTED))
    except Exception as error:
        raise MissingPart(
            f"the embedding model {model!r} is neither a folder nor a model that the hub gives out here "
            f"({type(error).__name__})"
        ) from error


_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model"]
"""Never `*.bin`, `*.pt` or `*.py`."""


def read_folder(path: Path) -> Folder:
    """What the files say. Raises `ModelFault`."""
    steps = _steps(path)
    if not steps or not all(_harmless(path, step) for step in steps):
        raise ModelFault(f"{path.name} brings code of its own, or pickled weights; neither is ever loaded")
    home = path / steps[0].place
    config = _json(home / "config.json")
    weights = sorted(home.glob("*.safetensors"))
    if not weights or not (home / "tokenizer.json").is_file():
        raise ModelFault(f"{path.name} needs its weights as *.safetensors, and a tokenizer.json")
    form = _form(path, config, steps) if [each.name for each in weights] == ["model.safetensors"] else None
    return Folder(path, home, f"transformer:{_digest(path)}", _longest(home, config), form)


@dataclass(frozen=True, slots=True)
class _Step:
    """One line of `modules.json`: a class of the library, and the folder of its own files."""

    kind: str
    place: str


def _steps(path: Path) -> list[_Step]:
    """Without a list the library takes the encoder and the mean."""
    if not (path / "modules.json").is_file():
        return [_Step("sentence_transformers.models.Transformer", "")]
    try:
        return [_Step(str(each["type"]), str(each["path"])) for each in _json(path / "modules.json")]
    except (KeyError, TypeError):
        raise ModelFault(f"modules.json of {path.name} is no list of steps") from None


_WEIGHTED = ("Dense", "LayerNorm")
_HARMLESS = ("Transformer", "Pooling", "Normalize", *_WEIGHTED)
"""Steps that compute; others can name more classes in files of their own."""


def _harmless(path: Path, step: _Step) -> bool:
    library, _, name = step.kind.partition(".")
    name = name.rpartition(".")[2]
    place = Path(step.place)
    config = _json_or_none(path / place / "config.json")
    return (
        library == "sentence_transformers"
        and name in _HARMLESS
        and not place.is_absolute()
        and ".." not in place.parts
        and "auto_map" not in config
        and str(config.get("activation_function", "torch.nn.")).startswith("torch.nn.")
        and (name not in _WEIGHTED or (path / place / "model.safetensors").is_file())
    )


def _longest(home: Path, config: dict[str, Any]) -> int:
    """Tokens of the longest input: what the folder says, within what has positions."""
    own = _json_or_none(home / "sentence_bert_config.json").get("max_seq_length")
    own = own or _json_or_none(home / "tokenizer_config.json").get("model_max_length") or _LONGEST
    most = int(config.get("max_position_embeddings", _LONGEST)) - _first_position(config)
    return min(int(own), most, _LONGEST)


_LONGEST = 8192
"""Some folders say 10^30, for none."""


def _form(path: Path, config: dict[str, Any], steps: list[_Step]) -> Form | None:
    """How `packed.py` runs it, if it can: known layers, one pooling, nothing behind it."""
    kinds = [step.kind.rpartition(".")[2] for step in steps]
    plain = (
        config.get("model_type") in _KNOWN
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and kinds in (["Transformer"], ["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
    )
    if not plain:
        return None
    pooling = _pooling(path / steps[1].place) if len(steps) > 1 else "mean"
    if pooling is None:
        return None
    heads, epsilon = int(config["num_attention_heads"]), float(config["layer_norm_eps"])
    return Form(heads, epsilon, pooling, _first_position(config))


_KNOWN = ("bert", "roberta", "xlm-roberta")


def _first_position(config: dict[str, Any]) -> int:
    return 0 if config.get("model_type") not in _KNOWN[1:] else int(config.get("pad_token_id", 1)) + 1


def _pooling(folder: Path) -> str | None:
    """`mean` or `cls`, None for any other. Older files have a switch for each, newer ones a name."""
    config = _json(folder / "config.json")
    modes = [
        key.removeprefix("pooling_mode_")
        for key, on in config.items()
        if key.startswith("pooling_mode_") and on
    ]
    named = str(config.get("pooling_mode", "")) or "+".join(modes)
    return {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls"}.get(named)


def _digest(path: Path) -> str:
    """Over the names and the bytes of everything that may shape the vectors."""
    digest = hashlib.sha256()
    for file in sorted(each for pattern in ("*.json", "*.safetensors") for each in path.rglob(pattern)):
        with file.open("rb") as opened:
            own = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path)}\0{own}\n".encode())
    return digest.hexdigest()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFault(f"{path.name} of the embedding model cannot be read") from error


def _json_or_none(path: Path) -> dict[str, Any]:
    found = _json(path) if path.is_file() else {}
    return found if isinstance(found, dict) else {}
