"""Texts to token ids, a word at a time: words repeat, and a word that was seen is not tokenized again.

    Tokens(Path("tokenizer.json"), longest=256)("New York")      [CLS] new york [SEP], 4 bytes an id

This is right only where what stands around a word does not change its ids: BERT's kind of tokenizer, which
cuts at spaces first. Any other tokenizer gets the whole text. The ids are the library's own, either way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from service.embedding.backend import ModelFault

_NOTHING = bytes(4)
"""An empty text where the tokenizer frames nothing: a model must be given something."""
_LONGEST_WORD = 64
"""Characters; longer ones hardly repeat."""


class Tokens:
    """The tokenizer of a model folder. `longest` in tokens, those that frame a text included."""

    def __init__(self, path: Path, *, longest: int, most_words: int = 200_000) -> None:
        self._tokenizer = _opened(path)
        frame = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        if longest <= frame:
            raise ModelFault(f"{path.name}: an input of {longest} tokens holds no text")
        self._longest = longest
        self._most_words = most_words
        self._before, self._after = self._framing()
        self._by_word = _words_stand_alone(json.loads(path.read_text(encoding="utf-8")))
        self._known: dict[str, bytes] = {}

    def __call__(self, texts: Sequence[str]) -> list[bytes]:
        """The ids of each text as int32, one after the other."""
        cut = 4 * self._longest - len(self._before) - len(self._after)
        return [self._before + body[:cut] + self._after or _NOTHING for body in map(self._body, texts)]

    def _body(self, text: str) -> bytes:
        words = text.split(" ") if self._by_word else [text]
        known = self._known
        try:
            return b"".join([known[word] for word in words])
        except KeyError:
            return b"".join([self._word(word) for word in words])

    def _word(self, word: str) -> bytes:
        ids = self._known.get(word)
        if ids is None:
            ids = self._plain(word)
            if len(self._known) >= self._most_words:
                self._known = {}
            if len(word) <= _LONGEST_WORD:
                self._known[word] = ids
        return ids

    def _plain(self, text: str) -> bytes:
        clean = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text to the library
        ids = self._tokenizer.encode(clean, add_special_tokens=False).ids
        return np.array(ids, dtype=np.int32).tobytes()

    def _framing(self) -> tuple[bytes, bytes]:
        """What the tokenizer puts before and after a text."""
        probe = self._tokenizer.encode("a")
        inside = [at for at, special in enumerate(probe.special_tokens_mask) if not special]
        ids = np.array(probe.ids, dtype=np.int32)
        return ids[: inside[0]].tobytes(), ids[inside[-1] + 1 :].tobytes()


def _opened(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise ModelFault(f"{path.name} is not a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _words_stand_alone(spec: dict[str, Any]) -> bool:
    """Whether ids of a text are those of its words, cut at spaces."""
    kinds = [(spec.get(part) or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
    clear = all(
        not (token["lstrip"] or token["rstrip"] or token["single_word"] or " " in token["content"])
        for token in spec.get("added_tokens", ())
    )
    return clear and kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"]
