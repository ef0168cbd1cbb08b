"""What is missing is told by the name of what to install; and nothing is loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from rubric.embedder import HashEmbedder
from service.embedding.backend import Choice
from service.embedding.direct import Direct
from service.embedding.loading import load

WITHOUT = """
import sys
for name in ("torch", "transformers", "sentence_transformers", "tokenizers", "safetensors"):
    sys.modules[name] = None  # as if it were not installed: an import of it fails
import service.embedding, service.batching
from service.embedding.loading import load
from service.embedding.backend import Choice, MissingPart
print(load(Choice("hash")).identity)
for model in ("builtin", "owner/name"):
    try:
        load(Choice(model))
    except MissingPart as error:
        print(error)
"""


def test_without_the_libraries_everything_else_works_and_the_error_names_the_extra():
    ran = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    hashed, builtin, transformer = ran.stdout.splitlines()
    assert hashed == "hash:64"
    assert "torch" in builtin
    assert "cairn-rm[builtin]" in builtin
    assert "cairn-rm[embed]" in transformer


HUB = """
from service.embedding.loading import load
from service.embedding.backend import Choice, MissingPart
try:
    load(Choice("nobody/nothing@v1"))
except MissingPart as error:
    print(error)
"""


def test_a_hub_model_that_is_not_here_is_told_by_name_where_there_is_no_network():
    offline = {"HF_HUB_OFFLINE": "1", "HOME": "/nonexistent"}
    ran = subprocess.run([sys.executable, "-c", HUB], capture_output=True, text=True, check=True, env=offline)
    assert "'nobody/nothing@v1'" in ran.stdout


def test_importing_the_embedding_loads_no_model_library():
    program = "import sys, service.embedding.loading, service.batching; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.parametrize("texts", [[], ["Lima"], ["Oslo", "Lima", "Oslo", *map(str, range(9000))]])
def test_a_program_alone_with_a_model_gets_every_vector_in_its_place(texts):
    direct = Direct(load(Choice("hash")))
    np.testing.assert_array_equal(direct.embed(texts), HashEmbedder().embed(texts))
    np.testing.assert_array_equal(direct.embed_alone(texts[:9]), HashEmbedder().embed(texts[:9]))
