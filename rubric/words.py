"""Which words the world already uses, and how often: what tells a typo from another word.

The list is wordfreq's English one (about 320,000 words and names with their frequencies), part of the extra
`server`. Without it nothing is guessed: `missing()` says so, and profiles that need it are degraded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from rubric.text import fold

LONGEST = 24
"""Letters of the longest word that is kept; longer ones count as unknown."""


@dataclass(frozen=True)
class Words:
    """Folded words in order, and for each its Zipf frequency in hundredths."""

    words: NDArray[np.bytes_]
    frequencies: NDArray[np.uint16]

    def zipf(self, word: str) -> float:
        """log10 of the uses in 10^9 words: 7 for "the", 4 for "shakespeare", 0 for what is unknown."""
        if not word.isascii() or len(word) > LONGEST:
            return 0.0
        at = int(self.words.searchsorted(word.encode()))
        found = at < len(self.words) and self.words[at] == word.encode()
        return float(self.frequencies[at]) / 100 if found else 0.0


def missing() -> bool:
    """Whether this installation lacks the list."""
    return find_spec("wordfreq") is None


@cache
def known_words() -> Words:
    """The list; loading it takes a third of a second, once per process. Raises `ModuleNotFoundError`."""
    from wordfreq import get_frequency_dict  # noqa: PLC0415 (heavy, and asked for by name: the extra `server`)

    folded: dict[str, float] = {}
    for word, frequency in get_frequency_dict("en", "best").items():
        key = word if word.isascii() else fold(word).text
        if key.isascii() and 0 < len(key) <= LONGEST:
            folded[key] = max(folded.get(key, 0.0), frequency)
    words = np.array(list(folded), dtype=f"S{LONGEST}")
    order = np.argsort(words)
    zipf = np.log10(np.fromiter(folded.values(), dtype=np.float64)) + 9
    return Words(words[order], np.round(zipf[order] * 100).astype(np.uint16))


@cache
def digest() -> str:
    """Sixteen hex digits over the list's file: a part of the fingerprint of every profile that uses it."""
    source = files("wordfreq") / "data" / "large_en.msgpack.gz"
    return blake2b(source.read_bytes(), digest_size=8).hexdigest()
