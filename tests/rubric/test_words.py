"""The list of known words, beside wordfreq's own reading of it."""

from __future__ import annotations

import math

import pytest
from wordfreq import get_frequency_dict, zipf_frequency

from rubric.text import fold
from rubric.words import LONGEST, known_words


def test_every_word_has_the_frequency_that_wordfreq_gives_it():
    slow: dict[str, int] = {}
    for word, frequency in get_frequency_dict("en", "best").items():
        key = word if word.isascii() else fold(word).text
        if key.isascii() and 0 < len(key) <= LONGEST:
            slow[key] = max(slow.get(key, 0), round((math.log10(frequency) + 9) * 100))
    fast = known_words()
    assert dict(zip(fast.words.astype(str).tolist(), fast.frequencies.tolist(), strict=True)) == slow


@pytest.mark.parametrize("word", ["the", "shakespeare", "banker", "bunker", "a"])
def test_frequencies_are_told_by_word(word):
    assert known_words().zipf(word) == pytest.approx(zipf_frequency(word, "en"), abs=0.005)


@pytest.mark.parametrize("word", ["", "shakespere", "zyzzyvaesque", "naïve", "x" * (LONGEST + 1), "москва"])
def test_what_is_not_in_the_list_has_no_frequency(word):
    assert known_words().zipf(word) == 0.0


def test_a_word_with_an_accent_is_found_as_it_is_folded():
    assert known_words().zipf("cafe") == pytest.approx(zipf_frequency("cafe", "en"), abs=0.5)
