"""A worker takes nothing along but its own work, and whoever waits gets a result or an exception."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.errors import Fault, InvalidRubric
from service.workers import InThread, Processes, WorkerFault, WorkerLost, cut


def prepare():
    pass


def double(number):
    return 2 * number


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def nap(seconds):
    time.sleep(seconds)


def refuse():
    raise InvalidRubric((Fault("$.rubric", "no"),))


def blunder(text):
    raise ValueError(text)


@asynccontextmanager
async def processes(count, *, longest_s=60.0):
    workers = Processes(count, prepare=prepare, longest_s=longest_s)
    await workers.start()
    try:
        yield workers
    finally:
        await workers.close()


async def test_every_piece_of_work_gets_its_own_result():
    async with processes(2) as workers:
        assert await asyncio.gather(*(workers.run(double, each) for each in range(50))) == list(
            range(0, 100, 2)
        )


async def test_a_message_larger_than_any_buffer_arrives():
    async with processes(1) as workers:
        assert len(await workers.run(double, "x" * 5_000_000)) == 10_000_000


async def test_a_worker_that_dies_takes_only_its_own_work_along():
    async with processes(2) as workers:
        work = [workers.run(die), *(workers.run(double, each) for each in range(20)), workers.run(die)]
        first, *others, last = await asyncio.gather(*work, return_exceptions=True)
        assert isinstance(first, WorkerLost)
        assert isinstance(last, WorkerLost)
        assert others == list(range(0, 40, 2))
        assert await workers.run(double, 4) == 8


async def test_a_worker_that_never_ends_its_piece_is_replaced():
    async with processes(1, longest_s=0.5) as workers:
        with pytest.raises(WorkerLost):
            await workers.run(nap, 3600)
        assert await workers.run(double, 4) == 8


async def test_what_is_wrong_with_the_input_comes_back_as_it_was_raised():
    async with processes(1) as workers:
        with pytest.raises(InvalidRubric) as caught:
            await workers.run(refuse)
        assert caught.value.faults == (Fault("$.rubric", "no"),)


async def test_an_unforeseen_error_does_not_carry_a_text():
    async with processes(1) as workers:
        with pytest.raises(WorkerFault, match="ValueError at tests") as caught:
            await workers.run(blunder, "Zanzibar")
        assert "Zanzibar" not in str(caught.value)
        assert await workers.run(double, 4) == 8


async def test_a_caller_that_gives_up_does_not_mix_up_the_answers_of_others():
    async with processes(1) as workers:
        given_up = asyncio.create_task(workers.run(double, 1))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await workers.run(double, 21) == 42


async def test_work_that_waits_can_be_dropped():
    async with processes(1) as workers:
        busy = asyncio.create_task(workers.run(nap, 0.2))
        waiting = [asyncio.create_task(workers.run(die)) for _ in range(3)]
        await asyncio.sleep(0)
        for each in waiting:
            each.cancel()
        await busy
        assert await workers.run(double, 1) == 2


async def test_a_thread_does_the_same_work():
    workers = InThread(prepare=prepare)
    await workers.start()
    assert await workers.run(double, 4) == 8
    with pytest.raises(InvalidRubric):
        await workers.run(refuse)
    await workers.close()


@given(st.lists(st.integers(1, 600_000), max_size=40), st.integers(1, 16))
def test_no_text_is_lost_or_doubled_when_work_is_cut(sizes, workers):
    pieces = cut(sizes, workers=workers)
    assert [index for piece in pieces for index in piece] == list(range(len(sizes)))
    assert all(pieces)


def test_long_texts_use_every_worker_and_short_ones_go_together():
    assert [len(piece) for piece in cut([122_000] * 8, workers=4)] == [2, 2, 2, 2]
    assert [len(piece) for piece in cut([500] * 64, workers=4)] == [64]


def test_a_huge_group_leaves_gaps_for_others():
    pieces = cut([122_000] * 128, workers=2)
    assert max(map(len, pieces)) <= 5
