"""Does a name go on beyond the match? "Shrek" in "Shrek 2", "Grenfell" in "Grenfell-Baines".

    longer_name("He saw Shrek 2.", 7, 12)   # Neighbor(reason="the name goes on: “Shrek 2”", certain=True)

Certain where the words leave no other reading; otherwise the match counts and carries the flag `longer_name`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rubric.lexicon import (
    CALENDAR,
    FUNCTION_WORDS,
    HEADS,
    NEW_NAME_BEFORE,
    OF_HEADS,
    OWN_DOT,
    ROLES,
)
from rubric.shorten import goes_on_as_club, legal_form_of


@dataclass(frozen=True, slots=True)
class Neighbor:
    """What stands beside a match, and whether it makes another name for certain."""

    reason: str
    certain: bool


def longer_name(
    text: str,
    start: int,
    end: int,
    *,
    named_before: bool = False,
    named_behind: bool = False,
    shortened: bool = False,
) -> Neighbor | None:
    """What makes `text[start:end]` a part of a longer name, if anything does.

    `named_before` and `named_behind`: a name of the rubric stands there, so that it is no part of this one;
    `shortened`: the name has lost its article ("Hague").
    """
    found = None
    if not named_behind:
        found = _behind(text, start, end)
    if not named_before and not (found and found.certain):
        found = _before(text, start, end, shortened=shortened) or found
    return found


def _behind(text: str, start: int, end: int) -> Neighbor | None:
    follows = text[end : end + _REACH]
    first, second = follows[:1], follows[1:2]
    if first in _HYPHENS and second.isalpha():
        return _hyphenated(text[start:end], follows)
    numbered = _NUMBERED.match(follows) if first in " :,–" else None
    if not numbered and (first != " " or not (second.isdigit() or second.isupper() or second == "&")):
        return None
    if numbered:
        return _goes_on(text[start:end], numbered[0], certain=True)
    if second.isdigit():
        return _figure(text, start, end, follows)
    if second == "&":
        partner = _PARTNER.match(follows)
        return _goes_on(text[start:end], partner[0], certain=False) if partner else None
    return _capitalized(text, start, end, follows)


_REACH = 48
_HYPHENS = ("-", "‐", "‑", "–")
_PARTS = "Part|Vol\\.?|Volume|Chapter|Episode|Season|Book|Act|Phase|No\\.?|Number|Type|Mark|Series|Version"
_NUMBERED = re.compile(
    rf"(?:[:,]? (?:{_PARTS}) (?:\d{{1,3}}|[IVX]+|One|Two|Three|Four|Five|Six)(?!\w)"
    r"| (?:[IVX]{2,7}|[VX])(?![\w.]))"
)
_PARTNER = re.compile(r" & [^\W\d_]\w+")


def _goes_on(name: str, rest: str, *, certain: bool) -> Neighbor:
    return Neighbor(f"the name goes on: “{name}{rest.rstrip()}”", certain)


def _hyphenated(name: str, follows: str) -> Neighbor | None:
    """Surnames and states (Austria-Hungary); but not Paris-based, and Paris–London is a way, not a name."""
    rest = _WORD.match(follows, 1)
    if not rest or not rest[0][0].isupper():
        return None
    return _goes_on(name, follows[: rest.end()], certain=follows[0] != "–" and not rest[0].isupper())


_WORD = re.compile(r"[^\W\d_]+")


def _figure(text: str, start: int, end: int, follows: str) -> Neighbor | None:
    """A sequel (Shrek 2); but a year, a score or a count of something behind a name is none of its parts."""
    figure = _SMALL_FIGURE.match(follows)
    if not figure:
        return None
    counted = _COUNTED.match(follows, figure.end())
    placed = _PLACED.search(text[max(0, start - _REACH) : start])
    return _goes_on(text[start:end], figure[0], certain=not counted and not placed)


_SMALL_FIGURE = re.compile(r" [1-9]\d?(?![\d%°])(?![.,:/–-]\d)")
_COUNTED = re.compile(r" (?:[a-z]+s|million|billion|thousand|percent|per cent|km|kg|people|men|women)(?!\w)")
_PLACED = re.compile(
    r"(?:^|\W)(?:in|at|from|near|on|along)"
    r"(?: (?:the|der|dem|den|la|le))? $",
    re.IGNORECASE,
)


def _capitalized(text: str, start: int, end: int, follows: str) -> Neighbor | None:
    """A capital letter in the middle of a sentence: "Paris Hilton", "Teen Titans Go!"."""
    rest = _WORD.match(follows, 1)
    name = text[start:end]
    if not rest or name == name.lower():
        return None
    if legal_form_of(follows) or goes_on_as_club(follows):
        return None
    word = rest[0].casefold()
    if word in HEADS and follows[rest.end() : rest.end() + 1] not in _HYPHENS:
        return _goes_on(name, follows[: rest.end()], certain=True)
    if word in FUNCTION_WORDS or word in CALENDAR or word in ROLES:
        return None
    open_ = word in {"jr", "sr"} or _FRONTED.search(text[max(0, start - _REACH) : start])
    heading = rest[0].isupper() or _in_capitals(text, start, rest.end() + end)
    certain = not open_ and (not heading or " " not in name)
    return _goes_on(name, follows[: rest.end()], certain=certain)


_FRONTED = re.compile(r"(?:^|[.!?\n]\s*)(?:In|At|From|Near|On|Around|Outside|Unlike|With|For) $")


def _in_capitals(text: str, start: int, end: int) -> bool:
    """Whether the line around writes most of its words with a capital, as headings and tables do."""
    before = text[max(0, start - _REACH) : start].rpartition("\n")[2].partition(" ")[2]
    behind = text[end : end + _REACH].partition("\n")[0]
    words = [word for word in _WORD.findall(before) + _WORD.findall(behind) if len(word) > _SHORT_WORD]
    return sum(word[0].isupper() for word in words) > len(words) * _MOSTLY or text[start:end].isupper()


_SHORT_WORD, _MOSTLY = 3, 0.6


def _before(text: str, start: int, end: int, *, shortened: bool) -> Neighbor | None:
    precedes = text[max(0, start - _REACH) : start]
    name = text[start:end]
    if precedes[-1:] in _HYPHENS:
        return _hyphen_before(precedes, name)
    if precedes[-1:] not in {" ", "\n"} or not name[:1].isupper():
        return None
    wrapped = precedes[-1] == "\n"
    last = precedes[:-1].rpartition(" ")[2]
    if last in _LEANING:
        of = _OF.search(precedes)
        certain = of is not None and of[1].casefold() in OF_HEADS
        return (
            Neighbor(f"part of a longer name: “{of[0].strip()} {name}”", certain) if of and certain else None
        )
    last = last.rpartition("\n")[2].lstrip(_OPENING)
    word = last.removesuffix(".").casefold()
    if not last[:1].isupper() or not word.isalpha() or (last[-1] == "." and word not in OWN_DOT):
        return None
    if word in NEW_NAME_BEFORE:
        return Neighbor(f"part of a longer name: “{last} {name}”", certain=True)
    if wrapped:
        return None
    before = precedes[: -len(last) - 1]
    begins = not before or _SENTENCE_START.search(before)
    known = word in ROLES or word in FUNCTION_WORDS or word in CALENDAR
    whole_name = " " in name and HEADS.isdisjoint(name.casefold().split())
    if known or whole_name or (begins and not shortened):
        return None
    return Neighbor(f"part of a longer name: “{last} {name}”", certain=" " in name or shortened)


_OF = re.compile(r"(?<!\w)([^\W\d_a-z][^\W\d_]+) of (?:the )?$")
_LEANING, _OPENING = frozenset({"of", "the"}), "*_\"'“‘`([{<#>"
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n*#>\-\"“(]\s*)$")


def _hyphen_before(precedes: str, name: str) -> Neighbor | None:
    first = _GLUED.search(precedes)
    if not first or not first[1][0].isupper() or first[1].casefold() in _ARTICLES or precedes[-1] == "–":
        return None
    return Neighbor(
        f"part of a longer name: “{first[0]}{name}”", certain=not first[1].isupper() and name[:1].isupper()
    )


_GLUED = re.compile(r"([^\W\d_]+)[-‐‑–]$")
_ARTICLES = frozenset({"al", "el", "ul", "ad", "as", "non", "anti", "pre", "post", "ex", "pro", "mid", "co"})
