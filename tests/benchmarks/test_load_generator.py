"""A load that waits for its server hides what the server does under load."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import numpy as np
import pytest
import uvloop
from load_figures import figures_of
from load_generator import REPLY, Mix, due_times, learned, paced
from load_lines import Broken, Lines
from load_mix import Held, held, nonce, templates, told

from rubric.intake import parse_score
from rubric.score import score_group


def test_arrivals_do_not_wait_for_those_before_them():
    started = []

    async def never_answered(number, _):
        started.append(number)
        if number == 2:
            all_started.set()
        await released.wait()

    async def run():
        load = asyncio.create_task(paced([0.0, 0.001, 0.002], never_answered, begin=time.monotonic()))
        await asyncio.wait_for(all_started.wait(), 10)
        released.set()
        await load

    all_started, released = asyncio.Event(), asyncio.Event()
    asyncio.run(run())
    assert started == [0, 1, 2]


def test_a_start_that_comes_late_is_counted_from_when_it_was_due():
    begin = time.monotonic() - 5.0
    told_of = []

    async def start(number, when):
        told_of.append((number, when))

    asyncio.run(paced([1.0, 2.0], start, begin=begin))
    assert told_of == [(0, begin + 1.0), (1, begin + 2.0)]
    replies = np.array([(begin + 1.0, begin + 5.0, begin + 5.5, 200, 0, True, False)], REPLY)
    figures = figures_of(replies, mix=templates(1), begin=begin, end=begin + 10)
    assert figures.accepted.p50_ms == pytest.approx(4500)
    assert figures.late_start_p99_ms == pytest.approx(4000)


def test_gaps_between_arrivals_are_those_of_a_poisson_process():
    times = due_times(200.0, seconds=100.0, seed=3)
    gaps = np.diff(times)
    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)
    assert (due_times(200.0, seconds=100.0, seed=3) == times).all()
    assert times[-1] < 100.0


def test_a_request_weaves_its_own_word_into_every_text_and_changes_no_reward():
    mix = templates(4, most_kb=20.0)
    for template in mix:
        bodies = [b"".join(template.body(nonce(number))) for number in (1, 2)]
        requests = [parse_score(body) for body in bodies]
        texts = [[each.response for each in request.rollouts] for request in requests]
        assert not set(texts[0]) & set(texts[1])
        assert {len(body) for body in bodies} == {template.length}
        assert score_group(requests[0]).rollouts[0].reward == score_group(requests[1]).rollouts[0].reward


def test_words_of_different_numbers_are_different():
    assert len({nonce(place * 10**9 + number) for place in range(13) for number in range(1000)}) == 13_000


def reply(*rollouts):
    names = ("reward", "outcome", "score", "failure")
    return tuple(told(_json(dict(zip(names, each, strict=True)))) for each in rollouts)


def _json(each):
    outcome = "null" if each["outcome"] is None else f'{{"value": {each["outcome"]}}}'
    rubric = "null" if each["score"] is None else f'{{"score": {each["score"]}}}'
    failure = "null" if each["failure"] is None else f'{{"type": "{each["failure"]}"}}'
    reward = "null" if each["reward"] is None else each["reward"]
    fields = f'"reward": {reward}, "outcome": {outcome}, "rubric": {rubric}, "failure": {failure}'
    return f'{{"rollouts": [{{{fields}}}]}}'.encode()


GOOD, OTHER = (0.94, 1.0, 0.8, None), (1.0, 1.0, 1.0, None)
FAILED = (None, None, None, "worker_lost")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((GOOD, OTHER), Held.RIGHT),
        ((GOOD, (0.94, 1.0, 1.0, None)), Held.WRONG),
        (((0.9400000000000001, 1.0, 0.8, None), OTHER), Held.WRONG),
        ((GOOD, FAILED), Held.FAILED),
        (((1.0, 1.0, 0.8, None), FAILED), Held.FAILED),  # divided by the best of those that are left
        (((1.0, 1.0, 0.81, None), FAILED), Held.WRONG),
        (((0.94, 0.0, 0.8, None), FAILED), Held.WRONG),
        ((FAILED, FAILED), Held.FAILED),
    ],
)
def test_another_number_is_never_taken_for_a_failure(found, expected):
    flat = [tuple(one[0] for one in reply(*each)) for each in (found, (GOOD, OTHER))]
    assert held(flat[0], to=flat[1]) is expected


class Server:
    """Speaks HTTP by hand: it answers as it is told, with or without reading what is sent."""

    def __init__(self, answer, *, reads=True):
        self.answer = answer
        self.reads = reads

    async def __aenter__(self):
        self._tasks = []
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return Lines("127.0.0.1", self._server.sockets[0].getsockname()[1], most=2, timeout_s=0.3)

    async def __aexit__(self, *_):
        self._server.close()
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader, writer):
        self._tasks.append(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if self.reads:
                length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length))
            writer.write(self.answer)
            if self.answer:
                await reader.read()  # until the other side has gone
        writer.transport.abort()


REFUSED = b"HTTP/1.1 429 Full\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("server", "status", "early"),
    [
        (Server(REFUSED), 429, False),
        (Server(REFUSED, reads=False), 429, True),
        (Server(b""), Broken.CUT, False),
        (Server(b"HTTP/1.1 200 OK\r\n"), Broken.LATE, False),
        (Server(b"nonsense\r\n\r\n"), Broken.CUT, False),
    ],
)
def test_every_request_has_an_end(server, status, early):
    async def ask():
        async with server as lines:
            answer = await lines.ask([b"x" * 20_000_000])
            lines.close()
            return answer

    found = uvloop.run(ask())
    assert (found.status, found.early) == (status, early)


def test_nobody_listens():
    async def ask():
        async with Server(b"") as lines:
            pass
        return await lines.ask([b"{}"])

    assert uvloop.run(ask()).status == Broken.UNREACHABLE


def test_what_is_not_scored_is_nothing_to_hold_others_to():
    async def learn():
        async with Server(REFUSED) as lines:
            await learned(lines, Mix(1, most_kb=2.0).templates())

    with pytest.raises(RuntimeError, match="429"):
        uvloop.run(learn())
