"""LongTraceRL's matcher and field rules bit for bit, quirks included; nothing else may use them.

Only the profile `legacy` and `POST /evaluate` do. A gold string that normalizes to nothing counts as a hit,
names are found inside other words, duplicates count each, and the first `</think>` splits a raw response.
Source: `launch_server.py` of THU-KEG/LongTraceRL (arXiv 2605.31584); the formula of `longrlvr` is that of
arXiv 2603.02146.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; a text that the message does not have is None."""

    role: str
    content: str | None = None
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said, and the final answer in it; without one (None) every number is 0."""

    turns: tuple[Turn, ...]
    final: str | None


def read_response(response: str) -> Conversation:
    """A raw response: the first `</think>` splits it, and only then are its parts stripped."""
    thinking, closed, rest = response.partition("</think>")
    if not closed:
        return Conversation((Turn("assistant", content=response),), response)
    content = rest.strip()
    reasoning = thinking.removeprefix("<think>").strip()
    return Conversation((Turn("assistant", content=content, reasoning=reasoning),), content)


def read_history(turns: Sequence[Turn]) -> Conversation:
    """A chat: the final answer is the content of the last message, if that is the assistant's."""
    last = turns[-1]
    return Conversation(tuple(turns), last.content if last.role == "assistant" else None)


def matched_text(conversation: Conversation, *, reasoning: bool, content: bool) -> str:
    """The text that the rubric is looked for in: the assistant's, field by field, as the flags say."""
    text = ""
    for turn in conversation.turns:
        if turn.role != "assistant":
            continue
        if reasoning and turn.reasoning is not None:
            text += "\n\n" + turn.reasoning.strip()
        if content and turn.content is not None:
            text += "\n\n" + turn.content.strip()
    return text


def judged_text(final: str) -> str | None:
    """What a verifier sees of the final answer: what follows its last `</think>`, None if nothing does."""
    return final.rpartition("</think>")[2].strip() or None if "</think>" in final else final


def normalize(text: str) -> str:
    """Lower case; runs of ASCII letters, digits and `_`, and single Han characters, joined by spaces."""
    lowered = text.lower()
    if not lowered.isascii() and _HAN.search(lowered):
        return " ".join(_KEPT.findall(lowered))
    kept = np.frombuffer(lowered.encode("ascii", "replace").translate(_SPACED), dtype=np.uint8)
    space = kept == _SPACE
    space[1:] &= space[:-1]
    space[:1] = False
    normal: bytes = kept[~space].tobytes()
    return normal.decode("ascii").strip(" ")


def entity_hits(golds: Iterable[str], text: str) -> tuple[bool, ...]:
    """For each gold string, whether its normal form is a substring of the text's."""
    haystack = normalize(text)
    return tuple(normalize(gold) in haystack for gold in golds)


def entity_score(golds: Sequence[str], text: str) -> float:
    """Share of the gold strings that are hit; 0 for none."""
    return sum(entity_hits(golds, text)) / len(golds) if golds else 0.0


def cited_chunks(text: str) -> tuple[int, ...]:
    """Chunk ids in the last `<useful_chunks>` block, in order, repeats kept. Linear in the text."""
    start: int | None = None
    block = ""
    for tag in _TAG.finditer(text):
        opens = tag.group()[1] != "/"
        if start is None and opens:
            start = tag.end()
        elif start is not None and not opens:
            start, block = None, text[start : tag.start()]
    return tuple(_number(digits) for digits in _CHUNK.findall(block))


def chunk_score(golds: Iterable[object], text: str) -> float:
    """F2 of precision and recall over sets of chunk ids; 0 when both are 0."""
    cited, gold = set(cited_chunks(text)), set(golds)
    hits = len(cited & gold)
    precision = hits / len(cited) if cited else 0.0
    recall = hits / len(gold) if gold else 0.0
    return (1 + 4) * precision * recall / (4 * precision + recall) if precision + recall > 0 else 0.0


def reward(outcome: float, rubric: float, *, eta: float, chunks: bool) -> float:
    """`(1 - eta) * o + eta * s`; for chunk ids `o + (eta * F + (1 - eta) * o * F)`, in this order."""
    if chunks:
        return outcome + (eta * rubric + (1 - eta) * outcome * rubric)
    return (1 - eta) * outcome + eta * rubric


_KEPT = re.compile("[a-zA-Z0-9_]+|[\u4e00-\u9fff]")
_HAN = re.compile("[\u4e00-\u9fff]")
_SPACE = 0x20
_SPACED = bytes(code if re.fullmatch(rb"[a-zA-Z0-9_]", bytes([code])) else _SPACE for code in range(256))
_TAG = re.compile("</?useful_chunks>", re.IGNORECASE)
_CHUNK = re.compile(r"<CHUNK[_\s]?(\d+)>", re.IGNORECASE)
_MOST_DIGITS = 4000


def _number(digits: str) -> int:
    """The id. One longer than Python converts is nobody's, but was cited all the same."""
    return int(digits) if len(digits) <= _MOST_DIGITS else -1
