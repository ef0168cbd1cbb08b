"""A remembered vector is the vector, or none."""

from __future__ import annotations

import numpy as np
import pytest

from rubric.embedder import HashEmbedder
from service.store.vectors import pack, unpack, vectors_key

TEXTS = ["New York City", "Zoë", "京都", "\ud800", ""]
ROWS = dict(zip(TEXTS, HashEmbedder(12).embed(TEXTS), strict=True))


def same(found, wanted):
    return found.keys() == wanted.keys() and all(
        found[text].tobytes() == row.tobytes() and found[text].dtype == np.float32
        for text, row in wanted.items()
    )


def test_every_bit_of_a_vector_survives():
    odd = np.array([1e-45, -0.0, 0.1, 1 / 3], dtype=np.float32)
    assert same(unpack(pack(ROWS), TEXTS), ROWS)
    assert same(unpack(pack({"a": odd}), ["a"]), {"a": odd})


def test_only_what_was_asked_for_and_is_there_comes_back():
    assert same(unpack(pack(ROWS), ["Zoë", "Oslo"]), {"Zoë": ROWS["Zoë"]})
    assert unpack(pack({}), TEXTS) == {}


def test_a_row_without_numbers_is_not_remembered():
    rows = {"a": np.array([np.nan, 1], dtype=np.float32), "b": np.array([0, 1], dtype=np.float32)}
    assert list(unpack(pack(rows), ["a", "b"])) == ["b"]


def test_a_cut_value_has_no_rows():
    raw = pack(ROWS)
    assert all(unpack(raw[:size], TEXTS) == {} for size in range(len(raw)))


@pytest.mark.parametrize("raw", [b"hello", b"\xff" * 8, b"\xff" * 4096, b"\0" * 7])
def test_a_foreign_value_has_no_rows(raw):
    assert unpack(raw, TEXTS) == {}


def test_rubrics_and_models_do_not_mix():
    keys = {vectors_key(rubric, identity=model) for rubric in ("d1", "d2") for model in ("m:1", "m:2")}
    assert len(keys) == 4


def test_further_rows_stand_beside_those_before():
    first, second = dict(list(ROWS.items())[:2]), dict(list(ROWS.items())[1:])
    assert same(unpack(pack(second, beside=pack(first)), TEXTS), ROWS)
    assert same(unpack(pack(second, beside=b"\xff" * 64), TEXTS), second)
