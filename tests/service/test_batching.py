"""Whoever waits gets an answer, whatever the device does; and nobody's answer depends on the company."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import numpy as np
import pytest

from rubric.embedder import HashEmbedder
from service.batching import Batcher
from service.embedding.hashed import Hashed
from service.errors import Refused


class Device(Hashed):
    """A device that notes what it was given."""

    def __init__(self):
        super().__init__()
        self.steps = []
        self.closed = False

    def encode(self, inputs):
        self.steps.append([one.decode() for one in inputs])
        return super().encode(inputs)

    def close(self):
        self.closed = True


class Held(Device):
    """A device that computes when it is told to."""

    def __init__(self):
        super().__init__()
        self.began, self.go_on = threading.Event(), threading.Event()

    def encode(self, inputs):
        self.began.set()
        self.go_on.wait(10)
        return super().encode(inputs)


class Narrow(Device):
    """A device with memory for so many texts, or for none of a text that is too long."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def encode(self, inputs):
        if len(inputs) > self.most or any(len(one) > 100 for one in inputs):
            raise MemoryError
        return super().encode(inputs)


class Clouded(Device):
    """A device that gives no number for a text with a cloud in it."""

    def encode(self, inputs):
        vectors = super().encode(inputs)
        vectors[["cloud" in one.decode() for one in inputs], 3] = np.nan
        return vectors


class Broken(Device):
    """A device that fails until it is mended."""

    broken = True

    def encode(self, inputs):
        if self.broken:
            raise RuntimeError("the text was: Zanzibar")
        return super().encode(inputs)


class Miscounting(Device):
    """A device that loses a text."""

    def encode(self, inputs):
        return super().encode(inputs)[1:]


@asynccontextmanager
async def batching(device, **options):
    batcher = Batcher(device, **options)
    try:
        yield batcher
    finally:
        await batcher.close()


async def begun(device):
    await asyncio.to_thread(device.began.wait, 10)


def texts_of(request, count=20):
    return [f"request {request} text {number}" for number in range(count)]


async def test_everyone_gets_the_vectors_of_their_own_texts():
    async with batching(Hashed(), step_tokens=50) as batcher:
        requests = [[*texts_of(request), "shared", "", *texts_of(request)] for request in range(20)]
        found = await asyncio.gather(*map(batcher.embed, requests))
    for request, embedded in zip(requests, found, strict=True):
        assert not embedded.failures
        assert embedded.vectors.tobytes() == HashEmbedder().embed(request).tobytes()


async def test_no_text_is_computed_twice_however_many_wait_for_it():
    device = Device()
    async with batching(device) as batcher:
        await asyncio.gather(*(batcher.embed(["Lima", "Oslo", "Lima"]) for _ in range(10)))
        await batcher.embed(["Oslo", "Rome"])
    assert sorted(text for step in device.steps for text in step) == ["Lima", "Oslo", "Rome"]


async def test_what_is_remembered_stays_within_its_bytes():
    device = Device()
    async with batching(device, remembered_bytes=10 * 700) as batcher:
        await batcher.embed(texts_of(1))
        await batcher.embed(texts_of(1))
    assert 10 <= len([text for step in device.steps[1:] for text in step]) <= 20


async def test_what_arrives_while_the_device_works_goes_into_one_step():
    device = Held()
    async with batching(device) as batcher:
        first = asyncio.create_task(batcher.embed(["first"]))
        await begun(device)
        others = [asyncio.create_task(batcher.embed([f"other {number}"])) for number in range(5)]
        await asyncio.sleep(0)
        device.go_on.set()
        await asyncio.gather(first, *others)
    assert [len(step) for step in device.steps] == [1, 5]


async def test_a_large_request_does_not_hold_up_a_small_one():
    device = Held()
    async with batching(device, step_tokens=100) as batcher:
        large = asyncio.create_task(batcher.embed(texts_of("large", 400)))
        await begun(device)
        small = asyncio.create_task(batcher.embed(["small"]))
        await asyncio.sleep(0)
        device.go_on.set()
        await small
        assert not large.done()
        await large


async def test_what_is_cancelled_never_reaches_the_device():
    device = Held()
    async with batching(device) as batcher:
        first = asyncio.create_task(batcher.embed(["first"]))
        await begun(device)
        given_up = asyncio.create_task(batcher.embed(["given up", "wanted by another"]))
        another = asyncio.create_task(batcher.embed(["wanted by another"]))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        device.go_on.set()
        await asyncio.gather(first, another)
    assert device.steps == [["first"], ["wanted by another"]]


async def test_what_has_timed_out_never_reaches_the_device():
    device = Held()
    async with batching(device) as batcher:
        first = asyncio.create_task(batcher.embed(["first"]))
        await begun(device)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await batcher.embed(["late"])
        assert batcher.waiting_tokens == 0
        device.go_on.set()
        await first
    assert device.steps == [["first"]]


async def test_a_caller_that_gives_up_in_mid_step_takes_nobody_along():
    device = Held()
    async with batching(device) as batcher:
        given_up = asyncio.create_task(batcher.embed(["same"]))
        await begun(device)
        another = asyncio.create_task(batcher.embed(["same"]))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        device.go_on.set()
        assert not (await another).failures
    assert device.steps == [["same"]]


async def test_a_full_queue_refuses_and_serves_again_when_it_is_empty():
    device = Held()
    async with batching(device, queue_tokens=39) as batcher:
        first = asyncio.create_task(batcher.embed(["first"]))
        await begun(device)
        waiting = asyncio.create_task(batcher.embed(["a" * 80]))
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await batcher.embed(["b" * 80])
        assert refused.value.kind == "queue_full"
        device.go_on.set()
        await asyncio.gather(first, waiting)
        assert not (await batcher.embed(["b" * 80])).failures


async def test_a_lack_of_memory_halves_the_batch_and_loses_no_text():
    device = Narrow(most=7)
    seen = []
    async with batching(device, watch=seen.append) as batcher:
        embedded = await batcher.embed(texts_of(1, 100))
    assert not embedded.failures
    assert embedded.vectors.tobytes() == HashEmbedder().embed(texts_of(1, 100)).tobytes()
    assert seen[0].halved > 0


async def test_steps_stay_small_after_a_lack_of_memory_and_grow_again():
    device = Narrow(most=8)
    seen = []
    async with batching(device, step_tokens=1000, watch=seen.append) as batcher:
        await batcher.embed(texts_of(1, 64))
        device.most = 1000
        for request in range(2, 60):
            await batcher.embed(texts_of(request, 64))
    assert seen[1].texts < 10
    assert seen[-1].texts == 64


async def test_a_text_that_no_memory_is_enough_for_fails_by_itself():
    async with batching(Narrow(most=8)) as batcher:
        embedded = await batcher.embed(["Lima", "long " * 40, "Oslo"])
    assert list(embedded.failures) == [1]
    assert np.isfinite(embedded.vectors[[0, 2]]).all()


async def test_a_text_without_a_number_fails_by_itself_and_is_asked_for_again():
    device = Clouded()
    async with batching(device) as batcher:
        clear, clouded = await asyncio.gather(batcher.embed(["sun"]), batcher.embed(["moon", "cloud"]))
        assert not clear.failures
        assert list(clouded.failures) == [1]
        assert clouded.failures[1].kind == "embedding_failed"
        assert np.isnan(clouded.vectors[1]).all()
        assert np.isfinite(clouded.vectors[0]).all()
        await batcher.embed(["moon", "cloud"])
    assert device.steps[-1] == ["cloud"]


@pytest.mark.parametrize("kind", [Broken, Miscounting])
async def test_a_batch_that_fails_is_told_to_everybody_in_it_without_their_texts(kind):
    async with batching(kind()) as batcher:
        found = await asyncio.gather(*(batcher.embed(texts_of(request)) for request in range(5)))
    for embedded in found:
        assert len(embedded.failures) == 20
        assert np.isnan(embedded.vectors).all()
        assert all(each.retryable and "Zanzibar" not in str(each) for each in embedded.failures.values())


async def test_a_device_that_recovers_serves_again():
    device = Broken()
    async with batching(device) as batcher:
        assert (await batcher.embed(["Lima"])).failures
        device.broken = False
        assert not (await batcher.embed(["Lima"])).failures


async def test_a_vector_decided_alone_is_not_the_remembered_one_of_the_batch():
    class TwoFaced(Device):
        def encode_alone(self, one):
            return -super().encode([one])[0]

    async with batching(TwoFaced()) as batcher:
        together, alone = await asyncio.gather(
            batcher.embed(["Lima", "Oslo"]), batcher.embed(["Lima", "Oslo"], alone=True)
        )
        np.testing.assert_array_equal(alone.vectors, -together.vectors)
        np.testing.assert_array_equal((await batcher.embed(["Lima"])).vectors, together.vectors[:1])


async def test_a_stop_answers_whoever_waits_and_lets_the_device_finish():
    device = Held()
    batcher = Batcher(device)
    working = asyncio.create_task(batcher.embed(["first"]))
    await begun(device)
    waiting = asyncio.create_task(batcher.embed(["second"]))
    await asyncio.sleep(0)
    closing = asyncio.create_task(batcher.close())
    for each in (working, waiting):
        with pytest.raises(Refused) as refused:
            await each
        assert refused.value.kind == "draining"
    assert not device.closed
    device.go_on.set()
    await closing
    assert device.closed
    assert device.steps == [["first"]]
    with pytest.raises(Refused):
        await batcher.embed(["third"])


async def test_nothing_to_embed_is_no_work():
    device = Device()
    async with batching(device) as batcher:
        assert (await batcher.embed([])).vectors.shape == (0, 64)
    assert device.steps == []
