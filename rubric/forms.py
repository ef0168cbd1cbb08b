"""The ways one name may be written: what may be left out of it, abbreviated or punctuated differently.

    [form.text for form in forms("The St. Louis Blues (team)")]
    ["the st. louis blues (team)", "the saint louis blues", "st louis blues", …]

Only what follows from the letters of the name; what takes knowledge of the world belongs in its aliases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import islice, product

from rubric.text import fold

MOST_FORMS = 32
"""Spellings of each variant of a name; one with more optional parts keeps the first in a fixed order."""


class Case(StrEnum):
    """What the capitals of a surface must show before it counts."""

    ANY = "any"
    CAPITAL = "capital"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Form:
    """One folded way to write a name; `qualifier` is what stood in brackets behind it and was left out."""

    text: str
    case: Case
    qualifier: str = ""


@lru_cache(maxsize=256)
def forms(name: str) -> tuple[Form, ...]:
    """The folded forms of a name, its own spelling first; empty where it has no letter or digit."""
    found: dict[str, Form] = {}
    if not _WORD.search(fold(name).text):
        return ()
    name = " ".join(name.split())
    for variant, qualifier in _shortened(name):
        for text in islice(_spellings(variant), MOST_FORMS):
            words = _WORD.findall(text)
            if words:
                case = _case(variant, words, shortened=variant != name)
                found.setdefault(text, Form(text, case, qualifier))
    return tuple(found.values())


def _shortened(name: str) -> Iterator[tuple[str, str]]:
    """The name; without its bracketed qualifier; without its article; without both. And the qualifier."""
    qualified = _QUALIFIER.search(name)
    variants = {name: ""}
    if qualified:
        variants.setdefault(name[: qualified.start()], qualified[1])
    for variant, qualifier in variants.items():
        yield variant, qualifier
        without = _ARTICLE.sub("", variant)
        if without != variant and without.casefold() not in FUNCTION_WORDS:
            yield without, qualifier


_WORD = re.compile(r"[^\W_]+")
_QUALIFIER = re.compile(r"(?<=\S)\s*[(\[（【]([^()\[\]（）【】]*)[)\]）】]\s*$")
_ARTICLE = re.compile(r"^(?:the\s+|a\s+(?![aeiou])|an\s+(?=[aeiou]))(?=\S)", re.IGNORECASE)


def _case(variant: str, words: Sequence[str], *, shortened: bool) -> Case:
    """One word that could be anybody's needs its capitals: "US" is not "us", "Fame" (album) not "fame"."""
    if len(words) > 1 or variant == variant.lower():
        return Case.ANY
    if words[0] in FUNCTION_WORDS:
        return Case.SAME
    return Case.CAPITAL if shortened else Case.ANY


# --- spellings --------------------------------------------------------------------------------------------


def _spellings(name: str) -> Iterator[str]:
    """Every combination of the choices at each piece of the name, the name's own first."""
    text = fold(name).text.strip(_EDGES)
    pieces = _PIECE.findall(text)
    capitals = {match.group().casefold() for match in _ACRONYM.finditer(name)}
    words = sum(_is_word(piece) for piece in pieces)
    choices = [tuple(_choices(pieces, index, capitals, words)) for index in range(len(pieces))]
    for spelling in product(*choices):
        written = " ".join("".join(spelling).split())
        yield written
        yield from _with_particles(written)


_EDGES = ' \n*_~`"·'
_PIECE = re.compile(r"(?:(?<!\w)[^\W\d_]\.[ ]?){2,}|(?<!\w)[^\W\d_]\.(?!\w)|[^\W_]+|\s+|[^\w\s]|_")
_ACRONYM = re.compile(r"(?<!\w)[A-Z]{2,4}(?!\w)")


def _choices(pieces: Sequence[str], index: int, capitals: set[str], words: int) -> Iterator[str]:
    piece = pieces[index]
    yield piece
    if piece[1:2] == ".":
        yield from _initials(piece)
    elif _is_word(piece):
        yield from _word_choices(piece, capitals, dotted=pieces[index + 1 : index + 2] == ["."])
    elif not piece.isspace():
        yield from _mark_choices(pieces, index, words)


def _initials(piece: str) -> Iterator[str]:
    """`j.k.`: also `j. k.`, `j k` and `jk`; a single `w.` also `w`."""
    letters = [character for character in piece if character.isalpha()]
    tail = " " if piece.endswith(" ") else ""
    dotted = [f"{letter}." for letter in letters]
    yield from (gap.join(each) + tail for each in (dotted, letters) for gap in ("", " "))


def _word_choices(word: str, capitals: set[str], *, dotted: bool) -> Iterator[str]:
    long, short = ABBREVIATIONS.get(word), _SHORT.get(word)
    if word == "and":
        yield "&"
    if word in capitals and word not in ABBREVIATIONS:
        yield from (".".join(word) + ".", ".".join(word))
    if long:
        yield from (long, word if dotted else f"{word}.")
    if short:
        yield from (f"{short}.", short)


def _mark_choices(pieces: Sequence[str], index: int, words: int) -> Iterator[str]:
    """A mark inside a name of several words is often left out; one that carries a short name is not."""
    mark, before, after = pieces[index], pieces[index - 1 : index], pieces[index + 1 : index + 2]
    glued = bool(before and after) and _is_word(before[0]) and _is_word(after[0])
    letters = sum(len(piece) for piece in pieces if _is_word(piece))
    if mark == "&" and not glued:
        yield "and"
    elif mark == "'" and glued:
        yield ""
    elif mark == "/" and glued and letters >= _LONG_ENOUGH:
        yield from (" ", "")
    elif mark in ".,:;!?" and not glued and (words > 1 or (mark == "." and before and before[0] in _OWN_DOT)):
        yield ""


_LONG_ENOUGH = 4


def _is_word(piece: str) -> bool:
    return piece[0].isalnum() and "." not in piece


def _with_particles(written: str) -> Iterator[str]:
    """Korean particles are written onto the name: 서울은, 서울에서."""
    if unicodedata.name(written[-1:] or " ", "").startswith("HANGUL"):
        yield from (written + fold(particle).text for particle in PARTICLES)


# --- tables: a change here changes hits, and so `NORMALIZER_VERSION` ---------------------------------------

ABBREVIATIONS = {
    "st": "saint", "mt": "mount", "dr": "doctor", "ft": "fort", "mr": "mister", "prof": "professor",
    "gen": "general", "lt": "lieutenant", "col": "colonel", "capt": "captain", "sgt": "sergeant",
    "sen": "senator", "gov": "governor", "rev": "reverend", "univ": "university", "dept": "department",
    "jr": "junior", "sr": "senior", "vs": "versus", "vol": "volume", "ave": "avenue", "blvd": "boulevard",
}  # fmt: skip
_SHORT = {long: short for short, long in ABBREVIATIONS.items()}
_OWN_DOT = frozenset(ABBREVIATIONS) | {
    "mrs",
    "ms",
    "inc",
    "co",
    "corp",
    "ltd",
    "bros",
    "messrs",
    "feat",
    "etc",
}
PARTICLES = (
    "은", "는", "이", "가", "을", "를", "의", "에", "에서", "에게", "로", "으로", "와", "과", "도",
    "만", "까지", "부터", "께서", "처럼", "보다", "이다", "입니다", "이라고", "라고", "이며", "이고",
    "였다", "이었다", "에는", "에서는",
)  # fmt: skip
FUNCTION_WORDS = frozenset(
    """
    a about above after again all am an and any are as at be because been before being below between
    both but by can could did do does doing down during each en few for from further had has have having
    he her here hers herself him himself his how i id if in into is it its itself just let may me might
    more most must my myself no nor not now of off ok on once one only or other ought our ours out over
    own same shall she should so some such than that the their theirs them themselves then there these
    they this those through to too two under until up us very was we were what when where which while
    who whom whose why will with would yes yet you your yours yourself
    """.split()  # noqa: SIM905 (a list literal would be four pages)
)
TABLES_DIGEST = blake2b(
    repr((ABBREVIATIONS, sorted(_OWN_DOT), PARTICLES, sorted(FUNCTION_WORDS), MOST_FORMS)).encode(),
    digest_size=8,
).hexdigest()
"""Sixteen hex digits over the tables above: a part of every fingerprint."""
