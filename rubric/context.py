"""What the text around a match says against it: another qualifier, another legal form, a longer name.

objection(form, span, text, Beside())       # ("the name goes on: “Shrek 2”", False)
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rubric.entity import Span
from rubric.forms import Case, Form
from rubric.lexicon import NOBLE
from rubric.neighbors import longer_name
from rubric.shorten import Omitted, legal_form_of


@dataclass(frozen=True, slots=True)
class Beside:
    """Whether other names of the rubric stand directly before or behind a match; they are no part of it."""

    before: bool = False
    behind: bool = False


def objection(form: Form, span: Span, text: str, beside: Beside, *, name: str) -> tuple[str | None, bool]:
    """The reason why a match does not count, if there is one; and whether one that counts is doubtful."""
    reason = _small(form, span, text, name) if form.case is not Case.ANY else None
    reason = reason or (_says_otherwise(form, span, text) if form.omissions else None)
    if reason:
        return reason, False
    if _EMPHASIS_INSIDE.match(text, span.end) and span.surface[-1:].isascii():
        return "part of a word", False
    longer = longer_name(
        text,
        span.start,
        span.end,
        named_before=beside.before,
        named_behind=beside.behind,
        shortened=bool(form.left_out(Omitted.ARTICLE)),
    )
    return (longer.reason, False) if longer and longer.certain else (None, longer is not None)


def _small(form: Form, span: Span, text: str, name: str) -> str | None:
    """Why the capitals of a surface do not show a name; a text without any capital cannot show one."""
    letters = [character for character in span.surface if character.isalpha()]
    last = span.surface.split()[-1] if span.surface.split() else ""
    begins = _SENTENCE_BEGINS.search(text[max(0, span.start - _NEAR) : span.start])
    if form.case is Case.SAME:
        same = _same_case(name, letters, short=form.text)
        if begins and same and not (len(letters) > 1 and all(map(str.isupper, letters))):
            return "at the beginning of a sentence a capital letter says nothing"
        return None if same else "a common word needs the capital letters of the name"
    if last.lstrip(_MARKS)[:1].islower():
        unmistakable = not last.isascii() and _composed(last) in _composed(name)
        careless = len(text) >= _WITHOUT_CAPITALS and text.islower()
        return None if careless or unmistakable else "one word needs the capital letter of the name"
    if form.case is Case.CAPITALS and begins and not last.strip(_MARKS).rstrip("s").isupper():
        return "at the beginning of a sentence a capital letter says nothing"
    if begins and _DETERMINER.match(text[span.end : span.end + _NEAR]):
        return "an ordinary word that begins a sentence"
    return None


_EMPHASIS_INSIDE = re.compile(r"[*~`]+[A-Za-z]")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


_WITHOUT_CAPITALS = 200
"""Characters of a text from which on it is seen that its writer uses no capitals."""
_NEAR, _MARKS = 16, "*_\"'“”‘’`([{)]}.,"
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?…][\"'”’)]*\s+|\n\s*(?:[-*•]\s+|\d+[.)]\s+)?)$")
_DETERMINER = re.compile(r" (?:the|a|an|your|his|her|their|my|our|some|any|this|that|these|those)\s")


def _same_case(name: str, letters: list[str], *, short: str) -> bool:
    """Whether the letters stand in capitals as in the name, or all of them do."""
    capitals = [character.isupper() for character in name if character.isalpha()]
    shown = [letter.isupper() for letter in letters]
    all_capitals = bool(shown) and all(shown)
    return all_capitals or (shown == capitals and len(letters) == sum(map(str.isalpha, short)))


def _says_otherwise(form: Form, span: Span, text: str) -> str | None:
    """Whether the text puts something else in the place of what was left out of the name."""
    behind = text[span.end : span.end + _BEHIND]
    qualifier, legal = form.left_out(Omitted.QUALIFIER), form.left_out(Omitted.LEGAL_FORM)
    if qualifier and _is_otherwise_qualified(qualifier, behind):
        return f"stands with another qualifier than “{qualifier}”"
    if legal and legal_form_of(behind) not in {"", legal}:
        return f"stands with another legal form than “{legal}”"
    rank = form.left_out(Omitted.RANK)
    if rank and _OTHER_RANK.match(behind) and not behind[2:].casefold().startswith(rank.casefold()):
        return f"stands with another rank than “{rank}”"
    club = form.left_out(Omitted.CLUB_FORM)
    if club and " " not in form.text and _PLACE.search(text[max(0, span.start - _BEHIND) : span.start]):
        return f"without “{club}” it may be the place"
    return None


_PLACE = re.compile(r"(?:^|\W)(?:in|near|around|of|outside|city|town|village)\s+$", re.IGNORECASE)
_OTHER_RANK = re.compile(rf", (?:\d+(?:st|nd|rd|th) )?(?:{NOBLE})(?!\w)", re.IGNORECASE)


def _is_otherwise_qualified(own: str, behind: str) -> bool:
    """Whether brackets follow that tell another entity: "(France)" for "(Germany)", "(album)" for "(song)".

    A remark of another make ("(released 2008)" for "(song)") tells nothing.
    """
    follows = _BRACKETS.match(behind)
    if not follows:
        return False
    mine, other = set(own.casefold().split()), set(follows[1].casefold().split())
    if mine <= other or other <= mine:
        return False
    years = [set(filter(str.isdigit, each)) for each in (mine, other)]
    return _make(own) == _make(follows[1]) or (all(years) and years[0] != years[1])


_BEHIND = 80
_YEAR_BEFORE = re.compile(r"^(?:\d+ (?=\S)|[A-Z][\w.]* (?=[a-z]+$))")
_BRACKETS = re.compile(r"[\s*_]{0,3}[(\[（【]([^()\[\]（）【】]+)")


def _make(qualifier: str) -> str:
    """Whether a qualifier begins as a name, as a plain word, or as a number; "2009 film" is a film."""
    first = _YEAR_BEFORE.sub("", qualifier.strip())[:1]
    return "number" if first.isdigit() else "word" if first.islower() else "name"
