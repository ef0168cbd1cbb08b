"""All lexical stages over one text: names exactly, numbers and dates by value, then typos of what is left.

read(compiled(rubric), response, field=Field.CONTENT, words=known_words()).matches
"""

from __future__ import annotations

from rubric.entity import Field
from rubric.exact import Mentions, find
from rubric.fuzzy import find_typos
from rubric.marking import Marked, mark
from rubric.names import Names
from rubric.text import fold
from rubric.typos import typos_of
from rubric.words import Words

MATCHER_VERSION = "3"
"""Raised by every change of a lexical decision that no table shows; a part of every fingerprint."""


def read(names: Names, text: str, *, field: Field, words: Words | None = None) -> Mentions:
    """What one field says of each entity. Without `words` there is no fuzzy stage."""
    return read_marked(names, mark(fold(text)), field=field, words=words)


def read_marked(names: Names, marked: Marked, *, field: Field, words: Words | None = None) -> Mentions:
    """`read`, where the words of the text are marked already."""
    exact = find(names, marked, field=field)
    left = names.of_entity.keys() - exact.matches.keys()
    if words is None or not left:
        return exact
    typos = find_typos(typos_of(names), marked, exact, entities=left, field=field, words=words)
    return Mentions(exact.matches | typos.matches, typos.refused | exact.refused)
