"""What the load is made of: groups of 1 to 16 rollouts of 1 KB to 1 MB, each request new to every cache.

    mix = templates(128)
    mix[0].body(b"qzxkwjvqzxkw")      the same group each time, but for a word in every text and in the rubric

The distribution, all of it drawn from one seed: half of the groups have rollouts of 1 to 10 KB, 35 % of 10 to
100 KB and 15 % of 100 KB to 1 MB, log-uniform within; they have 1, 2, 4, 8 or 16 rollouts, each as often.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import orjson
from texts import lively, rubric_of, text_of, typographic


class Rollout(NamedTuple):
    """What a reply says of a rollout; a float of JSON is the same bits on both sides."""

    reward: float | None
    outcome: float | None
    score: float | None
    failure: str | None


Told = tuple[Rollout, ...]

_SLOT = "qqqqqqqqqqqq"
_LETTERS = "jkqvwxz"
_GROUPS = (1, 2, 4, 8, 16)
_ENTITIES = 8
_CORPUS = 2_000_000
_ENDS = {
    "small": (64_000, "under 64 KB"),
    "medium": (1_000_000, "64 KB to 1 MB"),
    "large": (1 << 62, "over 1 MB"),
}


class Size(StrEnum):
    """Of a whole body."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    @property
    def says(self) -> str:
        return _ENDS[self][1]


class Held(StrEnum):
    """A reply beside that of a fault-free run: the same, or with typed failures in it, or another number."""

    RIGHT = "right"
    FAILED = "failed"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Template:
    """A body in pieces; between two of them stands a word that is another one in each request."""

    pieces: tuple[bytes, ...]
    rollouts: int
    judged: bool = False

    @property
    def length(self) -> int:
        return sum(map(len, self.pieces)) + (len(self.pieces) - 1) * len(_SLOT)

    @property
    def size(self) -> Size:
        return next(size for size in Size if self.length < _ENDS[size][0])

    def body(self, nonce: bytes) -> list[bytes]:
        """In pieces still, so that nobody copies a megabyte per request."""
        woven = [nonce] * (2 * len(self.pieces) - 1)
        woven[::2] = self.pieces
        return woven


def templates(
    count: int, *, seed: int = 1, most_kb: float = 1000.0, judged_share: float = 0.0
) -> list[Template]:
    """So many groups; with a smaller `most_kb` the three ranges are cut there."""
    chance = random.Random(seed)
    return [_template(chance, most_kb=most_kb, judged=chance.random() < judged_share) for _ in range(count)]


def nonce(number: int) -> bytes:
    """A word of letters that no English word and no other number has."""
    letters = []
    for _ in range(len(_SLOT)):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(letters).encode()


def told(reply: bytes) -> Told:
    """What a 200 of `/score` says of its rollouts."""
    return tuple(
        Rollout(
            each["reward"],
            each["outcome"] and each["outcome"]["value"],
            each["rubric"] and each["rubric"]["score"],
            each["failure"] and each["failure"]["type"],
        )
        for each in orjson.loads(reply)["rollouts"]
    )


def held(found: Told, *, to: Told) -> Held:
    """Hold a reply to that of a fault-free run.

    A scheme may divide by the best of a group. Where a rollout failed, that may be another one, and so those
    with a score are held to their score and outcome; the rewards are what the scheme makes of them.
    """
    if found == to:
        return Held.RIGHT
    left = [(one, other) for one, other in zip(found, to, strict=True) if one.failure is None]
    if len(left) == len(to) or any(one[1:] != other[1:] for one, other in left):
        return Held.WRONG
    return Held.FAILED


def _template(chance: random.Random, *, most_kb: float, judged: bool) -> Template:
    rubric = chance.sample(_names(), _ENTITIES)
    least, most = chance.choices([(1.0, 10.0), (10.0, 100.0), (100.0, 1000.0)], weights=[50, 35, 15])[0]
    low, high = 1000 * min(least, most_kb / 2), 1000 * min(most, most_kb)
    group = chance.choice(_GROUPS)
    texts = [_response(chance, rubric, int(low * (high / low) ** chance.random())) for _ in range(group)]
    body: dict[str, Any] = {
        "question": f"Who stood behind it, in run {_SLOT}?",
        "answer": {"value": rubric[0], "aliases": [rubric[1]]},
        "rubric": {"entities": [*rubric, f"The {_SLOT} Report"]},
        "rollouts": [{"response": text} for text in texts],
    }
    if judged:
        body["verifier"] = {"name": "judge"}
    pieces = orjson.dumps(body).split(_SLOT.encode())
    return Template(tuple(pieces), group, judged)


def _response(chance: random.Random, rubric: list[str], characters: int) -> str:
    """A cut of the corpus that names some of the entities, and ends with an answer that is often right."""
    start = chance.randrange(_CORPUS - characters)
    text = _corpus(chance.random() < 0.3)[start : start + characters]
    named = chance.sample(rubric, chance.randint(0, len(rubric)))
    cuts = sorted(chance.randrange(characters) for _ in named)
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, characters], strict=True)]
    spoken = "".join(f"{part}\nIt was {name} then. " for part, name in zip(parts, named, strict=False))
    answer = rubric[0] if chance.random() < 0.5 else rubric[-1]
    return f"Run {_SLOT}. {spoken}{parts[-1]}\n\nThe answer is {answer}."


@cache
def _corpus(curly: bool) -> str:  # noqa: FBT001 - one of two texts
    text = lively(text_of(rubric_of(_ENTITIES), _CORPUS + 100_000, seed=7))
    return (typographic(text) if curly else text)[:_CORPUS]


@cache
def _names() -> list[str]:
    return list(islice((each.name for each in rubric_of(800).entities), 8, None))
