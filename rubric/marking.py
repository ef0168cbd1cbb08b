"""Words marked in place, so that an automaton can only find whole words.

The first and the last character of each word are moved to code points of their own (for ASCII, by flipping
bit 5 and bit 7), in the text as in the names. A name then matches whole words only, the text keeps its
length, and leftmost-longest search gives the longest name at a place in one linear pass.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from string import ascii_lowercase, digits

import numpy as np
from numpy.typing import NDArray

from rubric.entity import Field, Span
from rubric.text import CHARACTER, MARK, OTHER, Codes, Folded, fold

_SPACE, _NEWLINE, _HYPHEN, _EMPHASIS = 1, 2, 3, 4
_SEPARATORS = np.zeros(256, dtype=np.uint8)
_SEPARATORS[list(b' \n-*_`~"\xb7')] = [_SPACE, _NEWLINE, _HYPHEN, *[_EMPHASIS] * 6]
_FIRST_ASCII, _LAST_ASCII = np.uint8(0x20), np.uint8(0x80)
_FIRST, _LAST = np.uint32(0x40000), np.uint32(0x80000)
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Marked:
    """A folded text with its words marked and its separators reduced to single spaces.

    `removed` holds, for the i-th separator that was taken out, its place less i; `first` and `last` say which
    of the folded characters begin and end a word.
    """

    folded: Folded
    text: bytes | str
    removed: NDArray[np.intp] | None
    first: NDArray[np.bool_]
    last: NDArray[np.bool_]

    @cached_property
    def _gone(self) -> Places | None:
        """The places of the separators that were taken out."""
        return None if self.removed is None else self.removed + np.arange(len(self.removed))

    def without_repeated(self, start: int, end: int) -> tuple[int, int]:
        """Where a piece of the folded text stands in `text`."""
        if self._gone is None:
            return start, end
        return start - int(self._gone.searchsorted(start)), end - int(self._gone.searchsorted(end))

    def span(self, start: int, end: int, *, field: Field) -> Span:
        """The original text behind `text[start:end]`."""
        return self.folded.span(self._back(start), self._back(end - 1) + 1, field=field)

    def plain(self, index: int) -> str:
        """The folded character at `index`; a space beyond the ends."""
        if not 0 <= index < len(self.text):
            return " "
        character = self.text[index]
        if isinstance(character, int):
            return _UNMARKED[character]
        return chr(ord(character) & _ANY_LETTER) if character >= _FIRST_WIDE else character

    def _back(self, index: int) -> int:
        return index if self.removed is None else index + bisect_right(self._removed, index)

    @cached_property
    def _removed(self) -> list[int]:
        return [] if self.removed is None else self.removed.tolist()


_SPACE_CODE = ord(" ")
_ANY_LETTER = 0x1FFFF
_FIRST_WIDE = chr(_FIRST)
_UNMARKED = {code: chr(code) for code in range(256)} | {
    ord(letter) ^ first ^ last: letter
    for letter, first, last in product(ascii_lowercase + digits, (0, 0x20), (0, 0x80))
}

_PLAIN = bytes(ord(_UNMARKED[code]) if ord(_UNMARKED[code]) < 0x80 else ord("?") for code in range(256))  # noqa: PLR2004


def mark(folded: Folded) -> Marked:
    """Mark the words of a folded text, and reduce what may separate the words of a name to one space.

    Spaces, line breaks, underscores, emphasis and quotes separate; so does a hyphen between two words. A
    blank line, and a hyphen or asterisk with space around it, end a name.
    """
    codes, kinds = folded.codes, folded.kinds if folded.ascii else _kinds_with_marks(folded.kinds)
    gap: NDArray[np.bool_] = codes == _SPACE_CODE
    rest = np.flatnonzero((kinds == OTHER) > gap)
    rest = rest[_separator(codes[rest]) > 0]
    gap[rest] = soft = _separates(rest, codes, kinds)
    inside = kinds.view(np.bool_) if folded.ascii else (kinds > 0) & (kinds != CHARACTER)
    first, last, change = inside.copy(), inside.copy(), kinds[1:] != kinds[:-1]
    first[1:] &= change
    last[:-1] &= change
    if folded.ascii:
        marked = codes ^ first.view(np.uint8) * _FIRST_ASCII ^ last.view(np.uint8) * _LAST_ASCII
    else:
        marked = codes + first * _FIRST + last * _LAST
    marked[rest[soft]] = _SPACE_CODE
    repeated = np.flatnonzero(gap[1:] & gap[:-1]) + 1
    removed = repeated - np.arange(len(repeated)) if len(repeated) else None
    return Marked(folded, _without(repeated, marked), removed, first, last)


def mark_narrow(texts: Sequence[str]) -> list[bytes]:
    """Many folded ASCII texts, none with a line break, marked in one go."""
    marked = mark(fold(_BETWEEN.join(texts))).text
    return marked.split(_BETWEEN.encode()) if texts and isinstance(marked, bytes) else []


def mark_wide(texts: Sequence[str]) -> list[str]:
    """Many folded texts, none with a line break, in the marking of texts that are not ASCII."""
    folded = fold(_BETWEEN.join(texts))
    wide = Folded(folded.original, folded.codes.astype(np.uint32), folded.kinds, folded.origin)
    marked = mark(wide).text
    return marked.split(_BETWEEN) if texts and isinstance(marked, str) else []


_BETWEEN = "\n\n"


def unmarked(text: bytes | str) -> str:
    """A piece of a marked text as it was before."""
    if isinstance(text, bytes):
        return text.translate(_PLAIN).decode("ascii")
    return "".join(chr(ord(each) & _ANY_LETTER) if each >= _FIRST_WIDE else each for each in text)


def _separates(at: Places, codes: Codes, kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether the line breaks, hyphens and emphasis at these places only separate the words of a name."""
    before, after = at - 1, np.minimum(at + 1, len(codes) - 1)
    starts, ends = at == 0, at == len(codes) - 1
    left = np.where(starts, _SPACE, _separator(codes[before]))
    right = np.where(ends, _SPACE, _separator(codes[after]))
    newline = (left != _NEWLINE) & (right != _NEWLINE)
    hyphen = (kinds[before] > 0) & (kinds[after] > 0) & ~starts & ~ends
    emphasis = ~(_is_space(left) & _is_space(right))
    own = _separator(codes[at])
    return np.where(own == _NEWLINE, newline, np.where(own == _HYPHEN, hyphen, emphasis))


def _is_space(separator: NDArray[np.uint8]) -> NDArray[np.bool_]:
    space: NDArray[np.bool_] = (separator == _SPACE) | (separator == _NEWLINE)
    return space


def _without(places: Places, marked: Codes) -> bytes | str:
    """The text without the characters at these places; a folded text has no zero character of its own."""
    if len(places):
        marked[places] = 0
    if marked.dtype == np.uint8:
        return marked.tobytes().replace(b"\0", b"")
    return marked.tobytes().decode("utf-32-le").replace("\0", "")


def _separator(codes: Codes) -> NDArray[np.uint8]:
    return _SEPARATORS.take(codes, mode="clip")


def _kinds_with_marks(kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mark belongs to the word of the letter that carries it."""
    marks = kinds == MARK
    if not marks.any():
        return kinds
    return kinds[np.maximum.accumulate(np.where(marks, 0, np.arange(len(kinds))))]
