"""What the text around a match says against it: another qualifier, another legal form, a longer name.

objection(form, span, text, Beside())       # ("the name goes on: “Shrek 2”", False)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rubric.entity import Span
from rubric.forms import Form
from rubric.lexicon import NOBLE
from rubric.neighbors import longer_name
from rubric.shorten import Omitted, legal_form_of


@dataclass(frozen=True, slots=True)
class Beside:
    """Whether other names of the rubric stand directly before or behind a match; they are no part of it."""

    before: bool = False
    behind: bool = False


def objection(form: Form, span: Span, text: str, beside: Beside) -> tuple[str | None, bool]:
    """The reason why a match does not count, if there is one; and whether one that counts is doubtful."""
    reason = _says_otherwise(form, span, text) if form.omissions else None
    if reason:
        return reason, False
    longer = longer_name(text, span.start, span.end, named_before=beside.before, named_behind=beside.behind)
    return (longer.reason, False) if longer and longer.certain else (None, longer is not None)


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
    return not (mine <= other or other <= mine) and _make(own) == _make(follows[1])


_BEHIND = 80
_BRACKETS = re.compile(r"[\s*_]{0,3}[(\[（【]([^()\[\]（）【】]+)")


def _make(qualifier: str) -> str:
    """Whether a qualifier begins as a name, as a plain word, or as a number."""
    first = qualifier.strip()[:1]
    return "number" if first.isdigit() else "word" if first.islower() else "name"
