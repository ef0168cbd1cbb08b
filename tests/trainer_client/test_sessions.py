"""A connection that was broken off is not lent again, whatever its library makes of it."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from tests.trainer_client.double import Double, fine, group, refuses, silent, slow
from trainer_client import AsyncRewardClient, Settings
from trainer_client.protocol import Broken
from trainer_client.sessions import Session


async def test_a_connection_that_never_comes_free_costs_one_attempt_and_no_other():
    async with Double(fine) as double:
        session = Session(Settings(url=double.url))
        taken = session._connection()
        content = b'{"rollouts": []}'
        await taken.handle_async_request(  # its answer is never read, so that it never comes free
            httpx.Request("POST", double.url, content=content)
        )
        session._idle.append(taken)
        with pytest.raises(Broken):
            await session.post("/score", content=content, headers={}, budget_s=0.2)
        for _ in range(3):
            answer = await session.post("/score", content=content, headers={}, budget_s=5.0)
            assert answer.status == 200
        assert double.connections == 2  # the one that was given up, and one for all others
        await session.close()


async def test_calls_are_answered_again_after_whatever_an_outage_did_to_their_connections():
    """Time-outs that meet answers on their way are where a connection may be lost to its library."""
    troubles = [slow(0.19), slow(0.2), silent, refuses(503, "draining"), slow(0.21), slow(5)]
    async with Double(fine) as double:
        settings = Settings(
            url=double.url, timeout_s=0.5, attempt_timeout_s=0.2, concurrency=24, failed_share=1
        )
        async with AsyncRewardClient(settings) as client:
            for trouble in troubles:
                double.behavior = trouble
                await asyncio.gather(*(client.score(group(0.5)) for _ in range(200)))
                await double.hang_up()
                double.behavior = fine
                assert await _answered_again(client), trouble


async def _answered_again(client: AsyncRewardClient) -> bool:
    """Within some seconds, all of many calls in a row."""
    for _ in range(40):
        scored = await asyncio.gather(*(client.score(group(0.5)) for _ in range(24)))
        found = Counter(each.rewards for each in scored)
        if found == {(0.5,): 24}:
            return True
    return False
