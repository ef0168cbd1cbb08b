"""Words marked in place, so that an automaton can only find whole words.

The first and the last character of each word are moved to code points of their own (for ASCII, by flipping
bit 5 and bit 7), in the text as in the names. A name then matches whole words only, the text keeps its
length, and leftmost-longest search gives the longest name at a place in one linear pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rubric.entity import Field, Span
from rubric.text import CHARACTER, MARK, Codes, Folded

_SPACE, _NEWLINE, _HYPHEN, _EMPHASIS = 1, 2, 3, 4
_SEPARATORS = bytes(
    {" ": _SPACE, "\n": _NEWLINE, "-": _HYPHEN}.get(chr(code), _EMPHASIS if chr(code) in '*_`~"·' else 0)
    for code in range(256)
)
_FIRST_ASCII, _LAST_ASCII = np.uint8(0x20), np.uint8(0x80)
_FIRST, _LAST = np.uint32(0x40000), np.uint32(0x80000)


@dataclass(frozen=True, slots=True)
class Marked:
    """A folded text with its words marked and its separators reduced to single spaces.

    `removed` holds, for the i-th separator that was taken out, its place less i.
    """

    folded: Folded
    text: bytes | str
    removed: NDArray[np.intp] | None

    def span(self, start: int, end: int, *, field: Field) -> Span:
        """The original text behind `text[start:end]`."""
        return self.folded.span(self._back(start), self._back(end - 1) + 1, field=field)

    def plain(self, index: int) -> str:
        """The folded character at `index`; a space beyond the ends."""
        return chr(self.folded.codes[self._back(index)]) if 0 <= index < len(self.text) else " "

    def _back(self, index: int) -> int:
        return index if self.removed is None else index + int(np.searchsorted(self.removed, index, "right"))


_SPACE_CODE = ord(" ")


def mark(folded: Folded) -> Marked:
    """Mark the words of a folded text, and reduce what may separate the words of a name to one space.

    Spaces, line breaks, underscores, emphasis and quotes separate; so does a hyphen between two words. A
    blank line, and a hyphen or asterisk with space around it, end a name.
    """
    codes, kinds = folded.codes, _kinds_with_marks(folded.kinds)
    separator = np.frombuffer(_low_byte(codes).translate(_SEPARATORS), dtype=np.uint8)
    word, space = kinds > 0, (separator == _SPACE) | (separator == _NEWLINE)
    gap = space & ~_paragraphs(separator)
    gap |= (separator == _HYPHEN) & _before(word) & _after(word)
    gap |= (separator == _EMPHASIS) & ~(_before(space, edge=True) & _after(space, edge=True))
    first, last = kinds != _before(kinds), kinds != _after(kinds)
    inside = word & (kinds != CHARACTER)
    if folded.ascii:
        marked = codes ^ ((first & inside) * _FIRST_ASCII) ^ ((last & inside) * _LAST_ASCII)
    else:
        marked = codes + (first & inside) * _FIRST + (last & inside) * _LAST
    marked[gap] = _SPACE_CODE
    return _without_repeated(gap, marked, folded)


def _without_repeated(gap: NDArray[np.bool_], marked: Codes, folded: Folded) -> Marked:
    repeated = gap & _before(gap)
    removed = None
    if repeated.any():
        places = np.flatnonzero(repeated)
        removed = places - np.arange(len(places))
        marked = marked[~repeated]
    raw = marked.tobytes()
    return Marked(folded, raw if folded.ascii else raw.decode("utf-32-le"), removed)


def _low_byte(codes: Codes) -> bytes:
    return codes.tobytes() if codes.dtype == np.uint8 else np.minimum(codes, 255).astype(np.uint8).tobytes()


def _kinds_with_marks(kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mark belongs to the word of the letter that carries it."""
    marks = kinds == MARK
    if not marks.any():
        return kinds
    return kinds[np.maximum.accumulate(np.where(marks, 0, np.arange(len(kinds))))]


def _paragraphs(separator: NDArray[np.uint8]) -> NDArray[np.bool_]:
    newline = separator == _NEWLINE
    beside: NDArray[np.bool_] = (_before(newline) | _after(newline)) & newline
    return beside


_A = TypeVar("_A", NDArray[np.bool_], NDArray[np.uint8])


def _before(values: _A, *, edge: int = 0) -> _A:
    """Per position, the value one to the left."""
    shifted = np.empty_like(values)
    shifted[:1], shifted[1:] = edge, values[:-1]
    return shifted


def _after(values: _A, *, edge: int = 0) -> _A:
    """Per position, the value one to the right."""
    shifted = np.empty_like(values)
    shifted[-1:], shifted[:-1] = edge, values[1:]
    return shifted
