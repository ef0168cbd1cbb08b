"""A worker that dies costs nobody a reward but the text that kills; work nobody waits for is not done."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from rubric.entity import Verdict
from rubric.intake import parse_score
from rubric.job import Defaults, prepare
from service.cache import NoCache, verdict_keys
from service.matching import Matching, prepare_worker
from service.metrics import Metrics
from service.workers import WorkerLost
from tests.service.bodies import FIVE, FOUR, group

POISON = FOUR + " Ratsbane."


class Mortal:
    """Workers that die of a word, so often as they are told, and work when they are free."""

    count = 2
    busy = 0

    def __init__(self, *, deaths):
        self.deaths = deaths
        self.free = asyncio.Event()
        self.read = []

    async def start(self):
        prepare_worker()

    async def run(self, function, *args):
        await self.free.wait()
        _, texts, *_ = args
        self.read.append([text.text for text in texts])
        if self.deaths and any("Ratsbane" in text.text for text in texts):
            self.deaths -= 1
            raise WorkerLost("of a word")
        return function(*args)

    async def close(self):
        pass


def job_of(*responses):
    return prepare(parse_score(orjson.dumps(group(*responses))), Defaults())


async def verdicts(workers, *responses, seconds=30.0):
    job = job_of(*responses)
    matching = Matching(cache=NoCache(), workers=workers, semantics=None, metrics=Metrics())
    keys = verdict_keys(job.task, job.responses)
    async with asyncio.timeout(seconds):
        return await matching.verdicts(job, keys=keys, known={}, timings={})


@pytest.fixture
def mortal():
    def make(*, deaths):
        workers = Mortal(deaths=deaths)
        workers.free.set()
        return workers

    return make


async def test_what_was_lost_with_a_worker_is_scored_again_and_the_same(mortal):
    unharmed = await verdicts(mortal(deaths=0), FIVE, POISON, FOUR)
    workers = mortal(deaths=1)
    assert await verdicts(workers, FIVE, POISON, FOUR) == unharmed
    assert workers.read[1:] == [[FIVE], [POISON], [FOUR]]


async def test_a_text_that_kills_twice_is_failed_and_no_other_is(mortal):
    unharmed = await verdicts(mortal(deaths=0), FIVE, POISON, FOUR)
    workers = mortal(deaths=99)
    first, failed, last = await verdicts(workers, FIVE, POISON, FOUR)
    assert [first, last] == [unharmed[0], unharmed[2]]
    assert not isinstance(failed, Verdict)
    assert (failed.kind, failed.retryable) == ("worker_lost", True)
    assert sum(POISON in texts for texts in workers.read) == 2


async def test_what_waits_for_a_worker_when_its_time_is_over_is_never_read():
    workers = Mortal(deaths=0)
    with pytest.raises(TimeoutError):
        await verdicts(workers, FIVE, FOUR, seconds=0.05)
    workers.free.set()
    await asyncio.sleep(0.05)
    assert workers.read == []
