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

from rubric.entity import Entity, Field, Match
from rubric.errors import InvalidRubric
from rubric.exact import find
from rubric.forms import forms
from rubric.names import Names, compile_names
from rubric.text import Folded, fold
from rubric.typed import number_value


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

    Yes/no and number answers are decided on the extracted answer alone.
    """
    if not any(character.isalnum() for character in final):
        return Decision(0.0, decided=True, how="the final content is empty")
    extracted = next(_extractions(final))
    golds = (answer, *aliases)
    if any(_polarity(gold) is not None for gold in golds):
        return _decide_polarity(extracted, golds)
    return _decide_names(extracted, final, golds)


# --- extraction -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Extracted:
    """A final answer and where it stood; `said` is False for the last line, which only may be one."""

    text: str
    where: str
    said: bool = True


_LONGEST = 2000
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_SAYS = re.compile(
    r"(?<!intermediate )\banswer(?:\s+to\s+[^.:\n]{1,80})?"
    r"(?:\s*[\"'’]?\s*:|\s+(?:is|was|would be|should be)\b(?:\s*:)?)\s*",
    re.IGNORECASE,
)
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
            return inside[:at]
    return inside


def _said(final: str) -> str | None:
    """The rest of the line after the last "the answer is", or the next line; sought at the end first."""
    for part in (final[-_LONGEST:], final):
        text = _without_emphasis(part) if "answer" in part.lower() else ""
        ends = [spoken.end() for spoken in _SAYS.finditer(text)]
        if ends:
            return _next_line(text[ends[-1] :][:_LONGEST])
    return None


def _next_line(rest: str) -> str | None:
    return next((line for line in rest.splitlines() if _plain(line)), None)


def _without_emphasis(text: str) -> str:
    return text.replace("*", "").replace("_", " ").replace("`", "")


def _plain(text: str) -> str:
    """Without markup and the punctuation around it."""
    return " ".join(_MARKUP.sub(" ", text).split()).strip(" .,;:!\"'“”’")


# --- yes and no -------------------------------------------------------------------------------------------

_POLARITY = {"yes": True, "true": True, "correct": True, "no": False, "false": False, "incorrect": False}


def _polarity(text: str) -> bool | None:
    return _POLARITY.get(_plain(text).casefold())


def _decide_polarity(extracted: _Extracted, golds: Sequence[str]) -> Decision:
    """The first word decides; a text with both, or with neither, decides nothing."""
    words = re.findall(r"[a-z]+", extracted.text.casefold())
    said = {_POLARITY[word] for word in words if word in _POLARITY}
    if len(said) != 1 and words[:1] and words[0] in _POLARITY and "or" not in words:
        said = {_POLARITY[words[0]]}
    if len(said) != 1:
        return Decision(0.0, decided=False, how=f"{extracted.where} says neither yes nor no")
    right = any(_polarity(gold) in said for gold in golds)
    return Decision(
        float(right), decided=True, how=f"{extracted.where} says {'yes' if said == {True} else 'no'}"
    )


# --- names, numbers and dates -----------------------------------------------------------------------------


def _decide_names(extracted: _Extracted, final: str, golds: Sequence[str]) -> Decision:
    names = _compiled(tuple(golds))
    if names is None:
        return Decision(0.0, decided=False, how="the gold answer has no letter or digit to compare")
    if _same(extracted.text, golds):
        return Decision(1.0, decided=True, how=f"{extracted.where} is the gold answer")
    mentions = _mentions(names, extracted.text)
    if mentions:
        return _weigh(mentions, extracted)
    if extracted.said or all(number_value(gold) is not None for gold in golds):
        partial = any(_contains(gold, extracted.text) for gold in golds)
        return Decision(0.0, decided=not partial, how=f"{extracted.where} does not name the gold answer")
    return _decide_on_content(names, final)


def _weigh(mentions: Sequence[Match], extracted: _Extracted) -> Decision:
    """The extracted text names the gold: does it commit to it?"""
    if all(_denied(match, extracted.text) for match in mentions):
        return Decision(0.0, decided=True, how=f"{extracted.where} denies the gold answer")
    if all(_POSSESSIVE.match(extracted.text[match.span.end :][:8]) for match in mentions):
        return Decision(0.0, decided=False, how=f"{extracted.where} names something of the gold answer's")
    if _hedged(mentions, extracted.text):
        return Decision(0.0, decided=False, how=f"{extracted.where} names the gold answer among others")
    return Decision(1.0, decided=True, how=f"{extracted.where} names the gold answer")


def _decide_on_content(names: Names, final: str) -> Decision:
    """Nothing said which the answer is: a short content that names the gold, and nothing against it."""
    mentions = _mentions(names, final)
    if not mentions:
        return Decision(0.0, decided=True, how="the content does not name the gold answer")
    if len(final) > _SHORT or _hedged(mentions, final) or all(_denied(match, final) for match in mentions):
        return Decision(0.0, decided=False, how="the content names the gold answer without giving it")
    return Decision(1.0, decided=False, how="the short content names the gold answer")


_SHORT = 300


def _mentions(names: Names, text: str) -> list[Match]:
    return find(names, _folded(text), field=Field.CONTENT).matches.get(0, [])


def _folded(text: str) -> Folded:
    return fold(text)


@lru_cache(maxsize=256)
def _compiled(golds: tuple[str, ...]) -> Names | None:
    entity = Entity(id="answer", name=golds[0], aliases=golds[1:])
    try:
        return compile_names([(0, entity)])
    except InvalidRubric:
        return None


def _same(text: str, golds: Sequence[str]) -> bool:
    value = number_value(text)
    if value is not None:
        return any(number_value(gold) == value for gold in golds)
    own = {form.text for form in forms(text)} if len(text) <= _SHORT else set()
    return any(not own.isdisjoint(form.text for form in forms(gold)) for gold in golds)


def _contains(gold: str, text: str) -> bool:
    """Whether the gold answer has the extracted text in it: "Obama" for "Barack Obama" leaves it open."""
    names = _compiled((text[:_SHORT],))
    return names is not None and bool(_mentions(names, gold))


_DENIAL_BEFORE = re.compile(
    r"(?:\bnot|n't|\bnever|\bneither|\bnor|\bno)\s+(?:[\w'’]+\s+){0,3}$", re.IGNORECASE
)
_DENIAL_AFTER = re.compile(r"^\W{0,3}(?:is|was|would be)\s+(?:not|wrong|incorrect|false)\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s?\s+\w")
_HEDGE = re.compile(r"\b(?:or|either)\b", re.IGNORECASE)


def _denied(match: Match, text: str) -> bool:
    before, after = text[max(0, match.span.start - 60) : match.span.start], text[match.span.end :][:40]
    return bool(_DENIAL_BEFORE.search(before) or _DENIAL_AFTER.search(after))


def _hedged(mentions: Sequence[Match], text: str) -> bool:
    """Whether "or" offers another answer beside a mention, in its sentence."""
    return any(
        _HEDGE.search(_SENTENCE_END.split(text[max(0, match.span.start - 60) : match.span.start])[-1])
        or _HEDGE.search(_SENTENCE_END.split(text[match.span.end :][:60])[0])
        for match in mentions
    )


_SENTENCE_END = re.compile(r"[.!?;\n]\s")
