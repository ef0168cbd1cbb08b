"""The story of one request, from its raw body to the bytes of its reply.

    scored = await Scoring(...).score(raw)

What is known is not computed again: verdicts come from the cache, from work that is under way for somebody
else, or from the worker processes. Schemes and replies are made here, where the whole group is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rubric import answer, evaluate, flags
from rubric.entity import Verdict
from rubric.errors import CannotScore, Fault, InvalidInput
from rubric.intake import parse_evaluate, parse_score
from rubric.job import Defaults, Job, Profile, Task, prepare
from rubric.reply import compose
from rubric.score import attempt
from rubric.text import Response
from rubric.wire import EvaluateReply, Limits, ScoreReply, ScoreRequest
from service.cache import Cache, SingleFlight, decode, encode, verdict_keys
from service.errors import Refused
from service.metrics import Metrics
from service.settings import Labels
from service.workers import WorkerLost, Workers, cut

Attempt = bytes | CannotScore
"""An encoded verdict, or why there is none."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A reply as JSON, and how many rollouts it answers."""

    body: bytes
    rollouts: int


class Scoring:
    """Scores bodies. All parts are given; nothing is started or closed here."""

    def __init__(
        self,
        *,
        defaults: Defaults,
        limits: Limits,
        most_criteria: int,
        labels: Labels,
        cache: Cache,
        workers: Workers,
        metrics: Metrics,
    ) -> None:
        self._defaults = defaults
        self._limits = limits
        self._most_criteria = most_criteria
        self._labels = labels
        self._cache = cache
        self._workers = workers
        self._metrics = metrics
        self._flights: SingleFlight[Attempt] = SingleFlight()

    async def score(self, raw: bytes) -> Scored:
        """The reply to a body of `/score`. Raises `InvalidInput`."""
        started = time.perf_counter()
        request = parse_score(raw, limits=self._limits)
        _check(request, labels=self._labels, most_criteria=self._most_criteria)
        job = prepare(request, self._defaults)
        matching = time.perf_counter()
        verdicts = await self._verdicts(job)
        matched = time.perf_counter()
        self._metrics.match_seconds.observe(matched - matching)
        timings = {"match": _ms(matched - matching), "total": _ms(matched - started)}
        reply = compose(job, verdicts, timings_ms=timings)
        self._metrics.scored(reply, verdicts, labels=request.labels)
        return Scored(ScoreReply.__pydantic_serializer__.to_json(reply), rollouts=len(verdicts))

    async def evaluate(self, raw: bytes) -> Scored:
        """The reply to a body of `/evaluate`. Raises `InvalidInput`, and `Refused` if workers die of it."""
        for _ in range(2):
            try:
                body = await self._workers.run(_evaluate, raw, self._limits, self._defaults.verifier)
                return Scored(body, rollouts=1)
            except WorkerLost:
                self._metrics.workers_lost.inc()
        raise Refused("worker_lost", "two worker processes died of this request, or beside it", retry_after=1)

    async def _verdicts(self, job: Job) -> list[Verdict | CannotScore | None]:
        """One per rollout, in order. Raises `InvalidInput`."""
        keys = verdict_keys(job.task, job.responses)
        texts = {key: text for key, text in zip(keys, job.responses, strict=True) if key and text}
        known = await self._remembered(job.task, list(texts))
        wanted = {key: text for key, text in texts.items() if key not in known}
        fresh = {key: text for key, text in wanted.items() if key not in self._flights}
        self._metrics.looked_up(hits=len(known), misses=len(fresh), joined=len(wanted) - len(fresh))
        self._start(job.task, fresh)
        computed = await self._flights.wait(wanted)
        if not texts:
            await self._attempt_all(job.task, [Response("")])  # the rubric must be sound all the same
        size = len(job.task.rubric.entities)
        found = known | {key: _verdict(each, size) for key, each in computed.items()}
        return [None if key is None else found[key] for key in keys]

    async def _remembered(self, task: Task, keys: list[str]) -> dict[str, Verdict | CannotScore]:
        values = await self._cache.get_many(keys)
        size = len(task.rubric.entities)
        read = {key: decode(raw, entities=size) for key, raw in zip(keys, values, strict=True) if raw}
        return {key: verdict for key, verdict in read.items() if verdict}

    def _start(self, task: Task, texts: Mapping[str, Response]) -> None:
        """Send texts to the workers, a piece per worker at a time, so that others get their turn between."""
        keys = list(texts)
        turns = asyncio.Semaphore(self._workers.count)
        for piece in cut([_size(text) for text in texts.values()], workers=self._workers.count):
            part = {keys[index]: texts[keys[index]] for index in piece}
            self._flights.start(list(part), self._compute(task, part, turns))

    async def _compute(
        self, task: Task, texts: Mapping[str, Response], turns: asyncio.Semaphore
    ) -> dict[str, Attempt]:
        async with turns:
            attempts = await self._attempt_all(task, list(texts.values()))
        found = dict(zip(texts, attempts, strict=True))
        await self._cache.put_many([(key, each) for key, each in found.items() if isinstance(each, bytes)])
        return found

    async def _attempt_all(self, task: Task, texts: Sequence[Response]) -> list[Attempt]:
        """Where a worker dies, each text is tried once more alone: only the one that kills has no score."""
        try:
            return await self._workers.run(_attempts, task, texts)
        except WorkerLost:
            self._metrics.workers_lost.inc()
        return [await self._attempt_again(task, text) for text in texts]

    async def _attempt_again(self, task: Task, text: Response) -> Attempt:
        try:
            return (await self._workers.run(_attempts, task, [text]))[0]
        except WorkerLost:
            self._metrics.workers_lost.inc()
            return CannotScore("worker_lost", "two worker processes died of it, or beside it", retryable=True)


def _check(request: ScoreRequest, *, labels: Labels, most_criteria: int) -> None:
    """Refuse what this server's settings do not allow. Raises `InvalidInput`."""
    faults = []
    criteria = len(request.rollouts) * len(request.rubric.entities)
    if criteria > most_criteria:
        message = f"are {criteria} criteria over all rollouts; at most {most_criteria} are allowed"
        faults.append(Fault("$.rubric.entities", message))
    for name, value in request.labels.items():
        if name not in labels:
            faults.append(Fault("$.labels", f"this server knows {', '.join(labels) or 'no labels'}"))
        elif (allowed := labels[name]) is not None and value not in allowed:
            faults.append(Fault(f"$.labels.{name}", f"is none of {', '.join(sorted(allowed))}"))
    if faults:
        raise InvalidInput(tuple(faults))


def _verdict(attempted: Attempt, entities: int) -> Verdict | CannotScore:
    if isinstance(attempted, CannotScore):
        return attempted
    verdict = decode(attempted, entities=entities)
    return verdict or CannotScore("internal", "a worker's verdict could not be read", retryable=True)


def _size(text: Response) -> int:
    """Characters to read, at least one."""
    if text.text is not None:
        return 1 + len(text.text)
    return 1 + sum(len(message.content) + len(message.reasoning) for message in text.messages)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


# --- in a worker ------------------------------------------------------------------------------------------


def prepare_worker() -> None:
    """Load what the text stages load when they are first used, so that no request waits for it."""
    flags.prepare()
    request = parse_score(_WARM_UP)
    for profile in Profile:
        job = prepare(request, Defaults(profile=profile))
        _attempts(job.task, [text for text in job.responses if text])


_WARM_UP = """{"answer": "Zoë", "rubric": {"entities": ["Zoë", "May 5, 2008", "1,000"]},
               "rollouts": [{"response": "It is not Zoë."}, {"response": "Zoe, 2008-05-05"}]}""".encode()


def _attempts(task: Task, texts: Sequence[Response]) -> list[Attempt]:
    """Verdicts leave the worker as the cache will keep them. Raises `InvalidInput`."""
    return [_encoded(attempt(task, text)) for text in texts]


def _encoded(attempted: Verdict | CannotScore | None) -> Attempt:
    if isinstance(attempted, Verdict):
        return encode(attempted)
    return attempted or CannotScore("internal", "no verdict was reached", retryable=True)


def _evaluate(raw: bytes, limits: Limits, verifier: str) -> bytes:
    """Parse, match and reward one body of `/evaluate`. Raises `InvalidInput`."""
    read = evaluate.read(parse_evaluate(raw, limits=limits))
    outcome = 0.0
    if read.judged is not None:
        if verifier != "match":
            message = "must be 1 on a server that decides no outcome"
            raise InvalidInput((Fault("$.extra_reward_info.rubric_reward_ratio", message),))
        if not read.golds:
            raise InvalidInput((Fault("$.label", "is an empty list; the outcome needs an answer"),))
        gold, *aliases = read.golds
        outcome = answer.decide(read.judged, answer=gold, aliases=aliases).value
    return EvaluateReply.__pydantic_serializer__.to_json(evaluate.reward(read, outcome=outcome))
