"""A word at a time gives the ids that the whole text gives."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from service.embedding.backend import ModelFault
from service.embedding.builtin import find_files
from service.embedding.tokens import Tokens

PATH = find_files()["tokenizer.json"]
LONGEST = 24
TOKENS = Tokens(PATH, longest=LONGEST)
SLOW = Tokenizer.from_file(str(PATH))
SLOW.no_padding()
SLOW.enable_truncation(LONGEST)

PIECES = st.sampled_from(
    [
        "[SEP]",
        "[MASK]",
        "x[CLS]y",
        "##ing",
        "e\u0301",
        "\u0301",
        "ﬁ",
        "東京",
        "İ",
        "ß",
        "Ω",
        "Σς",
        "don't",
        "3.5",
        " ",
        "  ",
        "\t",
        "\n",
        "\u00a0",
        "\u2003",
        "\u200b",
        "\u0000",
        "\ufffd",
        "\r\n",
        "a" * 101,
        "👍🏽",
        "\ud800",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8), st.just(" ")), max_size=12).map("".join)


def ids(one):
    return np.frombuffer(one, dtype=np.int32).tolist()


def slow(text, tokenizer=SLOW):
    return tokenizer.encode(text.encode("utf-8", "replace").decode()).ids


@given(st.lists(TEXTS, max_size=3))
def test_words_from_memory_have_the_ids_of_the_tokenizer(texts):
    expected = [slow(text) for text in texts]
    assert [ids(one) for one in TOKENS(texts)] == expected
    assert [ids(one) for one in TOKENS(texts)] == expected  # and once more, now that they are remembered


@given(st.lists(TEXTS, max_size=3))
def test_a_tokenizer_that_minds_what_stands_around_a_word_gets_the_whole_text(roberta, texts):
    tokens = Tokens(roberta / "tokenizer.json", longest=20)
    twin = Tokenizer.from_file(str(roberta / "tokenizer.json"))
    twin.no_padding()
    twin.enable_truncation(20)
    assert [ids(one) for one in tokens(texts)] == [slow(text, twin) for text in texts]


def test_a_spelling_that_means_the_same_to_the_model_is_the_same_input():
    assert TOKENS(["New York"]) == TOKENS(["new  york"])


def test_memory_of_words_does_not_grow_for_ever():
    tokens = Tokens(PATH, longest=LONGEST, most_words=50)
    for start in range(0, 1000, 10):
        tokens([" ".join(map(str, range(start, start + 10)))])
    assert len(tokens._known) <= 50


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_a_file_that_is_no_tokenizer_is_told_at_start(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelFault):
        Tokens(tmp_path / "tokenizer.json", longest=LONGEST)


def test_an_added_token_with_a_space_turns_the_memory_of_words_off(tmp_path):
    path = shutil.copy(PATH, tmp_path / "tokenizer.json")
    spec = json.loads(PATH.read_text())
    added = spec["added_tokens"][-1] | {
        "id": 30522,
        "content": "new york",
        "normalized": True,
        "special": False,
    }
    spec["added_tokens"].append(added)
    path.write_text(json.dumps(spec))
    assert 30522 in ids(Tokens(path, longest=LONGEST)(["in new york today"])[0])
