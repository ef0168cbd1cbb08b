"""The story of one request, from its raw body to the bytes of its reply.

    scored = await Scoring(...).score(raw, turn=Turn(asyncio.get_running_loop().time() + 60))

What is known is not computed again: verdicts and outcomes come from the cache, from work that is under way
for somebody else, or from the worker processes and the judge. Schemes and replies are made here, where the
whole group is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rubric import answer, evaluate
from rubric.entity import Verdict
from rubric.errors import CannotScore, Fault, InvalidInput
from rubric.intake import parse_evaluate, parse_score
from rubric.job import Answer, Defaults, Job, Verifier, prepare
from rubric.reply import compose
from rubric.wire import EvaluateReply, Limits, ScoreReply, ScoreRequest
from service.admission import Turn
from service.cache import Cache, verdict_keys
from service.drift.watch import Watch
from service.errors import Refused
from service.matching import Matching
from service.metrics import Metrics
from service.outcomes import Case, Decided, Outcomes, cases_of, left_open
from service.settings import Labels
from service.tracing import NoTracing, Tracing
from service.workers import WorkerLost, Workers


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a request may ask for: sizes, criteria over all its rollouts, labels."""

    limits: Limits
    criteria: int
    labels: Labels


@dataclass(frozen=True, slots=True)
class Scored:
    """A reply as JSON, and how many rollouts it answers."""

    body: bytes
    rollouts: int


class Scoring:
    """Scores bodies. All parts are given; nothing is started or closed here.

    A `turn` says when a request must be answered, by the clock of the event loop, and what it may wait for.
    """

    def __init__(  # noqa: PLR0913 (each is a part)
        self,
        *,
        defaults: Defaults,
        allowed: Allowed,
        cache: Cache,
        workers: Workers,
        matching: Matching,
        outcomes: Outcomes | None,
        watch: Watch,
        metrics: Metrics,
        tracing: Tracing | None = None,
    ) -> None:
        self._defaults = defaults
        self._allowed = allowed
        self._cache = cache
        self._workers = workers
        self._matching = matching
        self._outcomes = outcomes
        self._watch = watch
        self._metrics = metrics
        self._tracing = tracing or NoTracing()

    async def score(self, raw: bytes, *, turn: Turn) -> Scored:
        """The reply to a body of `/score`. Raises `InvalidInput`."""
        started = time.perf_counter()
        request = parse_score(raw, limits=self._allowed.limits)
        _check(request, self._allowed)
        job = prepare(request, self._defaults)
        timings: dict[str, float] = {}
        verdicts = await self._verdicts(job, turn=turn, timings=timings)
        timings["total"] = _ms(time.perf_counter() - started)
        reply = compose(job, verdicts, timings_ms=timings)
        self._watch.scored(job, verdicts, reply)
        return Scored(ScoreReply.__pydantic_serializer__.to_json(reply), rollouts=len(verdicts))

    async def evaluate(self, raw: bytes, *, turn: Turn) -> Scored:
        """The reply to a body of `/evaluate`.

        Raises `InvalidInput`, and `Refused` where workers die of it or the judge gives no outcome.
        """
        evaluated = await self._evaluated(raw)
        if isinstance(evaluated, Undecided):
            evaluated = evaluated.replies[await self._judged(evaluated.case, turn=turn)]
        return Scored(evaluated, rollouts=1)

    async def _verdicts(
        self, job: Job, *, turn: Turn, timings: dict[str, float]
    ) -> list[Verdict | CannotScore | None]:
        """One per rollout, matched and with its outcome. Raises `InvalidInput`."""
        cases = cases_of(job)
        keys = verdict_keys(job.task, job.responses)
        known = await self._remembered([*keys, self._matching.vectors_key(job.task)], cases)
        at_once = cases if job.chosen.verifier is Verifier.JUDGE else {}
        if at_once:
            turn.check_judge()
        asked = asyncio.ensure_future(self._ask(at_once, known, turn.until))
        try:
            matching = time.perf_counter()
            with self._tracing.span("match", rollouts=len(job.responses)):
                verdicts = await self._matching.verdicts(job, keys=keys, known=known, timings=timings)
            matched = time.perf_counter()
            self._watch.remembered(job, keys, known, verdicts)
            rest = left_open(verdicts, cases) if not at_once else {}
            if rest or not asked.done():
                turn.to_judge()
            with self._tracing.span("verify", cases=len(at_once or rest)):
                outcomes = await asked | await self._ask(rest, known, turn.until)
        finally:
            asked.cancel()
        self._metrics.match_seconds.observe(matched - matching)
        embed = min(timings.get("embed", 0.0), matched - matching)
        timings |= {"match": _ms(matched - matching - embed), "embed": _ms(embed)}
        timings |= {"verify": _ms(time.perf_counter() - matched)}
        if cases:
            self._metrics.verified(asked=len(at_once or rest), spared=len(cases) - len(at_once or rest))
        return [_with_outcome(each, outcomes.get(index)) for index, each in enumerate(verdicts)]

    async def _remembered(self, keys: Sequence[str | None], cases: Mapping[int, Case]) -> dict[str, bytes]:
        """All that is remembered of a group, in one look."""
        wanted = dict.fromkeys(key for key in keys if key)
        if self._outcomes:
            wanted |= dict.fromkeys(map(self._outcomes.key, cases.values()))
        values = await self._cache.get_many(list(wanted))
        return {key: value for key, value in zip(wanted, values, strict=True) if value}

    async def _ask(
        self, cases: Mapping[int, Case], known: Mapping[str, bytes], until: float
    ) -> dict[int, Decided]:
        if not self._outcomes or not cases:
            return {}
        decided = await self._outcomes.decide(list(cases.values()), known=known, until=until)
        return dict(zip(cases, decided, strict=True))

    async def _evaluated(self, raw: bytes) -> bytes | Undecided:
        """Raises `InvalidInput`, `Refused`."""
        for _ in range(2):
            try:
                return await self._workers.run(_evaluate, raw, self._allowed.limits, self._defaults.verifier)
            except WorkerLost:
                self._metrics.workers_lost.inc()
        raise Refused("worker_lost", "two worker processes died of this request, or beside it", retry_after=1)

    async def _judged(self, case: Case, *, turn: Turn) -> bool:
        """Whether the judge holds the answer for right. Raises `Refused`."""
        known = await self._remembered([], {0: case})
        turn.to_judge()
        decided = (await self._ask({0: case}, known, turn.until)).get(0)
        if isinstance(decided, CannotScore):
            after = _SOON_S if decided.retryable else _LATER_S
            raise Refused("judge_failed", f"{decided.kind}: {decided.detail}", retry_after=after)
        if decided is None:
            raise Refused("judge_failed", "this server has no judge to ask", retry_after=_LATER_S)
        return decided.value > 0


_SOON_S, _LATER_S = 5, 60
"""When to ask a judge again that was out of reach, and one that a person must look after."""


def _with_outcome(
    verdict: Verdict | CannotScore | None, outcome: Decided | None
) -> Verdict | CannotScore | None:
    """A rollout without an outcome has no score; one that could not be matched has none either."""
    if outcome is None or not isinstance(verdict, Verdict):
        return verdict
    return outcome if isinstance(outcome, CannotScore) else replace(verdict, outcome=outcome)


def _check(request: ScoreRequest, allowed: Allowed) -> None:
    """Refuse what this server's settings do not allow. Raises `InvalidInput`."""
    faults = []
    criteria = len(request.rollouts) * len(request.rubric.entities)
    if criteria > allowed.criteria:
        message = f"are {criteria} criteria over all rollouts; at most {allowed.criteria} are allowed"
        faults.append(Fault("$.rubric.entities", message))
    for name, value in request.labels.items():
        if name not in allowed.labels:
            faults.append(Fault("$.labels", f"this server knows {', '.join(allowed.labels) or 'no labels'}"))
        elif (values := allowed.labels[name]) is not None and value not in values:
            faults.append(Fault(f"$.labels.{name}", f"is none of {', '.join(sorted(values))}"))
    if faults:
        raise InvalidInput(tuple(faults))


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


# --- in a worker ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Undecided:
    """A body of `/evaluate` that waits for its judge, with the reply to either outcome."""

    case: Case
    replies: Mapping[bool, bytes]


def _evaluate(raw: bytes, limits: Limits, verifier: Verifier) -> bytes | Undecided:
    """Parse, match and reward one body of `/evaluate`. Raises `InvalidInput`."""
    read = evaluate.read(parse_evaluate(raw, limits=limits))
    if read.judged is None:
        return _reply(read, 0.0)
    if verifier is Verifier.NONE:
        message = "must be 1 on a server that decides no outcome"
        raise InvalidInput((Fault("$.extra_reward_info.rubric_reward_ratio", message),))
    if not read.golds:
        raise InvalidInput((Fault("$.label", "is an empty list; the outcome needs an answer"),))
    gold, *aliases = read.golds
    if verifier is not Verifier.JUDGE:
        decision = answer.decide(read.judged, answer=gold, aliases=aliases)
        if decision.decided or verifier is Verifier.MATCH:
            return _reply(read, decision.value)
    case = Case(read.question, Answer(gold, tuple(aliases)), read.judged)
    return Undecided(case, {right: _reply(read, float(right)) for right in (False, True)})


def _reply(read: evaluate.Evaluation, outcome: float) -> bytes:
    return EvaluateReply.__pydantic_serializer__.to_json(evaluate.reward(read, outcome=outcome))
