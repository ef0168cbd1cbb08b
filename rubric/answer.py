"""The `match` verifier: is the gold answer, or another way to say it, what the final content answers?

    decide("... **Answer: Marie Curie**", answer="Marie Curie").value == 1.0

It looks at the extracted final answer (`<answer>`, a box, "the answer is …", the last line) before the whole
content, compares like the strict matcher, and says how it decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rubric.dates import date_value, period_value
from rubric.entity import Entity, Field, Kind, Match
from rubric.errors import InvalidRubric
from rubric.forms import forms
from rubric.lexical import read
from rubric.lexicon import FUNCTION_WORDS
from rubric.names import Names, compile_names
from rubric.quantity import quantity
from rubric.text import fold

VERIFIER_VERSION = "2"
"""Raised by every change of a decision; a part of every fingerprint."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`value` is 1.0 or 0.0; where `decided` is False the text leaves it open, and a judge may know better.

    `how` is a sentence for people; it never repeats the response.
    """

    value: float
    decided: bool
    how: str


def decide(final: str, *, answer: str, aliases: Sequence[str] = ()) -> Decision:
    """Decide whether `final` (the text after the thinking) gives the gold answer.

    Yes/no, number and date answers are decided on the extracted answer alone.
    """
    if not _WORD.search(final):
        return Decision(0.0, decided=True, how="the final content is empty")
    extracted = next(_extractions(final))
    golds = (answer, *aliases)
    if any(_polarity(gold) is not None for gold in golds):
        return _decide_polarity(extracted, golds)
    return _decide_names(extracted, final, golds)


def offered(final: str) -> int:
    """How many different final answers the end of a text offers: by saying several, or by "or" in one."""
    tail = final[-_LATEST // 4 :]
    if "nswer" not in tail:
        return 1
    tail = _without_emphasis(tail)
    different, last = set(), ""
    for spoken in _SAYS.finditer(tail):
        last = _next_line(tail[spoken.end() :].lstrip()[:_SHORT]) or ""
        if last and _FINAL.search(tail[max(0, spoken.start() - _BEFORE) : spoken.start()]):
            different.add(" ".join(_WORDS.findall(fold(last).text)))
    return max(1, len(different), len(_CHOICE.split(_SENTENCE_END.split(last)[0])))


# --- extraction -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Extracted:
    """A final answer and where it stood; `said` is False for the last line, which only may be one."""

    text: str
    where: str
    said: bool = True


_WORD = re.compile(r"[^\W_]")
_WORDS = re.compile(r"[^\W_]+")
_FINAL, _BEFORE = re.compile(r"\b(?:final|my)\s$", re.IGNORECASE), 8
_CHOICE = re.compile(r",? (?:or|alternatively|possibly|maybe) | / |(?<=\w)/(?=[^\W\d_])", re.IGNORECASE)
_LONGEST = 2000
_LATEST = 16_000
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_SAYS = re.compile(
    r"(?<!intermediate )\banswer(?:\s{1,8}to\s(?:[^.:\na]|a(?!nswer)){1,80})?"
    r"(?:\s{0,8}[\"'’]?\s{0,8}:|\s{1,8}(?:is|was|would be|should be)\b(?:\s{0,8}:)?)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\n[ \t]{0,8}(?:[-*•+]|\d{1,2}[.)])[ \t]")
_FIRST_BULLET = re.compile(r"^\s*(?:[-*•+]|\d{1,2}[.)])[ \t]+")
_MARKUP = re.compile(r"[*_`#>~]+|\\(?:text|mathrm|mathbf|textbf)\b|[{}$]")


def _extractions(final: str) -> Iterator[_Extracted]:
    """Final answers, the surest first; the last line always comes."""
    tagged = _tagged(final)
    inside = _said(tagged) if tagged else None
    said = {"<answer>": inside or tagged, "the box": _boxed(final), "the answer given": _said(final)}
    for where, text in said.items():
        if text is not None and _plain(text):
            yield _Extracted(_plain(text), where)
    yield _Extracted(_last_line(final[-_LONGEST:]), "the last line", said=False)


def _last_line(text: str) -> str:
    """The last line with something in it; of a long one, its last sentence."""
    lines = [plain for line in text.splitlines() if (plain := _plain(line))]
    last = lines[-1] if lines else ""
    return last if len(last) <= _SHORT else _SENTENCE_END.split(last)[-1][-_SHORT:]


def _tagged(final: str) -> str | None:
    """What stands in the last `<answer>`, closed or not."""
    tags = list(_ANSWER_TAG.finditer(final))
    opening = [index for index, tag in enumerate(tags) if not tag[1]]
    if not opening:
        return None
    start = tags[opening[-1]]
    closing = tags[opening[-1] + 1 : opening[-1] + 2]
    return final[start.end() : closing[0].start() if closing else None][:_LONGEST]


def _boxed(final: str) -> str | None:
    """What stands in the last box of TeX, its braces balanced."""
    start = final.rfind("\\boxed{")
    if start < 0:
        return None
    depth, inside = 1, final[start + len("\\boxed{") :][:_LONGEST]
    for at, character in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if not depth:
            return _without_tex_spaces(inside[:at])
    return _without_tex_spaces(inside)


def _without_tex_spaces(text: str) -> str:
    return text.replace("{,}", ",").replace("\\,", "").replace("\\!", "").replace("\\ ", " ")


def _said(final: str) -> str | None:
    """The rest of the line after the last "the answer is", or the next line; sought at the end first.

    What is said so early that a long text follows it is no final answer.
    """
    for part in (final[-_LONGEST:], final[-_LATEST:]):
        text = _without_emphasis(part) if "answer" in part.lower() else ""
        ends = [spoken.end() for spoken in _SAYS.finditer(text)]
        if ends:
            return _next_line(text[ends[-1] :].lstrip()[:_LONGEST])
    return None


def _next_line(rest: str) -> str | None:
    return next((line for line in rest.splitlines() if _plain(line)), None)


def _without_emphasis(text: str) -> str:
    return text.replace("*", "").replace("_", " ").replace("`", "")


def _plain(text: str) -> str:
    """Without markup and the punctuation around it."""
    listed = _BULLET.sub("; ", _FIRST_BULLET.sub("", text))
    return " ".join(_MARKUP.sub(" ", listed).split()).strip(" .,;:!\"'“”’")


# --- yes and no -------------------------------------------------------------------------------------------

_YES, _NO = ("yes", "true", "correct", "yeah", "yep"), ("no", "false", "incorrect", "nope")
_POLARITY = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)
_FIRST_SAYS = re.compile(rf"(not\s)?\s*({'|'.join(_POLARITY)})(?![\w'’-])(?:\W*$|\s*[^\w\s]|\s+(\w+))")
_LAST_SAYS = re.compile(rf"\b(?:is|are|was|were)\s(not\s)?(?:\w+ly\s)?({'|'.join(_POLARITY)})$")
_EITHER = re.compile(r"\bor\b|/")


def _polarity(text: str) -> bool | None:
    return _POLARITY.get(_plain(text).casefold())


def _decide_polarity(extracted: _Extracted, golds: Sequence[str]) -> Decision:
    """The first word decides, or the last of "… is true"; a yes or no anywhere else decides nothing."""
    said = _says(extracted.text.casefold())
    if said is None:
        return Decision(0.0, decided=False, how=f"{extracted.where} says neither yes nor no")
    right = any(_polarity(gold) is said for gold in golds)
    return Decision(float(right), decided=True, how=f"{extracted.where} says {'yes' if said else 'no'}")


def _says(text: str) -> bool | None:
    """Yes, no or neither: "no evidence" is no answer, "no, it is not" is one."""
    first = _FIRST_SAYS.match(text)
    if first and first[2] == "no" and first[3] and first[3] not in FUNCTION_WORDS - {"such", "more", "other"}:
        return None
    found = first or _LAST_SAYS.search(text)
    if not found or _EITHER.search(text[found.end(2) :][:20]):
        return None
    return _POLARITY[found[2]] is not bool(found[1])


# --- names, numbers and dates -----------------------------------------------------------------------------


def _decide_names(extracted: _Extracted, final: str, golds: Sequence[str]) -> Decision:
    names = _compiled(tuple(golds))
    if names is None:
        return Decision(0.0, decided=False, how="the gold answer has no letter or digit to compare")
    if _same(extracted.text, golds):
        return Decision(1.0, decided=True, how=f"{extracted.where} is the gold answer")
    read_of_it = read(names, extracted.text, field=Field.CONTENT)
    mentions = read_of_it.matches.get(0, [])
    typed = any(quantity(gold) is not None or date_value(gold) is not None for gold in golds)
    if mentions:
        return _weigh(mentions, extracted)
    if read_of_it.refused:
        how = f"{extracted.where} has the gold answer only as a part of something else"
        return Decision(0.0, decided=False, how=how)
    if extracted.said or typed:
        partial = any(_contains(gold, extracted.text) for gold in golds)
        return Decision(0.0, decided=not partial, how=f"{extracted.where} does not name the gold answer")
    return _decide_on_content(names, final)


def _weigh(mentions: Sequence[Match], extracted: _Extracted) -> Decision:
    """The extracted text names the gold: does it commit to it?"""
    text, where = extracted.text, extracted.where
    kept = [match for match in mentions if not _denied(match, text)]
    if not kept:
        return Decision(0.0, decided=True, how=f"{where} denies the gold answer")
    if all(_POSSESSIVE.match(text[match.span.end :][:8]) for match in kept):
        return Decision(0.0, decided=False, how=f"{where} names something of the gold answer's")
    if all(_in_longer_name(match, text) for match in kept):
        return Decision(0.0, decided=False, how=f"{where} names the gold answer inside a longer name")
    if _hedged(mentions, text):
        return Decision(0.0, decided=False, how=f"{where} names the gold answer among others")
    return Decision(1.0, decided=True, how=f"{where} names the gold answer")


def _decide_on_content(names: Names, final: str) -> Decision:
    """Nothing said which the answer is: a name in passing is left to a judge, and is worth nothing here."""
    if not _mentions(names, final):
        return Decision(0.0, decided=True, how="the content does not name the gold answer")
    return Decision(0.0, decided=False, how="the content names the gold answer without giving it")


_SHORT = 300


def _mentions(names: Names, text: str) -> list[Match]:
    return read(names, text, field=Field.CONTENT).matches.get(0, [])


@lru_cache(maxsize=256)
def _compiled(golds: tuple[str, ...]) -> Names | None:
    kind = Kind.DATE if period_value(golds[0]) else Kind.AUTO  # a day of the year asked for answers, too
    entity = Entity(id="answer", name=golds[0], aliases=golds[1:], kind=kind)
    try:
        return compile_names([(0, entity)])
    except InvalidRubric:
        return None


def _same(text: str, golds: Sequence[str]) -> bool:
    value = quantity(text)
    if value is not None:
        return any(quantity(gold) == value for gold in golds)
    own = {form.text for form in forms(text)} if len(text) <= _SHORT else set()
    ways = {way for gold in golds for way in (gold, _plain(gold))}
    return any(not own.isdisjoint(form.text for form in forms(way)) for way in ways)


def _contains(gold: str, text: str) -> bool:
    """Whether the gold answer has the extracted text in it: "Obama" for "Barack Obama" leaves it open."""
    names = _compiled((text[:_SHORT],))
    return names is not None and bool(_mentions(names, gold))


_DENIAL_BEFORE = re.compile(
    r"(?:\b(?:not|cannot|never|neither|nor|no)|n['’]t)\s+(?!only\b|doubt\b|other\b)(?:(?!but\b)[\w'’]+\s+){0,3}$"
    r"|\b(?:(?:any|every)\w+ but|all but|except|(?<!none )other than|rather than|instead of)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_DENIAL_AFTER = re.compile(r"^\W{0,3}(?:is|was|would be)\s+(?:not|wrong|incorrect|false)\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s?\s+\w")


def _denied(match: Match, text: str) -> bool:
    before, after = text[max(0, match.span.start - 60) : match.span.start], text[match.span.end :][:40]
    return bool(_DENIAL_BEFORE.search(before) or _DENIAL_AFTER.search(after))


_NAME_BEFORE = re.compile(r"(?<![\w.])([^\W\d_][\w'’]*)(?:\s+of(?:\s+the)?)?\s+$")
_NAME_AFTER = re.compile(r"\s+([^\W\d_]\w*)")
_TITLES = frozenset(
    """
    mr mrs ms dr sir dame lord lady king queen prince princess pope saint president general colonel
    captain major lieutenant admiral professor senator governor reverend judge justice bishop cardinal
    """.split()  # noqa: SIM905 (as the words of forms.py)
)


def _in_longer_name(match: Match, text: str) -> bool:
    """Whether a capital beside it makes another name of it: "Rome Airport", "University of Rome"."""
    if not match.span.surface[:1].isupper():
        return False
    before = _NAME_BEFORE.search(text[max(0, match.span.start - 40) : match.span.start])
    after = _NAME_AFTER.match(text[match.span.end :][:40])
    return any(
        found and found[1][0].isupper() and not _tells_nothing(found[1].casefold(), allowed)
        for found, allowed in ((before, _TITLES), (after, frozenset()))
    )


def _tells_nothing(word: str, allowed: frozenset[str]) -> bool:
    return word in FUNCTION_WORDS or word in allowed or word.endswith("ly") or word in {"maybe", "perhaps"}


_GOLD = "\x00"
_REST = r"(?:the |an? )?(?!\x00)\w+"
_ANOTHER = re.compile(
    rf"\x00[,]? (?:or|and|&) ({_REST})|\x00 ?[/;|–-] ?({_REST})"
    rf"|(?<!\w)(\w+)[,]? (?:or|and|&) (?:the |an? )?\x00|(?<!\w)(\w+) ?[/;|–-] ?\x00"
)
_EITHER_OF = re.compile(r"\b(?:either|between)\b[^.;]{0,60}\x00")
_BOUND = re.compile(
    r"\b(?:(?:more|less|fewer|greater) than|over|under|at least|at most|up to) \x00", re.IGNORECASE
)
_MOST_OF_A_PLACE = 3
"""Rome, Lazio, Italy: a name and what it lies in; more than that, or with the gold last, is a list."""


def _hedged(mentions: Sequence[Match], text: str) -> bool:
    """Whether another answer is offered beside the gold: by "or" and "and", a slash, a list."""
    masked = _masked(mentions, text)
    counted = any(match.span.surface[0].isdigit() for match in mentions)
    if _EITHER_OF.search(masked) or (counted and _BOUND.search(masked)):
        return True
    others = [word for found in _ANOTHER.findall(masked) for word in found if word]
    return any(other.split()[-1].casefold() not in FUNCTION_WORDS for other in others) or _listed(masked)


def _masked(mentions: Sequence[Match], text: str) -> str:
    """The text with one sign for each mention of the gold."""
    pieces, at = [], 0
    for start, end in sorted({(match.span.start, match.span.end) for match in mentions}):
        if start >= at:
            pieces += [text[at:start], _GOLD]
            at = end
    return "".join([*pieces, text[at:]])


def _listed(masked: str) -> bool:
    """Whether the whole text is a list with commas in which the gold is not the place that the rest is of."""
    items = [item.strip().removeprefix("and ") for item in masked.split(",")]
    if len(items) < 2 or _GOLD not in items:  # noqa: PLR2004 (a list has two items)
        return False
    plain = all(item == _GOLD or (item[:1].isupper() and len(item.split()) < 5) for item in items)  # noqa: PLR2004
    return plain and (items[0] != _GOLD or len(items) > _MOST_OF_A_PLACE)


_SENTENCE_END = re.compile(r"[.!?;\n]\s")
