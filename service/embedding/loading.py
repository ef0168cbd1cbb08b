"""A model by its name.

    backend = load(Choice("builtin"))

Libraries of models are imported here, inside the functions: a server without a model needs none of them.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from service.embedding.backend import Backend, Choice, MissingPart, ModelFault
from service.embedding.builtin import builtin_folder
from service.embedding.folder import find_folder, read_folder


def load(choice: Choice) -> Backend:
    """Load the model and try it once; it can take seconds, and a download.

    Raises `MissingPart`, `ModelFault`, `ModelUnreachable`.
    """
    backend = _opened(choice)
    if not np.isfinite(backend.encode(backend.prepare(["Cairn"]))).all():
        backend.close()
        raise ModelFault(f"the embedding model {choice.model!r} gives no numbers")
    return backend


def _opened(choice: Choice) -> Backend:
    match choice.model:
        case "hash":
            from service.embedding.hashed import Hashed  # noqa: PLC0415 - by name

            return Hashed()
        case "remote":
            from service.embedding.remote import connect  # noqa: PLC0415 - by name

            return connect(choice)
        case "builtin":
            _need("builtin", "torch", "safetensors", "tokenizers")
            folder = builtin_folder()
        case _:
            _need("embed", "torch", "safetensors", "tokenizers", "huggingface_hub")
            folder = read_folder(find_folder(choice.model))
    from service.embedding.transformer import open_folder  # noqa: PLC0415 - by name

    return open_folder(folder, choice)


def _need(extra: str, *packages: str) -> None:
    if absent := [name for name in packages if find_spec(name) is None]:
        raise MissingPart(f"the embedding model needs {', '.join(absent)}: pip install 'cairn-rm[{extra}]'")
