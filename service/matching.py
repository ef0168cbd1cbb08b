"""The verdicts of responses: remembered, under way for somebody else, or computed now by the workers.

verdicts = await Matching(...).verdicts(job, keys=verdict_keys(job.task, job.responses), known={}, timings={})
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from rubric import flags
from rubric.entity import Verdict
from rubric.errors import CannotScore
from rubric.intake import parse_score
from rubric.job import Defaults, Job, Profile, Task, prepare
from rubric.score import Asking, Plan, attempt, settle
from rubric.text import Response
from service.cache import Cache, SingleFlight, decode, encode
from service.metrics import Metrics
from service.semantics import Calibration, Semantics, names_of, read_asking
from service.store.vectors import pack, unpack
from service.workers import WorkerLost, Workers, cut

Attempt = bytes | CannotScore
"""An encoded verdict, or why there is none."""

Read = bytes | Plan | CannotScore
"""What a worker makes of a text; a plan still needs the model."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What texts are matched for: the task, the packed vectors of its names, and where times are noted."""

    task: Task
    vectors: bytes | None
    timings: MutableMapping[str, float]

    def embedded(self, seconds: float) -> None:
        """Parts of a group are embedded side by side: the longest counts."""
        self.timings["embed"] = max(seconds, self.timings.get("embed", 0.0))


class Matching:
    """Matches the responses of a group. All parts are given; nothing is started or closed here."""

    def __init__(
        self, *, cache: Cache, workers: Workers, semantics: Semantics | None, metrics: Metrics
    ) -> None:
        self._cache = cache
        self._workers = workers
        self._semantics = semantics
        self._metrics = metrics
        self._flights: SingleFlight[Attempt] = SingleFlight()

    async def verdicts(
        self,
        job: Job,
        *,
        keys: Sequence[str | None],
        known: Mapping[str, bytes],
        timings: MutableMapping[str, float],
    ) -> list[Verdict | CannotScore | None]:
        """One per rollout, in order; `keys` are theirs, `known` what is remembered.

        `timings` gets the seconds that the model took as `embed`. Raises `InvalidInput`.
        """
        size = len(job.task.rubric.entities)
        texts = {key: text for key, text in zip(keys, job.responses, strict=True) if key and text}
        found: dict[str, Verdict | CannotScore] = {}
        for key in texts:
            if key in known and (verdict := decode(known[key], entities=size)):
                found[key] = verdict
        wanted = {key: text for key, text in texts.items() if key not in found}
        fresh = {key: text for key, text in wanted.items() if key not in self._flights}
        self._metrics.looked_up(hits=len(found), misses=len(fresh), joined=len(wanted) - len(fresh))
        vectors = known.get(self.vectors_key(job.task) or "")
        self._start(_Work(job.task, vectors, timings), fresh)
        computed = await self._flights.wait(wanted)
        if not texts:
            await self._attempt_all(job.task, [Response("")])  # the rubric must be sound all the same
        found |= {key: _verdict(each, size) for key, each in computed.items()}
        return [None if key is None else found[key] for key in keys]

    def vectors_key(self, task: Task) -> str | None:
        """Under which the vectors of the names are remembered, where a model is asked."""
        return self._semantics.key(task.rubric.digest) if self._semantics and task.semantics else None

    def _start(self, work: _Work, texts: Mapping[str, Response]) -> None:
        """Send texts to the workers, a piece per worker at a time, so that others get their turn between."""
        keys = list(texts)
        turns = asyncio.Semaphore(self._workers.count)
        for piece in cut([_size(text) for text in texts.values()], workers=self._workers.count):
            part = {keys[index]: texts[keys[index]] for index in piece}
            self._flights.start(list(part), self._compute(work, part, turns))

    async def _compute(
        self, work: _Work, texts: Mapping[str, Response], turns: asyncio.Semaphore
    ) -> dict[str, Attempt]:
        async with turns:
            read = await self._attempt_all(work.task, list(texts.values()))
        found, grown = await self._settled(work, read)
        attempts = dict(zip(texts, found, strict=True))
        worth = [(key, each) for key, each in attempts.items() if isinstance(each, bytes)]
        key = self.vectors_key(work.task)
        await self._cache.put_many([*worth, *([(key, grown)] if key and grown else [])])
        return attempts

    async def _settled(self, work: _Work, read: Sequence[Read]) -> tuple[list[Attempt], bytes | None]:
        """What the model has to say, for those who need it; and the vectors of the names, if there are more
        than before.
        """
        plans = {index: each for index, each in enumerate(read) if isinstance(each, Plan)}
        if not plans or not self._semantics:
            return [encode(each.verdict) if isinstance(each, Plan) else each for each in read], None
        remembered = unpack(work.vectors, names_of(plans.values())) if work.vectors else {}
        known = {text: row for text, row in remembered.items() if len(row) == self._semantics.dimensions}
        started = time.perf_counter()
        settled = await self._semantics.settle(list(plans.values()), known=known)
        work.embedded(time.perf_counter() - started)
        self._metrics.embed_seconds.observe(time.perf_counter() - started)
        verdicts = dict(zip(plans, settled.verdicts, strict=True))
        found = [_encoded(verdicts.get(index, each)) for index, each in enumerate(read)]
        return found, pack(
            settled.names, beside=work.vectors
        ) if settled.names.keys() - known.keys() else None

    async def again(self, task: Task, response: Response) -> Verdict | CannotScore:
        """The verdict of one response, whatever is remembered. Raises `InvalidInput`, `Refused`."""
        read = await self._attempt_all(task, [response])
        (found,), _ = await self._settled(_Work(task, None, {}), read)
        return _verdict(found, len(task.rubric.entities))

    async def _attempt_all(self, task: Task, texts: Sequence[Response]) -> list[Read]:
        """Where a worker dies, each text is tried once more alone: only the one that kills has no score."""
        try:
            return await self._workers.run(_attempts, task, texts, self._calibration(task))
        except WorkerLost:
            self._metrics.workers_lost.inc()
        return [await self._attempt_again(task, text) for text in texts]

    async def _attempt_again(self, task: Task, text: Response) -> Read:
        try:
            return (await self._workers.run(_attempts, task, [text], self._calibration(task)))[0]
        except WorkerLost:
            self._metrics.workers_lost.inc()
            return CannotScore("worker_lost", "two worker processes died of it, or beside it", retryable=True)

    def _calibration(self, task: Task) -> Calibration | None:
        return self._semantics.calibration if self._semantics and task.semantics else None


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


# --- in a worker ------------------------------------------------------------------------------------------


def prepare_worker() -> None:
    """Load what the text stages load when they are first used, so that no request waits for it."""
    flags.prepare()
    request = parse_score(_WARM_UP)
    for profile in Profile:
        job = prepare(request, Defaults(profile=profile))
        _attempts(job.task, [text for text in job.responses if text], None)


_WARM_UP = """{"answer": "Zoë", "rubric": {"entities": ["Zoë", "May 5, 2008", "1,000"]},
               "rollouts": [{"response": "It is not Zoë."}, {"response": "Zoe, 2008-05-05"}]}""".encode()


def _attempts(task: Task, texts: Sequence[Response], calibration: Calibration | None) -> list[Read]:
    """Verdicts leave the worker as the cache will keep them. Raises `InvalidInput`."""
    asking = read_asking(calibration) if calibration else None
    return [_done(attempt(task, text, asking=asking), asking) for text in texts]


def _done(attempted: Plan | CannotScore | None, asking: Asking | None) -> Read:
    """Plans leave as they are only where a model must be asked."""
    if isinstance(attempted, Plan):
        if attempted.open:
            return attempted
        return encode(
            settle(attempted, attempted.candidates, {}, asking.scorer) if asking else attempted.verdict
        )
    return attempted or CannotScore("internal", "no verdict was reached", retryable=True)


def _encoded(settled: Read | Verdict) -> Attempt:
    if isinstance(settled, Plan):
        return CannotScore("internal", "a plan was not settled", retryable=True)
    return encode(settled) if isinstance(settled, Verdict) else settled
