"""Runs of names without predicates: "Lady Gaga, Madonna, Cher, Adele, Beyoncé".

run_of_names("Lady Gaga, Madonna, Cher, Adele", 11, 18) == 4
"""

from __future__ import annotations

import re

from rubric.lexicon import CONNECTORS

REACH = 400
"""Characters looked at on either side."""


def run_of_names(text: str, start: int, end: int) -> int:
    """How many names stand in a row where `text[start:end]` does, itself included.

    Names are separated by commas, semicolons, bars, slashes or list marks. The first may end a sentence
    ("She sang with Cher, …"), the last may begin one.
    """
    if not (_BEGINS.search(text[max(0, start - _NEAR) : start]) and _ENDS.match(text[end : end + 2 * _NEAR])):
        return 1
    left, right = text[max(0, start - REACH) : start], text[end : end + REACH]
    before, behind = _SEPARATOR.split(left)[::-1], _SEPARATOR.split(right)
    if _PARAGRAPH.search(before[0]) or not _is_name(
        before[0] + text[start:end] + behind[0], loose=len(before) > 1
    ):
        return _row(behind[1:]) + 1 if len(behind) > 1 and not behind[0].strip() else 1
    return 1 + _row(before[1:]) + _row(behind[1:])


def _row(items: list[str]) -> int:
    """Names from the first item on, until something else comes."""
    count = 0
    for item in items:
        if not _is_name(item, loose=False):
            break
        count += 1
    return count


_SEPARATOR = re.compile(
    r"\s*[,;|/•·]\s*(?:(?:and|or|und|et|y)\s+)?|\s*\n\s*(?:[-*+•]|\d{1,3}[.)])\s+|\s*\n(?!\n)\s*|\s+(?:and|or)\s+(?=[^\W\d_a-z]|$)"
)
_NEAR = 24
_BEGINS = re.compile(
    r"(?:^|[,;|/•·:\n(]|\b(?:and|or|with|are|include|including|like|as)\s)\s*(?:[-*+•]\s+|\d{1,3}[.)]\s+)?[*_\"'“‘`\[]*(?:[Tt]he\s)?$"
)
_ENDS = re.compile(r"[*_\"'”’`\]]*\s*(?:\([^()\n]{0,30}\)?)?\s*(?:[,;|/•·\n]|\.|$|(?:and|or)\s)")
_PARAGRAPH = re.compile(r"\n\s*\n")
_WORDS = re.compile(r"[^\W_][\w'’.-]*")
_LONGEST_NAME = 7


def _is_name(item: str, *, loose: bool) -> bool:
    """Capitals and connecting words only, and few of them; `loose`: a sentence may end before them."""
    words = _WORDS.findall(item)
    if loose and words:
        words = words[-_LONGEST_NAME:]
    if not words or len(words) > _LONGEST_NAME or not (words[0][0].isupper() or words[0][0].isdigit()):
        return False
    return all(not word[0].islower() or word.casefold() in CONNECTORS - _VERBS for word in words)


_VERBS = frozenset(
    """
    is are was were be been being has have had do does did can could will would should may might
    """.split()  # noqa: SIM905 (as in lexicon.py)
)
