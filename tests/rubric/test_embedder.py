from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rubric.embedder import Embedder, HashEmbedder

EMBEDDER: Embedder = HashEmbedder()


@given(st.lists(st.text(max_size=30), max_size=8))
def test_every_text_gets_a_vector_of_length_one_whatever_stands_beside_it(texts):
    vectors = EMBEDDER.embed(texts)
    assert vectors.shape == (len(texts), 64)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        assert EMBEDDER.embed_alone([text])[0].tobytes() == vector.tobytes()


def test_similar_spellings_are_near_and_other_names_are_not():
    (near, far) = EMBEDDER.embed(["Nathan Milstien", "Mumbai"]) @ EMBEDDER.embed(["Nathan Milstein"])[0]
    assert near > 0.6
    assert far < 0.3


def test_vectors_do_not_change_with_the_seed_of_the_process():
    program = "from rubric.embedder import HashEmbedder as H; print(H().embed(['Łódź 1998']).tobytes().hex())"
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {EMBEDDER.embed(["Łódź 1998"]).tobytes().hex().encode() + b"\n"}
