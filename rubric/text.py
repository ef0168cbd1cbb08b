"""The one fold of the strict profiles, with a map back to the original text, and the fields of a response.

    fold("Beyoncé’s Straße").text == "beyonce's strasse"

The fold is compatibility decomposition, case folding and the removal of what does not tell names apart:
accents of Latin, Greek and Cyrillic letters, zero-width and control characters, variants of dashes, quotes
and spaces. Marks of every other script carry meaning and stay (Devanagari vowels, Thai tones, kana voicing);
those characters are left decomposed, so that both ways to write them compare equal.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rubric.entity import Field, Span

NORMALIZER_VERSION = "2"

Codes = NDArray[np.uint8] | NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text: `codes` holds its code points, of which number i came from `original[origin[i]]`.

    `codes` is uint8 where all of them are ASCII, uint32 otherwise; `origin` is None where nothing moved;
    `kinds` says of each code point what part it takes in a word (`OTHER` … `MARK`).
    """

    original: str
    codes: Codes
    kinds: NDArray[np.uint8]
    origin: NDArray[np.intp] | None

    @property
    def ascii(self) -> bool:
        """Whether the text takes the fast path."""
        return self.codes.dtype == np.uint8

    @property
    def text(self) -> str:
        """The folded text."""
        return self.codes.tobytes().decode("ascii" if self.ascii else "utf-32-le")

    def span(self, start: int, end: int, *, field: Field) -> Span:
        """Where `text[start:end]` stood, with the accents that belong to its last letter."""
        first, stop = start, end
        if self.origin is not None:
            first, stop = int(self.origin[start]), int(self.origin[end - 1]) + 1
        if not self.original.isascii():
            while stop < len(self.original) and unicodedata.category(self.original[stop])[0] == "M":
                stop += 1
        return Span(field=field, start=first, end=stop, surface=self.original[first:stop])


def fold(text: str) -> Folded:
    """Bring a text to the form in which names are compared. Cost is linear, and small for ASCII."""
    return _fold_ascii(text) if text.isascii() else _fold_unicode(text)


def _fold_ascii(text: str) -> Folded:
    raw = text.encode("ascii")
    folded = raw.translate(_ASCII_FOLD, _ASCII_DROPPED)
    origin = None
    if len(folded) != len(raw):
        origin = np.flatnonzero(np.frombuffer(raw.translate(_ASCII_KEPT), dtype=bool))
    codes = np.frombuffer(folded, dtype=np.uint8)
    word = codes - _SMALL_A < _LETTERS_IN_ALL  # far quicker than a table
    word |= codes - _ZERO < _DIGITS_IN_ALL
    return Folded(text, codes, word.view(np.uint8), origin)


def _fold_unicode(text: str) -> Folded:
    table = _tables()
    codes = table.fold(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32))
    codes, origin = table.expand(codes) if codes.max() >= _EXPANDED else (codes, None)
    kinds = table.kinds.take(codes, mode="clip")
    keep = codes != _DROP
    marks = kinds == MARK
    if marks.any():
        keep &= ~marks | _carried(codes, keep & ~marks, table)
    if not keep.all():
        codes, kinds = codes[keep], kinds[keep]
        origin = np.flatnonzero(keep) if origin is None else origin[keep]
    if codes.max(initial=0) < _ASCII_END:
        return Folded(text, codes.astype(np.uint8), kinds, origin)
    return _in_canonical_order(Folded(text, codes, kinds, origin), table)


def _carried(codes: Codes, letters: NDArray[np.bool_], table: _Tables) -> NDArray[np.bool_]:
    """For each position: is the letter before it of a script whose marks carry meaning?"""
    base = np.maximum.accumulate(np.where(letters, np.arange(len(codes)), -1))
    carries = table.carries.take(codes, mode="clip")[base]
    return carries & (base >= 0)


def _in_canonical_order(folded: Folded, table: _Tables) -> Folded:
    """Sort marks that stand on one letter, as NFD does; almost every text is sorted already."""
    if not (folded.kinds == MARK).any():
        return folded
    classes = table.combining[folded.codes]
    if not ((classes[1:] > 0) & (classes[:-1] > classes[1:])).any():
        return folded
    order = np.lexsort((classes, np.cumsum(classes == 0)))
    origin = order if folded.origin is None else folded.origin[order]
    return Folded(folded.original, folded.codes[order], folded.kinds[order], np.maximum.accumulate(origin))


# --- one character ----------------------------------------------------------------------------------------

OTHER, WORD, KATAKANA, HANGUL, CHARACTER, MARK = range(6)
"""Kinds of folded characters: in no word; in a word; of katakana; of Hangul; a word of its own; a mark.

A word also ends where the kind changes, so that particles and suffixes of another script do not hide a name.
"""

_CODE_SPACE = 0x110000
_SPECIAL = _CODE_SPACE
_DROP = _CODE_SPACE
_EXPANDED = _CODE_SPACE + 1
_UNSEEN = 0xFFFFFFFF
_ASCII_END = 0x80

_SPACES = "\t\v\f\r\x1c\x1d\x1e\x1f\x85"
_NEWLINES = "\n\u2028\u2029"
_SINGLE_QUOTES = "'‘’‚‛′‵´ʹ＇"
_DOUBLE_QUOTES = '"“”„‟″‶«»ʺ＂'
_DROPPED = "™℠®©ʻʼʽˈ"
_LETTERS = {"æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i", "ȷ": "j", "ŋ": "n", "ƿ": "w"}
_ACCENTED = re.compile(r"(?:LATIN|GREEK|CYRILLIC) SMALL LETTER .+ WITH ")
_STRIPPED_SCRIPTS = ("LATIN ", "GREEK ", "CYRILLIC ")
_CHARACTER_SCRIPTS = ("CJK ", "HIRAGANA ", "THAI ", "LAO ", "KHMER ", "MYANMAR ", "BOPOMOFO ", "TAI ")


def fold_character(character: str) -> str:
    """One character folded: a base letter, nothing, or several (`ß`, `…`, a Hangul syllable)."""
    if character in _NEWLINES:
        return "\n"
    category = unicodedata.category(character)
    if character in _SPACES or category == "Zs":
        return " "
    if category in {"Cc", "Cf", "Cn", "Co"} or character in _DROPPED or "\ufe00" <= character <= "\ufe0f":
        return ""
    if character in _SINGLE_QUOTES:
        return "'"
    if character in _DOUBLE_QUOTES:
        return '"'
    if category == "Pd" or character in "−⁃":
        return "-"
    if character in "・･‧":
        return "·"
    if category[0] == "M":
        return unicodedata.normalize("NFKD", character)
    folded = _base_letters(unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold()))
    return folded if folded == character else "".join(map(fold_character, folded))


def _base_letters(decomposed: str) -> str:
    """Drop the marks of scripts that can do without, and bring `ø`, `ł`, `đ` … to their base letter."""
    kept: list[str] = []
    for character in decomposed:
        if unicodedata.category(character)[0] == "M" and (not kept or _strips_marks(kept[-1])):
            continue
        kept.append(_LETTERS.get(character) or _without_stroke(character))
    return "".join(kept)


def _without_stroke(letter: str) -> str:
    """The letter that its Unicode name says it is a variant of: LATIN SMALL LETTER L WITH STROKE is an l."""
    name = unicodedata.name(letter, "")
    try:
        return unicodedata.lookup(name.partition(" WITH ")[0]) if _ACCENTED.match(name) else letter
    except KeyError:
        return letter


def _strips_marks(character: str) -> bool:
    return not character[-1:].isalpha() or unicodedata.name(character[-1], "").startswith(_STRIPPED_SCRIPTS)


def _kind(character: str) -> int:
    category = unicodedata.category(character)
    name = unicodedata.name(character, "")
    if category[0] == "M":
        return MARK
    if category[0] not in "LN":
        return OTHER
    if name.startswith(("KATAKANA", "HANGUL")):
        return KATAKANA if name[0] == "K" else HANGUL
    return CHARACTER if name.startswith(_CHARACTER_SCRIPTS) else WORD


_ASCII_DROPPED = bytes(code for code in range(_ASCII_END) if fold_character(chr(code)) == "")
_SMALL_A, _LETTERS_IN_ALL, _ZERO, _DIGITS_IN_ALL = map(np.uint8, (ord("a"), 26, ord("0"), 10))
_ASCII_KEPT = bytes(code not in _ASCII_DROPPED for code in range(256))
_ASCII_FOLD = bytes(
    ord(fold_character(chr(code)) or "\0") if code < _ASCII_END else code for code in range(256)
)


class _Tables:
    """What the functions above say of each code point, remembered in arrays for whole texts at a time."""

    def __init__(self) -> None:
        self._folds = np.full(_CODE_SPACE, _UNSEEN, dtype=np.uint32)
        self._expansions: list[str] = []
        self.kinds = np.zeros(_CODE_SPACE, dtype=np.uint8)
        self.carries = np.zeros(_CODE_SPACE, dtype=bool)
        self.combining = np.zeros(_CODE_SPACE, dtype=np.uint8)

    def fold(self, codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Per code point: its folded code point, `_DROP`, or `_EXPANDED` + the number of an expansion."""
        index = codes.astype(np.intp)
        folded = self._folds.take(index, mode="clip")
        unseen = np.unique(codes[folded == _UNSEEN])
        for code in unseen.tolist():
            self._learn(code)
        return self._folds.take(index, mode="clip") if len(unseen) else folded

    def expand(self, folded: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Write out the expansions; also the index in `folded` that each result came from."""
        places = np.flatnonzero(folded >= _EXPANDED)
        texts = [self._expansions[number] for number in (folded[places] - _EXPANDED).tolist()]
        written = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
        lengths = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
        within = np.arange(len(written)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        slots = np.repeat(places + np.cumsum(lengths - 1) - (lengths - 1), lengths) + within
        steps = np.ones(len(folded) + len(written) - len(places), dtype=np.intp)
        steps[slots[within > 0]] = 0
        origin = np.cumsum(steps) - 1
        result = folded[origin]
        result[slots] = written
        return result, origin

    def _learn(self, code: int) -> None:
        folded = "" if 0xD800 <= code <= 0xDFFF else fold_character(chr(code))  # noqa: PLR2004 (surrogates)
        for character in folded:
            self.kinds[ord(character)] = _kind(character)
            self.carries[ord(character)] = not _strips_marks(character)
            self.combining[ord(character)] = unicodedata.combining(character)
        if len(folded) > 1:
            self._expansions.append(folded)
            self._folds[code] = _EXPANDED + len(self._expansions) - 1
        else:
            self._folds[code] = ord(folded) if folded else _DROP


@cache
def _tables() -> _Tables:
    return _Tables()


# --- the fields of a response -----------------------------------------------------------------------------

_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Texts:
    """A response taken apart. `final` is what the outcome is judged on."""

    content: str
    reasoning: str
    final: str
    unclosed: bool = False
    closings: int = 0

    def of(self, field: Field) -> str:
        """The original text that offsets of `field` count in."""
        return self.content if field is Field.CONTENT else self.reasoning


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: str
    content: str
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """What a policy wrote: raw text, or chat messages where `text` is None."""

    text: str | None
    messages: tuple[Message, ...] = ()


def split(response: Response) -> Texts:
    """The fields of a response: the thinking is what stands before the last `</think>`.

    Thinking that is opened and never closed leaves no content. Of chat messages the assistant's count, each
    field their parts joined by a blank line; the outcome is judged on the last of them.
    """
    if response.text is not None:
        return _split_text(response.text)
    own = [message for message in response.messages if message.role == "assistant"]
    parts = [_split_text(message.content) for message in own]
    pairs = zip(own, parts, strict=True)
    reasoning = [text for message, part in pairs for text in (message.reasoning, part.reasoning)]
    return Texts(
        content="\n\n".join(part.content for part in parts if part.content),
        reasoning="\n\n".join(text for text in reasoning if text),
        final=parts[-1].content if parts else "",
        unclosed=any(part.unclosed for part in parts),
        closings=max((part.closings for part in parts), default=0),
    )


def _split_text(text: str) -> Texts:
    closings = text.count(_CLOSE)
    reasoning, _, content = text.rpartition(_CLOSE) if closings else ("", "", text)
    unclosed = not closings and text.lstrip().startswith(_OPEN)
    if unclosed:
        reasoning, content = content, ""
    return Texts(content, reasoning, content, unclosed=unclosed, closings=closings)
