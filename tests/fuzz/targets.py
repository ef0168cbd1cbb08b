"""What holds for any input: a target is a function of bytes that raises where it does not.

    TARGETS["exact"](b"Lady Gaga=Stefani Germanotta!Lady Godiva|Iran\nA text with Lady Gaga in it.")

An input of `exact`, `typed` and `fuzzy` is a line of names, each with its aliases (=) and confusables (!), or
the letter of a known line; behind it a text. One of `text` is a text, one of `wire` a body. No target knows
who makes inputs up: see `run.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from zlib import crc32

import numpy as np

from rubric.dates import date_value
from rubric.entity import Entity, Field, Kind, Rubric, Span, Stage
from rubric.errors import InvalidInput, InvalidRubric, NotJson
from rubric.exact import MOST_MENTIONS, Mentions, find
from rubric.fuzzy import MOST_PLACES, candidates
from rubric.intake import parse_evaluate, parse_score
from rubric.job import Defaults, prepare
from rubric.lexical import read
from rubric.marking import mark
from rubric.names import Names, compile_names, compiled
from rubric.quantity import quantity, same_unit
from rubric.score import score_group
from rubric.text import MARK, OTHER, Response, fold, split
from rubric.typos import typos_of
from rubric.wire import DEFAULT_LIMITS, ScoreRequest
from rubric.words import known_words
from tests.rubric.test_exact import ALPHABET, slow_find
from tests.rubric.test_fuzzy import fast, slow
from tests.rubric.test_text import slow_fold

_T = TypeVar("_T")

MOST_NAMES, MOST_NAME_CHARS = 4, 48
_WORDS = known_words()


# --- the wire ---------------------------------------------------------------------------------------------


def wire(data: bytes) -> None:
    """A body is refused with places and without its texts, or it is read as JSON reads it, and scored."""
    for parse in (parse_score, parse_evaluate):
        request = _parsed(parse, data)
        if request is None:
            continue
        given = json.loads(data)
        told = json.loads(request.model_dump_json(by_alias=True))
        assert all(
            told[name] == given[name]
            for name in ("response", "id", "question")
            if name in given and name in told
        )
        assert parse(request.model_dump_json(by_alias=True, exclude_unset=True).encode()) == request
        if isinstance(request, ScoreRequest):
            _scored(request)


def _parsed(parse: Callable[[bytes], _T], data: bytes) -> _T | None:
    try:
        return parse(data)
    except InvalidInput as error:
        _refused(error, data)
        return None


def _refused(error: InvalidInput, data: bytes) -> None:
    assert 0 < len(error.faults) <= DEFAULT_LIMITS.faults
    assert all(fault.path.startswith("$") and fault.message for fault in error.faults)
    assert MARKER not in str(error)
    if isinstance(error, NotJson):
        _really_no_json(data)


MARKER = "Zan zibar"
"""Stands in the texts of the corpus; it is no plain word, so that it cannot be the key in a path either."""


def _really_no_json(data: bytes) -> None:
    """What another parser reads is refused only for what JSON does not allow, or no server should read."""
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError):
        return
    written = json.dumps(value)
    odd = re.search(r"NaN|Infinity|\\ud[89a-f]|\d{19}|[eE]\d{3}", written + data.decode())
    assert odd or _depth(written) > _DEEP, data


def _depth(written: str) -> int:
    depth = deepest = 0
    for bracket in re.sub(r'"(?:[^"\\]|\\.)*"', "", written):
        depth += (bracket in "[{") - (bracket in "]}")
        deepest = max(deepest, depth)
    return deepest


_DEEP = 100


def _scored(request: ScoreRequest) -> None:
    """Without a 500, twice alike, and no number that JSON cannot say."""
    try:
        job = prepare(request, Defaults())
        reply = score_group(request).model_dump_json()
    except InvalidInput:
        return
    assert score_group(request).model_dump_json() == reply
    told = json.loads(reply, parse_constant=_no_number)
    assert len(told["rollouts"]) == len(job.responses)
    for each in told["rollouts"]:
        assert each["status"] in {"ok", "masked"}, each
    for each in told["rollouts"]:
        for criterion in each["criteria"] or ():
            assert (criterion["surface"] is None) == (criterion["start"] is None)


def _no_number(said: str) -> None:
    raise AssertionError(said)


# --- one text ---------------------------------------------------------------------------------------------


def text(data: bytes) -> None:
    """The fold says what its slow twin says, twice the same, and every place leads back to the original."""
    given = said(data)
    folded = fold(given)
    assert folded.original == given
    assert len(folded.codes) == len(folded.kinds)
    assert fold(given).text == folded.text
    assert fold(folded.text).text == folded.text
    if not _SURROGATE.search(given):
        assert folded.text == slow_fold(given)
    if folded.origin is not None:
        assert len(folded.origin) == len(folded.codes)
        assert bool(np.all(np.diff(folded.origin) >= 0))
    for at in _sample(len(folded.codes)):
        span = folded.span(at, at + 1, field=Field.CONTENT)
        stands_in(span, given)
        if folded.kinds[at] != MARK and not folded.ascii:
            assert chr(int(folded.codes[at])) in fold(span.surface).text
    _marked(given)
    _taken_apart(given)


def _sample(size: int) -> range:
    """Places among so many; their number is bounded."""
    return range(0, size, 1 + size // 16)


def _marked(given: str) -> None:
    marked = mark(fold(given))
    assert marked.first.sum() == marked.last.sum()
    assert not (marked.first & (marked.folded.kinds == OTHER)).any()
    for at in _sample(len(marked.text)):
        stands_in(marked.span(at, at + 1, field=Field.CONTENT), given)


def _taken_apart(given: str) -> None:
    texts = split(Response(given))
    assert texts.content in given
    assert texts.reasoning in given
    assert len(texts.content) + len(texts.reasoning) + len("</think>") * bool(texts.closings) == len(given)
    assert not (texts.unclosed and texts.content)


# --- names in a text --------------------------------------------------------------------------------------


def exact(data: bytes) -> None:
    """Places are true and bounded, the order of the names and the run change nothing; on a few letters, the
    slow twin finds the same.
    """
    names, given, entities = _case(data)
    if names:
        mentions = find(names, mark(fold(given)), field=Field.CONTENT)
        _true(mentions, given, entities)
        if one_in(4, data):
            assert find(names, mark(fold(given)), field=Field.CONTENT) == mentions
        if one_in(16, data):
            _in_any_order(entities, given, read(names, given, field=Field.CONTENT))
    if one_in(3, data):
        _as_the_twin(data)


def _as_the_twin(data: bytes) -> None:
    few = "".join(_FEW[byte % len(_FEW)] for byte in data[:16])
    wanted = _FEW_NAMES[len(data) % len(_FEW_NAMES)]
    found = find(_few(wanted), mark(fold(few)), field=Field.CONTENT).matches
    expected = slow_find(wanted, few)
    for at, name in enumerate(wanted):
        got = [(each.span.start, each.span.end) for each in found.get(at, ())]
        places = sorted((start, end) for called, start, end in expected if called == name)
        assert got == places[:MOST_MENTIONS], (wanted, few)


_FEW = ALPHABET.translate({ord("*"): None, ord("1"): None})  # inside a word, behind a name: they hide it
_FEW_NAMES = [["c", "cb bc"], ["bc b", "bc"], ["é", "c é", "ж"], ["b", "b b", "b b c"], ["cb", "bb cb", "bé"]]


def _few(wanted: list[str]) -> Names:
    return compiled(Rubric(tuple(Entity(str(at), name, kind=Kind.NAME) for at, name in enumerate(wanted))))


def typed(data: bytes) -> None:
    """What counts as a number or a day has the value that was asked for."""
    names, given, entities = _case(data)
    if not names:
        return
    mentions = read(names, given, field=Field.CONTENT)
    _true(mentions, given, entities)
    if one_in(4, data):
        assert read(names, given, field=Field.CONTENT) == mentions
    for at, matches in mentions.matches.items():
        for match in matches:
            _has_the_value(entities[at], match.stage, match.span.surface)


def _has_the_value(entity: Entity, stage: Stage, surface: str) -> None:
    called = (entity.name, *entity.aliases)
    if stage is Stage.NUMBER and (written := quantity(surface)):
        wanted = [each for each in map(quantity, called) if each]
        assert any(
            each.value == written.value
            and (not each.unit or not written.unit or same_unit(written.unit, each.unit))
            for each in wanted
        ), (called, surface)
    if stage is Stage.DATE and (day := date_value(surface)):
        days = [each for each in map(date_value, called) if each]
        assert not days or day in days, (called, surface)


def fuzzy(data: bytes) -> None:
    """The fast search finds what the slow twin finds; a typo takes nothing from the exact stage."""
    names, given, entities = _case(data)
    if not names:
        return
    marked = mark(fold(given))
    mentions = read(names, given, field=Field.CONTENT, words=_WORDS)
    _true(mentions, given, entities)
    if one_in(4, data):
        assert read(names, given, field=Field.CONTENT, words=_WORDS) == mentions
        plain = find(names, marked, field=Field.CONTENT)
        assert plain.matches.items() <= mentions.matches.items()
    if one_in(16, data):
        _in_any_order(entities, given, mentions, words=_WORDS)
    typos = typos_of(names)
    assert len(candidates(typos, marked, range(len(entities)))) <= MOST_PLACES
    if one_in(3, data) and marked.first.any() and len(given) <= MOST_FOR_THE_TWIN:
        assert fast(typos, marked) == slow(typos, marked)


MOST_FOR_THE_TWIN = 100


# --- what they share --------------------------------------------------------------------------------------


def one_in(count: int, data: bytes) -> bool:
    """Whether a dear comparison is made for this input: for one in so many, the same ones in every run."""
    return crc32(data) % count == 0


def said(data: bytes) -> str:
    """A text of any bytes: those that are no UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


_SURROGATE = re.compile("[\ud800-\udfff]")


def stands_in(span: Span, given: str) -> None:
    assert 0 <= span.start < span.end <= len(given), span
    assert span.surface == given[span.start : span.end], span


def _case(data: bytes) -> tuple[Names | None, str, tuple[Entity, ...]]:
    """Names, a text, and the entities; no names where there is nothing to look for."""
    first, _, given = said(data).partition("\n")
    usual = ord(first) - ord("a") if len(first) == 1 else -1
    written = (KNOWN[usual] if 0 <= usual < len(KNOWN) else first).split("|")[:MOST_NAMES]
    entities = tuple(_entity(at, name[:MOST_NAME_CHARS]) for at, name in enumerate(written))
    try:
        return compiled(Rubric(entities)), given, entities
    except InvalidRubric:
        return None, given, entities


KNOWN = (
    "C++|C|AC/DC|.NET",
    "Lady Gaga=Stefani Germanotta!Lady Godiva|Iran",
    "Paris, Texas|Texas, USA=Texas",
    "東京|서울|القاهرة|हिन्दी",
    "Simon & Garfunkel|O'Brien|Spider-Man",
    "St. Louis|Mount Everest|J.K. Rowling|US",
    "The Fame!The Fame Monster|Just Dance (song)",
    "the Solent|It|N/A",
    "World War I|World War II|World War",
    "112|1848",
    "12/25/2008|25 December 2008",
    "250,000 pounds|three",
    "-5|0.5|1200",
    "5 km|16 years|42",
    "May 5, 2008|1998|July 1969",
    "１２|٣",
    "Jean-Baptiste Lully|Dostoyevsky",
    "Kowalczyk!Kowalzczyk|Warsaw",
    "Shakespeare|Michael Jackson",
    "Siemens Healthineers AG|Tchaikovsky",
    "St. Petersburg|photosynthesis",
    "University of Oxford|Massachusetts",
)
"""Names that an input can call by a letter: those need not be compiled anew for every input."""


def _entity(at: int, written: str) -> Entity:
    own, *confusables = written.split("!")
    name, *aliases = own.split("=")
    return Entity(f"e{at}", name, tuple(aliases), tuple(confusables))


def _true(mentions: Mentions, given: str, entities: Iterable[Entity]) -> None:
    """Every place is in the text and says what stands there; there are no more of them than promised."""
    count = len(list(entities))
    for at, matches in mentions.matches.items():
        assert 0 <= at < count
        assert 0 < len(matches) <= MOST_MENTIONS
        for match in matches:
            assert match.entity == at
            assert 0 < match.similarity <= 1
            stands_in(match.span, given)
    for near in mentions.refused.values():
        assert near.reason
        stands_in(near.span, given)


def _in_any_order(entities: tuple[Entity, ...], given: str, mentions: Mentions, words: Any = None) -> None:
    """Names compiled anew, the last one first."""
    turned = compile_names(list(enumerate(entities[::-1])))
    found = read(turned, given, field=Field.CONTENT, words=words)
    last = len(entities) - 1
    assert {last - at: _spans(matches) for at, matches in found.matches.items()} == {
        at: _spans(matches) for at, matches in mentions.matches.items()
    }


def _spans(matches: Iterable[Any]) -> set[tuple[Any, ...]]:
    return {(each.stage, each.span, each.similarity, each.doubtful) for each in matches}


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "wire": wire,
    "text": text,
    "exact": exact,
    "typed": typed,
    "fuzzy": fuzzy,
}
