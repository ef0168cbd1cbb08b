"""The parts that a name can do without: article, qualifier, legal form, title, rank.

    [(variant.text, variant.omissions) for variant in variants("Siemens AG (Germany)")]

Whatever is left out is remembered, since the text may say otherwise behind a name: "Mercury (element)" is not
"Mercury (planet)", and "Porsche SE" is not "Porsche AG".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rubric.lexicon import (
    CLUB_ENDS,
    CLUB_LONG,
    CLUB_STARTS,
    CLUB_STARTS_OF_TWO,
    CONNECTORS,
    FUNCTION_WORDS,
    HEADS,
    LEGAL_FORMS,
    LOWER_LEGAL_FORMS,
    NOBLE,
    PERSON_TITLES,
)
from rubric.numerals import MOST_ROMAN, ordinal_value, roman, roman_value

MOST_VARIANTS = 12
"""Variants of one name; the first in a fixed order are kept."""


class Omitted(StrEnum):
    """What kind of part was left out."""

    ARTICLE = "article"
    QUALIFIER = "qualifier"
    LEGAL_FORM = "legal form"
    CLUB_FORM = "club form"
    TITLE = "title"
    RANK = "rank"


@dataclass(frozen=True, slots=True)
class Omission:
    """A part that was left out of a name."""

    kind: Omitted
    text: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A name without some of its parts; `acronym` where it is the short form that the name itself gives."""

    text: str
    omissions: tuple[Omission, ...] = ()
    acronym: bool = False


@lru_cache(maxsize=8192)
def variants(name: str) -> tuple[Variant, ...]:
    """The name, and what is left of it without the parts that can be spared, in a fixed order."""
    found = {" ".join(name.split()): Variant(" ".join(name.split()))}
    waiting = list(found.values())
    while waiting and len(found) < MOST_VARIANTS:
        variant = waiting.pop(0)
        for shorter in _shorter(variant):
            if shorter.text not in found and len(found) < MOST_VARIANTS:
                found[shorter.text] = shorter
                waiting.append(shorter)
    return tuple(found.values())


def legal_form_of(behind: str) -> str:
    """The kind of legal form that a text begins with, or nothing."""
    match = _LEGAL_START.match(behind)
    return _kind_of_legal(match[1]) if match and _written_as_legal(match[1]) else ""


def goes_on_as_club(behind: str) -> bool:
    """Whether a text begins with what makes a name that of a sports club: " Football Club"."""
    return bool(_CLUB_BEHIND.match(behind))


def _shorter(variant: Variant) -> Iterator[Variant]:
    if variant.acronym:
        return
    name = variant.text
    for rest, kind, text in _without_a_part(name):
        yield Variant(rest, (*variant.omissions, Omission(kind, text)))
    yield from (Variant(text, variant.omissions) for text in _rewritten(name))
    for short, long in _own_acronym(name):
        yield Variant(short, variant.omissions, acronym=True)
        yield Variant(long, variant.omissions)


def _without_a_part(name: str) -> Iterator[tuple[str, Omitted, str]]:
    """(rest, kind, part) for every part that can be spared."""
    qualified = _QUALIFIER.search(name) if name[-1:] in _CLOSING else None
    if qualified:
        yield name[: qualified.start()], Omitted.QUALIFIER, qualified[1]
    legal = _LEGAL_END.search(name) if " " in name else None
    if legal and _written_as_legal(legal[1]) and _can_stand(name[: legal.start()]):
        yield name[: legal.start()], Omitted.LEGAL_FORM, _kind_of_legal(legal[1])
    for pattern in (_CLUB_END, _CLUB_START, _CLUB_START_OF_TWO) if " " in name else ():
        club = pattern.search(name)
        rest = name[: club.start()] + name[club.end() :] if club else ""
        if club and _can_stand(rest):
            yield rest, Omitted.CLUB_FORM, club[1]
    yield from _without_title(name)
    yield from _without_rank(name)
    article = _ARTICLE.match(name)
    if article and name[article.end() :].casefold() not in FUNCTION_WORDS:
        yield name[article.end() :], Omitted.ARTICLE, article[0].strip()


_CLOSING = frozenset(")]）】 ")
_QUALIFIER = re.compile(r"(?<=\S)\s*[(\[（【]([^()\[\]（）【】]*)[)\]）】]\s*$")
_ARTICLE = re.compile(r"(?:the\s+|a\s+(?![aeiou])|an\s+(?=[aeiou]))(?=\S)", re.IGNORECASE)


def _can_stand(rest: str) -> bool:
    """Whether a rest is a name: "Tiffany &" is not."""
    words = rest.split()
    return bool(words) and words[-1].casefold() not in {"&", "and", "of", "the"} and len(words[-1]) > 1


# --- companies and clubs ----------------------------------------------------------------------------------


def _alternatives(terms: Iterator[str]) -> str:
    escaped = (re.escape(term).replace(r"\ ", r"[ .,]+") for term in sorted(terms, key=len, reverse=True))
    return "|".join(escaped)


_KINDS = {term: kind for kind, terms in LEGAL_FORMS.items() for term in terms}
_LEGAL = rf"({_alternatives(iter(_KINDS))})"
_LEGAL_END = re.compile(rf"(?:,\s*|\s+){_LEGAL}\.?\s*$", re.IGNORECASE)
_LEGAL_START = re.compile(rf"(?:,\s*|\s+){_LEGAL}(?!\w)", re.IGNORECASE)
_CLUB_END = re.compile(rf"\s+({_alternatives(iter(CLUB_ENDS))})\.?\s*$")
_CLUB_START_OF_TWO = re.compile(rf"^({'|'.join(CLUB_STARTS_OF_TWO)})\s+(?=[^\W\d_]{{3,}}\s+[^\W\d_]{{3,}})")
_CLUB_BEHIND = re.compile(rf" (?:{_alternatives(iter(CLUB_ENDS))})(?!\w)")
_CLUB_START = re.compile(rf"^({_alternatives(iter(CLUB_STARTS))})\.?\s+(?=\S)")


def _kind_of_legal(written: str) -> str:
    plain = written.casefold()
    return _KINDS.get(plain) or _KINDS[" ".join(re.sub(r"[.,]+(?=\s)|,", " ", plain).split())]


def _written_as_legal(written: str) -> bool:
    """Whether the capitals say so: "SpA" is a company, "Spa" a bath, and "ag" is a word."""
    folded = written.casefold()
    if "." in written or folded in LOWER_LEGAL_FORMS:
        return True
    short = len(folded) < _LONG_FORM and folded not in {"inc", "ltd"}
    return sum(map(str.isupper, written)) > 1 if short else written[0].isupper()


_LONG_FORM = 4

# --- persons ----------------------------------------------------------------------------------------------


def _without_title(name: str) -> Iterator[tuple[str, Omitted, str]]:
    """A title before a full name: "President James K. Polk"."""
    title, _, rest = name.partition(" ")
    words = rest.split()
    title = title.rstrip(".")
    if title.casefold() not in PERSON_TITLES or title == title.upper() or len(words) < _FULL_NAME:
        return
    if words[0][0].isupper() and words[-1].casefold() not in HEADS:
        yield rest, Omitted.TITLE, title


def _without_rank(name: str) -> Iterator[tuple[str, Omitted, str]]:
    """A rank behind a full name: "James Graham, 1st Duke of Montrose"."""
    ranked = _RANK.match(name) if ", " in name else None
    if not ranked:
        return
    words = [word for word in ranked["name"].split() if not roman_value(word)]
    if len(words) >= _FULL_NAME:
        yield ranked["name"], Omitted.RANK, ranked["rank"]


_FULL_NAME = 2
_RANK = re.compile(
    rf"(?P<name>[^,]+), "
    rf"(?P<rank>(?P<number>\d+(?:st|nd|rd|th) )?(?P<title>{NOBLE})(?: of (?P<place>.+)| .+))$",
    re.IGNORECASE,
)

# --- the same, put differently ----------------------------------------------------------------------------


def _rewritten(name: str) -> Iterator[str]:
    """William II, Duke of Bavaria: Duke William II of Bavaria; Henry the Eighth: Henry VIII."""
    ranked = _RANK.match(name) if ", " in name else None
    if ranked and ranked["place"]:
        yield f"{ranked['name']} of {ranked['place']}"
        if not ranked["number"]:
            yield f"{ranked['title']} {ranked['name']} of {ranked['place']}"
    first, _, rest = name.partition(" ")
    for long in CLUB_LONG.get(first, ()):
        yield f"{long} {rest}"
    rest, _, last = name.rpartition(" ")
    for long in CLUB_LONG.get(last, ()) if rest else ():
        yield f"{rest} {long}"
    era = _ERA.fullmatch(name)
    if era:
        year = era[2] or era[3]
        for word in _ERAS[(era[1] or era[4]).replace(".", "").upper()]:
            yield from (f"{word} {year}", f"{year} {word}")
    water = _WATER.fullmatch(name)
    if water:
        yield f"{water[2]} {water[1]}" if water[1] else f"{water[4]} {water[3]}"
    counted = _COUNTED.search(name)
    if counted and 0 < (ordinal_value(counted[1].casefold()) or 0) <= MOST_ROMAN:
        yield f"{name[: counted.start()]} {roman(ordinal_value(counted[1].casefold()) or 0)}"


_ERA = re.compile(r"(A\.?D\.?|CE|B\.?C\.?|BCE) (\d+)|(\d+) (A\.?D\.?|CE|B\.?C\.?(?:E\.?)?)")
_ERAS = {era: eras for eras in (("AD", "CE"), ("BC", "BCE")) for era in eras}
_WATER = re.compile(r"(River|Lake) ([A-Z]\w+)|([A-Z]\w+) (River|Lake)")
_COUNTED = re.compile(r"(?<=\w) the ([\w-]+)$", re.IGNORECASE)


def _own_acronym(name: str) -> Iterator[tuple[str, str]]:
    """The short form that a name brings along ("… de Campinas (UNICAMP)") or its initials; and the long."""
    words = re.findall(r"[^\W_]+", name)
    heads = [word for word in words if word.casefold() not in CONNECTORS]
    if len(heads) >= _INITIALS and all(word[0].isupper() for word in heads):
        yield "".join(word[0] for word in heads), name
    for pattern in (_ACRONYM_BEHIND, _ACRONYM_BEFORE):
        match = pattern.fullmatch(name)
        if match and _abbreviates(match["short"].casefold(), match["long"].casefold()):
            yield match["short"], match["long"]


_ACRONYM_BEHIND = re.compile(r"(?P<long>\S.*\S)\s*\((?P<short>[A-Z][A-Za-z]*[A-Z])\)")
_ACRONYM_BEFORE = re.compile(r"(?P<short>[A-Z][A-Za-z]+[A-Z])\s?(?:[-–—]|:)\s(?P<long>.{8,})")
_SHORTEST_ACRONYM, _INITIALS = 3, 4


def _abbreviates(short: str, long: str) -> bool:
    """Whether the letters of the short form come in this order in the long one, from its first letter on."""
    letters = iter(long)
    return len(short) >= _SHORTEST_ACRONYM and short[0] == long[:1] and all(each in letters for each in short)
