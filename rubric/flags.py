"""Remarks on criteria and on whole responses. What they do to a reward is the request's policy.

The negation flag reads a small window before a mention with spaCy's rule matcher on a blank pipeline (extra
`server`). Without spaCy the flag is not guessed by other rules: `missing()` names it, and replies say so.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec

from rubric.entity import CriterionFlag, Match, RolloutFlag
from rubric.lists import run_of_names
from rubric.text import Texts

_WINDOW = 80


@cache
def missing() -> tuple[str, ...]:
    """Flags that this installation cannot raise."""
    return () if find_spec("spacy") else (CriterionFlag.NEGATED.value,)


def criterion_flags(
    mentions: Sequence[Match], texts: Texts, *, in_question: bool, is_answer: bool
) -> tuple[CriterionFlag, ...]:
    """The remarks on one criterion. Those on its mentions need every mention that was kept."""
    return tuple(_remarks(mentions, texts, in_question=in_question, is_answer=is_answer))


def _remarks(
    mentions: Sequence[Match], texts: Texts, *, in_question: bool, is_answer: bool
) -> Iterator[CriterionFlag]:
    if in_question:
        yield CriterionFlag.IN_QUESTION
    if mentions and not missing() and all(_negated(mention, texts) for mention in mentions):
        yield CriterionFlag.NEGATED
    if is_answer:
        yield CriterionFlag.IS_ANSWER
    if mentions and all(_run(mention, texts) >= LIST for mention in mentions):
        yield CriterionFlag.IN_LIST
    if mentions and all(mention.doubtful for mention in mentions):
        yield CriterionFlag.LONGER_NAME


def rollout_flags(
    texts: Texts, mentions: Mapping[int, Sequence[Match]], *, answers: int
) -> Iterator[RolloutFlag]:
    """The remarks on one response; `answers` are the final answers that it offers."""
    if _dumps(texts, mentions):
        yield RolloutFlag.ENTITY_DUMP
    if answers >= ANSWERS:
        yield RolloutFlag.ANSWER_DUMP
    if texts.unclosed:
        yield RolloutFlag.THINK_MISSING
    if texts.closings > 1:
        yield RolloutFlag.THINK_REPEATED


LIST = 4
"""Names in a row that make an enumeration."""

DUMP, DENSITY, DUMPED = 6, 0.45, 3
"""A dump: names in a row, or the share of the text that names of the rubric take up, for so many entities at
least. Of 2,539 real responses to multi-hop questions none has more than 4 in a row, or a share over 0.39.
"""

ANSWERS = 3
"""Final answers from which on a response gives all and none."""


def _dumps(texts: Texts, mentions: Mapping[int, Sequence[Match]]) -> bool:
    """Whether the entities are hardly anything but named: in long lists, or in next to no other words."""
    named = [found for found in mentions.values() if found]
    if len(named) < DUMPED:
        return False
    dumped = sum(all(_run(each, texts) >= DUMP for each in found) for found in named)
    if dumped >= max(DUMPED, len(named) / 2):
        return True
    firsts = [found[0].span for found in named]
    length = sum(len(texts.of(field)) for field in {span.field for span in firsts})
    return sum(span.end - span.start for span in firsts) > DENSITY * length


def _run(mention: Match, texts: Texts) -> int:
    return run_of_names(texts.of(mention.span.field), mention.span.start, mention.span.end)


def _negated(mention: Match, texts: Texts) -> bool:
    """Whether a negation stands before the mention, in its sentence and close to it."""
    text = texts.of(mention.span.field)
    window = text[max(0, mention.span.start - _WINDOW) : mention.span.start]
    if not _CUE.search(window):
        return False
    clause = _CLAUSE_END.split(window)[-1]
    return bool(_CUE.search(clause)) and _negation()(clause)


_CLAUSE_END = re.compile(r"[.!?;:\n]|\b(?:but|however|although)\b", re.IGNORECASE)
_CUE = re.compile(r"n['’]t\b|\b(?:not|never|no|nor|neither|without|cannot|rather|instead)\b", re.IGNORECASE)
_SINGLE_CUES = ["not", "never", "no", "nor", "neither", "without", "n't", "n’t"]
_NOT_A_NEGATION = ["only", "just", "merely", "until", "less", "more", "doubt", "surprisingly", "least"]


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """For as long as this lasts, `name` is not installed; what was imported before stays."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # the import system's own word for it
    try:
        yield
    finally:
        del sys.modules[name]


@cache
def _negation() -> Callable[[str], bool]:
    """The matcher: a cue, at most three words, and the end of the window."""
    with _hidden("torch"):  # which spaCy imports wherever it is installed: two seconds and 180 MB for nothing
        import spacy  # noqa: PLC0415 (heavy, and asked for by name: the extra `server`)
        from spacy.matcher import Matcher  # noqa: PLC0415

    nlp = spacy.blank("en")
    matcher = Matcher(nlp.vocab)
    between = {"LOWER": {"NOT_IN": [*_NOT_A_NEGATION, ","]}, "OP": "{0,3}"}
    matcher.add(
        "negated",
        [
            [{"LOWER": {"IN": _SINGLE_CUES}}, between],
            [{"LOWER": "rather"}, {"LOWER": "than"}, between],
            [{"LOWER": "instead"}, {"LOWER": "of"}, between],
        ],
    )

    def negated(clause: str) -> bool:
        document = nlp.make_doc(clause.rstrip())
        return any(end == len(document) for _, _, end in matcher(document))

    return negated


def prepare() -> None:
    """Load what the flags need, so that the first request does not wait for it."""
    if not missing():
        _negation()
