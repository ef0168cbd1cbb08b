"""The canary: groups whose rewards are known go through the whole service, again and again.

    canary = Canary(score, report=telling.passed); await canary.check(); asyncio.create_task(canary.run())

What it says does not depend on the policy: if an answer differs, the scorer has moved. Each case is scored
with the profiles whose answers are shipped with it, and as a request that leaves every choice to the server;
for the latter the answers are those of a reference, or else of the first pass. The question of each pass has
a word of its own, so that no cache can answer.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from random import SystemRandom
from string import ascii_lowercase
from typing import Any

import orjson
import structlog

from rubric.entity import Stage
from rubric.job import Profile, matcher_parts

_log = structlog.get_logger("cairn")

Score = Callable[[bytes], Awaitable[bytes]]
"""The reply to a body of `/score`, by the path that requests take, but counted by nobody."""

OWN = "own"
"""In place of a profile: the server's own choices."""

TOLERANCE, CLOSE = 1e-6, 5e-3
"""How far rewards may be apart, and sums of similarities, which devices round differently.

A reward is a sum of whole criteria, so that devices give the same, but for the order of a sum.
"""

_TOLD = 8


@dataclass(frozen=True, slots=True)
class Pass:
    """One round over all cases. `unanswered` had no reply; `wrong` names the first cases that differ."""

    at: float
    seconds: float
    cases: int
    mismatches: int
    unanswered: int
    largest_error: float
    wrong: Sequence[str]

    @property
    def result(self) -> str:
        """`ok`, `mismatch`, or `unanswered` where nothing differs and something is missing."""
        if self.mismatches:
            return "mismatch"
        return "unanswered" if self.unanswered else "ok"


RESULTS = ("ok", "mismatch", "unanswered")


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and what its rollouts get by profile; `line_of` says how an answer is written."""

    id: str
    body: Mapping[str, Any]
    expected: Mapping[str, Sequence[str]]


class Canary:
    """Scores the golden set. `answers` are those of a reference, for the server's own choices.

    `semantics` are the fingerprint's parts of the embedding stage that is served, where there is one.
    """

    def __init__(
        self,
        score: Score,
        *,
        answers: Mapping[str, Sequence[str]] | None = None,
        report: Callable[[Pass], None] = lambda _: None,
        every_s: float = 300.0,
        semantics: Mapping[str, str] | None = None,
        cases: Sequence[Case] | None = None,
    ) -> None:
        self._score = score
        self._report = report
        self._every_s = every_s
        self._cases = golden_of(semantics) if cases is None else cases
        self.answers: dict[str, Sequence[str]] = dict(answers or {})
        self.last: Pass | None = None

    @property
    def healthy(self) -> bool:
        """Whether there was a pass, and nothing differed in the last one."""
        return self.last is not None and not self.last.mismatches

    async def run(self) -> None:
        """Check every few minutes, until cancelled; without an interval, not at all."""
        while self._every_s:
            await asyncio.sleep(self._every_s)
            await self.check()

    async def check(self) -> Pass:
        """One pass. It raises nothing: what has no reply is `unanswered`."""
        started = time.monotonic()
        found = _Found()
        for case, profile in _all(self._cases):
            await self._check_case(case, profile, found)
        self.last = Pass(
            at=time.time(),
            seconds=time.monotonic() - started,
            cases=found.cases,
            mismatches=len(found.wrong),
            unanswered=found.unanswered,
            largest_error=found.largest_error,
            wrong=tuple(found.wrong[:_TOLD]),
        )
        if found.wrong:
            _log.error("canary differs", mismatches=len(found.wrong), cases=found.wrong[:_TOLD])
        self._report(self.last)
        return self.last

    async def _check_case(self, case: Case, profile: str, found: _Found) -> None:
        found.cases += 1
        try:
            reply = orjson.loads(await self._score(body_of(case, profile)))
        except Exception as error:  # noqa: BLE001 (whatever it is, the canary goes on)
            found.unanswered += 1
            _log.warning("canary unanswered", case=case.id, error=type(error).__name__)
            return
        lines = [line_of(rollout) for rollout in reply["rollouts"]]
        expected = self.answers.setdefault(case.id, lines) if profile == OWN else case.expected[profile]
        found.compare(f"{case.id} ({profile})", lines, expected)


@dataclass(slots=True)
class _Found:
    cases: int = 0
    unanswered: int = 0
    largest_error: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def compare(self, name: str, lines: Sequence[str], expected: Sequence[str]) -> None:
        if len(lines) != len(expected):
            self.wrong.append(name)
            return
        compared = [_compare(*each) for each in zip(lines, expected, strict=True)]
        self.largest_error = max(self.largest_error, *(error for error, _ in compared))
        if not all(same for _, same in compared):
            self.wrong.append(name)


def _all(cases: Sequence[Case]) -> Iterator[tuple[Case, str]]:
    return ((case, profile) for case in cases for profile in (*case.expected, OWN))


def body_of(case: Case, profile: str) -> bytes:
    """With a word that no pass had before; letters, since a figure could be an entity."""
    word = "".join(_RANDOM.choices(ascii_lowercase, k=12))
    body = {**case.body, "question": f"{case.body['question']} ({word})", "verifier": {"name": "match"}}
    if profile == OWN:
        body.pop("scheme", None)
        return orjson.dumps(body)
    return orjson.dumps({"scheme": {"name": "longtrace"}, **body, "profile": profile})


_RANDOM = SystemRandom()


def line_of(rollout: Mapping[str, Any]) -> str:
    """An answer: the reward, a letter per entity, and the sum of what was compared by similarity.

    The letter is of the stage that found it; `.` where nothing did, `?` where something came close.
    """
    reward = rollout["reward"]
    criteria = rollout["criteria"] or ()
    near = [each["near_miss"] for each in criteria if each["near_miss"]]
    soft = [each["similarity"] for each in (*criteria, *near) if each["similarity"] is not None]
    letters = "".join(map(_letter, criteria))
    return f"{'none' if reward is None else repr(float(reward))} {letters or '-'} {math.fsum(soft):.4f}"


def _letter(criterion: Mapping[str, Any]) -> str:
    if criterion["hit"]:
        return _LETTERS[Stage(criterion["stage"])]
    return "?" if criterion["near_miss"] else "."


_LETTERS = dict(zip(Stage, "eandfmcl", strict=True))


def _compare(line: str, expected: str) -> tuple[float, bool]:
    """How far the rewards are apart, 1 where there is only one; and whether the answers are the same."""
    (one, *evidence, similarity), (other, *known, then) = line.split(), expected.split()
    lone = "none" in (one, other)
    error = float(one != other) if lone else abs(float(one) - float(other))
    close = abs(float(similarity) - float(then)) <= CLOSE
    return error, error <= TOLERANCE and evidence == known and close


@cache
def golden() -> tuple[Case, ...]:
    """The set that is shipped: hand-written, `golden.jsonl`."""
    lines = (files("service.drift") / "golden.jsonl").read_bytes().splitlines()
    stored = [orjson.loads(line) for line in lines]
    return tuple(Case(each["body"]["id"], each["body"], each["expected"]) for each in stored)


def golden_of(semantics: Mapping[str, str] | None) -> tuple[Case, ...]:
    """The same with what `balanced` gives, where the answers of just this model and scorer are shipped.

    They were frozen with vectors of one machine. Those of another differ in the last bits, and no decision
    of the set hangs on a hundredth of what would move it: `tests/service/drift/test_golden.py`.
    """
    stored = orjson.loads((files("service.drift") / "golden_balanced.json").read_bytes())
    if balanced_parts(semantics) != stored["parts"]:
        return golden()
    answers = stored["answers"]
    return tuple(replace(case, expected={**case.expected, BALANCED: answers[case.id]}) for case in golden())


def balanced_parts(semantics: Mapping[str, str] | None) -> dict[str, str]:
    """What the answers of `balanced` hang on beyond this version: model, scorer, list of known words."""
    known = matcher_parts(Profile.BALANCED)
    return {**(semantics or {}), "words": known.get("words", "")}


BALANCED = Profile.BALANCED.value
