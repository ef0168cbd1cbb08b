"""Which words the world already uses, and how often: what tells a typo from another word.

The list is wordfreq's English one (about 320,000 words and names with their frequencies), part of the extra
`server`. Without it nothing is guessed: `missing()` says so, and profiles that need it are degraded.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

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
    """The list; loading it takes a quarter of a second, once per process. Raises `ModuleNotFoundError`."""
    buckets = _buckets(_file().read_bytes())
    ascii_of = _folded([word for bucket in buckets for word in bucket if not word.isascii()])
    found: dict[str, int] = {}
    for below, bucket in enumerate(buckets):
        for word in bucket:
            found.setdefault(ascii_of.get(word, word), _ALWAYS - below)
    kept = [word for word in found if word.isascii() and 0 < len(word) <= LONGEST]
    words = np.array(kept, dtype=f"S{LONGEST}")
    order = np.argsort(words)
    zipf = np.fromiter(map(found.__getitem__, kept), dtype=np.uint16)
    return Words(words[order], zipf[order])


@cache
def digest() -> str:
    """Sixteen hex digits over the list's file: a part of the fingerprint of every profile that uses it."""
    return blake2b(_file().read_bytes(), digest_size=8).hexdigest()


_ALWAYS = 900
"""Hundredths of Zipf of a word that is every word: 10^9 uses in 10^9."""


def _file() -> Path:
    """Read here and not by wordfreq, which loads every language's name before its first word."""
    found = find_spec("wordfreq")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("wordfreq is not installed: it comes with the extra `server`")
    return Path(found.origin).with_name("data") / "large_en.msgpack.gz"


def _buckets(packed: bytes) -> list[list[str]]:
    """Format cB: after a header, the words of each frequency, from 1 downwards in steps of 10^-0.01."""
    from msgpack import unpackb  # noqa: PLC0415 (what wordfreq brings, and the extra `server` with it)

    header, *buckets = unpackb(gzip.decompress(packed))
    if header != {"format": "cB", "version": 1}:
        raise ValueError(f"the list of wordfreq has another format: {header}")
    return buckets  # type: ignore[no-any-return] # msgpack's stubs know only Any


def _folded(words: list[str]) -> dict[str, str]:
    """All of them at once, which is forty times as fast as one after the other."""
    return dict(zip(words, fold("\n".join(words)).text.split("\n"), strict=True))
