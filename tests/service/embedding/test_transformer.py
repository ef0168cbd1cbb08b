"""The fast ways through a model give what the slow and obvious way gives."""

from __future__ import annotations

import json
import random
import re
import shutil

import numpy as np
import pytest

from service.embedding.backend import Choice, MissingPart, ModelFault, tokens_of
from service.embedding.loading import load

KINDS = ("bert", "roberta", "distilbert")


def texts(count, seed=0):
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdeinorst01", k=chance.randint(1, 9))) for _ in range(80)]
    return ["", "a " * 90, *(" ".join(chance.choices(words, k=chance.randint(1, 30))) for _ in range(count))]


def on_cpu(folder, **changes):
    return load(Choice(str(folder), device="cpu", threads=1, **changes))


@pytest.fixture(params=KINDS)
def folder(request):
    return request.getfixturevalue(request.param)


def test_a_model_gives_what_the_library_gives(folder):
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = 40
    backend = on_cpu(folder)
    found = backend.encode(backend.prepare(texts(30)))
    expected = model.encode(texts(30), normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_company_in_a_batch_moves_a_similarity_by_no_more_than_the_band(folder):
    backend = on_cpu(folder)
    inputs = backend.prepare(texts(40))
    alone = np.stack([backend.encode_alone(one) for one in inputs])
    for seed in range(4):
        order = random.Random(seed).sample(range(len(inputs)), k=len(inputs))
        mixed = np.empty_like(alone)
        for start in range(0, len(order), 2 + 5 * seed):
            part = order[start : start + 2 + 5 * seed]
            mixed[part] = backend.encode([inputs[at] for at in part])
        assert np.abs(mixed @ mixed.T - alone @ alone.T).max() < backend.band


def test_half_precision_stays_within_its_band_and_is_decided_alone_in_full(folder):
    exact, half = on_cpu(folder), on_cpu(folder, precision="bfloat16")
    inputs = exact.prepare(texts(40))
    slow, fast = exact.encode(inputs), half.encode(inputs)
    assert np.abs(fast @ fast.T - slow @ slow.T).max() > exact.band
    assert half.encode_alone(inputs[3]).tobytes() == exact.encode_alone(inputs[3]).tobytes()


def test_tokens_have_vectors_to_pool_spans_from(folder):
    backend = on_cpu(folder)
    (one,) = backend.prepare(["abc tion"])
    tokens = backend.contextual(one)
    assert tokens.shape == (tokens_of(one), 32)
    pooled = tokens[0] if "roberta" in str(folder) else tokens.mean(axis=0)
    np.testing.assert_allclose(pooled / np.linalg.norm(pooled), backend.encode_alone(one), atol=2e-6)


@pytest.fixture
def rewritten(bert, tmp_path):
    """A copy of a model whose weights went through a function."""
    files = pytest.importorskip("safetensors.torch")

    def rewrite(change):
        copy = shutil.copytree(bert, tmp_path / "copy")
        weights = files.load_file(copy / "model.safetensors")
        change(weights)
        files.save_file(weights, copy / "model.safetensors")
        return copy

    return rewrite


BIAS = "encoder.layer.1.output.dense.bias"


def test_a_model_that_gives_no_numbers_is_refused_at_start(rewritten):
    copy = rewritten(lambda weights: weights[BIAS].fill_(float("nan")))
    with pytest.raises(ModelFault, match="no numbers"):
        on_cpu(copy)


def test_weights_without_a_layer_are_refused_at_start(rewritten):
    copy = rewritten(lambda weights: weights.pop(BIAS))
    with pytest.raises(ModelFault, match=re.escape(BIAS)):
        on_cpu(copy)


def test_any_change_of_the_files_changes_the_identity(bert, tmp_path):
    copy = shutil.copytree(bert, tmp_path / "copy")
    same = on_cpu(copy).identity
    assert same == on_cpu(bert).identity
    pooling = copy / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_cls_token": True, "word_embedding_dimension": 32}))
    assert on_cpu(copy).identity != same


def gpu(folder, **changes):
    try:
        return load(Choice(str(folder), device="cuda", **changes))
    except MissingPart as error:
        assert "CUDA" in str(error)  # noqa: PT017 - what a machine without one must be told
        pytest.skip("needs a CUDA device")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_gives_what_the_cpu_gives(folder, precision):
    on_gpu, cpu = gpu(folder, precision=precision), on_cpu(folder)
    inputs = cpu.prepare(texts(60))
    expected, found = cpu.encode(inputs), on_gpu.encode(inputs)
    assert np.abs(found @ found.T - expected @ expected.T).max() < on_gpu.band
    np.testing.assert_allclose(on_gpu.encode_alone(inputs[5]), expected[5], atol=1e-5)
