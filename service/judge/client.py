"""The judge: an outcome for a response, or a typed failure; never a number that nobody gave.

judge = Judge(JudgeOptions(base_url="http://127.0.0.1:30000/v1", model="Qwen/Qwen3-32B"))
outcome = await judge.decide(final, question="…", answer="Rabat", aliases=("Rbat",))
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rubric import judging
from rubric.entity import OutcomeVerdict
from rubric.errors import CannotScore
from rubric.judging import Form
from service.judge.endpoint import Completion, Endpoint
from service.judge.failures import CallFailed, Kind, cannot_judge
from service.judge.limits import Breaker, Turns
from service.judge.options import JudgeOptions

VERIFIER = "judge"

OnCall = Callable[[str, float], None]
"""Told of every call: `ok`, `cancelled` or the type of its failure, and its seconds."""


class Judge:
    """Decides outcomes by asking a model. Nothing is started here; `close` ends its connections."""

    def __init__(self, options: JudgeOptions, *, on_call: OnCall = lambda _result, _seconds: None) -> None:
        self._options = options
        self._template = options.template()
        self._parts = options.fingerprint_parts()
        self._endpoint = Endpoint(options)
        self._turns = Turns(options)
        self.breaker = Breaker(failures=options.breaker_failures, rest_s=options.breaker_rest_s)
        self._on_call = on_call

    async def decide(
        self,
        final: str,
        *,
        question: str,
        answer: str,
        aliases: Sequence[str] = (),
        deadline: float | None = None,
    ) -> OutcomeVerdict:
        """1.0 or 0.0 for the text after the thinking; `deadline` is a `time.monotonic()`.

        Raises `CannotScore` of one of the types in `service/judge/failures.py`.
        """
        golds = (answer, *aliases)
        reason = judging.worthless(final, golds=golds)
        if reason is not None:
            return OutcomeVerdict(0.0, VERIFIER, f"{reason}; the judge was not asked")
        own = time.monotonic() + self._options.deadline_s
        until = own if deadline is None else min(own, deadline)
        case = _Case(question, golds, final, until)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._vote(case)
        except TimeoutError:
            raise cannot_judge(Kind.TIMEOUT, "no verdict before the deadline of the rollout") from None

    def fingerprint_parts(self) -> dict[str, str]:
        """Everything about the judge that can change an outcome, by name."""
        return dict(self._parts)

    async def close(self) -> None:
        await self._endpoint.close()

    async def _vote(self, case: _Case) -> OutcomeVerdict:
        """Ask a majority and, where it is not of one mind, the others."""
        votes = self._options.votes
        ballots = await self._ballots(case, range(votes // 2 + 1))
        if _decided(ballots, votes=votes) is None:
            ballots += await self._ballots(case, range(len(ballots), votes))
        right = _decided(ballots, votes=votes)
        if right is None:
            raise next(ballot for ballot in ballots if isinstance(ballot, CannotScore))
        cast = f"{ballots.count(right)} of {votes} votes of the judge say" if votes > 1 else "the judge says"
        return OutcomeVerdict(float(right), VERIFIER, f"{cast} {'yes' if right else 'no'}")

    async def _ballots(self, case: _Case, votes: range) -> list[bool | CannotScore]:
        if len(votes) == 1:
            return [await self._ballot(case, votes[0])]
        return list(await asyncio.gather(*(self._ballot(case, vote) for vote in votes)))

    async def _ballot(self, case: _Case, vote: int) -> bool | CannotScore:
        """One vote, tried again where that may help.

        Only a reply that could not be read changes the seed: a bad connection must not change a verdict.
        """
        failed = unread = busy = 0
        while True:
            try:
                return await self._ask(case, self._options.seed + vote + unread * self._options.votes)
            except CannotScore as failure:
                return failure
            except CallFailed as error:
                failed, busy = failed + (not error.busy), busy + error.busy
                unread += error.kind is Kind.UNPARSABLE
                pause = 0.0 if error.kind is Kind.UNPARSABLE else _pause(failed + busy, error.after_s)
                late = time.monotonic() + pause > case.until
                if not error.again or failed == self._options.tries or late:
                    return error.failure()
            await asyncio.sleep(pause)

    async def _ask(self, case: _Case, seed: int) -> bool:
        """One call, in its turn. Raises `CallFailed`, and `CannotScore` where no call is made."""
        async with self._turns.permit():
            self.breaker.admit()
            prompt = judging.prompt(
                self._template, question=case.question, golds=case.golds, final=case.final
            )
            reserved = _tokens(prompt) + self._options.max_tokens
            await self._turns.wait(reserved, until=case.until)
            return await self._call(prompt, seed, reserved)

    async def _call(self, prompt: str, seed: int, reserved: int) -> bool:
        started, result = time.perf_counter(), "cancelled"
        try:
            completion = await self._endpoint.complete(prompt, seed=seed)
            right = _read(completion, self._options.form)
        except CallFailed as error:
            result = error.kind.value
            self.breaker.failed(error)
            self._turns.hold(error.after_s or 0.0)
            raise
        else:
            result = "ok"
            self.breaker.succeeded()
            self._turns.settle(reserved=reserved, used=completion.tokens)
            return right
        finally:
            self._on_call(result, time.perf_counter() - started)


def _read(completion: Completion, form: Form) -> bool:
    right = judging.parse(completion.text, form=form)
    if right is None:
        raise CallFailed(Kind.UNPARSABLE, "the judge's reply is no clear yes or no", again=True)
    return right


@dataclass(frozen=True, slots=True)
class _Case:
    """One rollout before the judge. Its prompt is made when its turn comes: a thousand may wait."""

    question: str
    golds: tuple[str, ...]
    final: str
    until: float


def _decided(ballots: Sequence[bool | CannotScore], *, votes: int) -> bool | None:
    """Yes takes more than half of all votes, so a tie is no; a failed vote is neither.

    None where the votes that are missing could still turn it.
    """
    if 2 * ballots.count(True) > votes:
        return True
    return False if 2 * ballots.count(False) >= votes else None


_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0


def _pause(attempt: int, after_s: float | None) -> float:
    """Twice as long each time, of which a random half; never less than the endpoint asks for."""
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1))
    return (after_s or 0.0) + random.uniform(longest / 2, longest)  # noqa: S311 - spreads, hides nothing


def _tokens(prompt: str) -> int:
    """An estimate: four characters of ASCII are a token, and so is every other character."""
    others = 0 if prompt.isascii() else sum(character > "\x7f" for character in prompt)
    return others + (len(prompt) - others) // 4 + 1
