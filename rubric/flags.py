"""Remarks on hits and on whole responses. They never change a reward by themselves.

The negation flag reads a small window before a mention with spaCy's rule matcher on a blank pipeline (extra
`server`). Without spaCy the flag is not guessed by other rules: `missing()` names it, and replies say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec

from rubric.entity import CriterionFlag, Match, RolloutFlag
from rubric.text import Texts

_WINDOW = 80


@cache
def missing() -> tuple[str, ...]:
    """Flags that this installation cannot raise."""
    return () if find_spec("spacy") else (CriterionFlag.NEGATED.value,)


def criterion_flags(
    mentions: Sequence[Match], texts: Texts, *, in_question: bool, is_answer: bool
) -> tuple[CriterionFlag, ...]:
    """The remarks on one hit. `negated` needs every mention that was kept to be negated."""
    found = []
    if in_question:
        found.append(CriterionFlag.IN_QUESTION)
    if mentions and not missing() and all(_negated(mention, texts) for mention in mentions):
        found.append(CriterionFlag.NEGATED)
    if is_answer:
        found.append(CriterionFlag.IS_ANSWER)
    return tuple(found)


def rollout_flags(texts: Texts) -> Iterator[RolloutFlag]:
    """The remarks on one response."""
    if texts.unclosed:
        yield RolloutFlag.THINK_MISSING
    if texts.closings > 1:
        yield RolloutFlag.THINK_REPEATED


def _negated(mention: Match, texts: Texts) -> bool:
    """Whether a negation stands before the mention, in its sentence and close to it."""
    text = texts.of(mention.span.field)
    window = text[max(0, mention.span.start - _WINDOW) : mention.span.start]
    clause = _CLAUSE_END.split(window)[-1]
    return bool(_CUE.search(clause)) and _negation()(clause)


_CLAUSE_END = re.compile(r"[.!?;:\n]|\b(?:but|however|although)\b", re.IGNORECASE)
_CUE = re.compile(r"n['’]t\b|\b(?:not|never|no|nor|neither|without|cannot|rather|instead)\b", re.IGNORECASE)
_SINGLE_CUES = ["not", "never", "no", "nor", "neither", "without", "n't", "n’t"]
_NOT_A_NEGATION = ["only", "just", "merely", "until", "less", "more", "doubt", "surprisingly", "least"]


@cache
def _negation() -> Callable[[str], bool]:
    """The matcher: a cue, at most three words, and the end of the window."""
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
