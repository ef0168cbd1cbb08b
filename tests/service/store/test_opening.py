"""The settings' words become a cache, and a Redis that is away is no reason not to start."""

from __future__ import annotations

import asyncio
import sys

import pytest

from service.cache import MemoryCache, NoCache
from service.store.address import CannotOpen
from service.store.opening import open_cache
from service.store.trouble import Trouble
from service.store.vectors import pack, unpack, vectors_key
from tests.service.store.server import free_port
from tests.service.store.test_vectors import ROWS, TEXTS, same


def opened(url, told=None, **options):
    notes = [] if told is None else told
    return open_cache(url, **{"most_bytes": 1 << 20, "on_trouble": notes.append, **options})


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_url_memory_serves(url):
    assert isinstance(opened(url), MemoryCache)
    assert isinstance(opened(url, most_bytes=0), NoCache)


def test_an_address_that_cannot_be_read_stops_the_start():
    with pytest.raises(CannotOpen):
        opened("http://cache")


def test_an_installation_without_the_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CannotOpen, match=r"cairn-rm\[redis\]"):
        opened("redis://cache")


@pytest.mark.parametrize(
    "url",
    ["redis://{}", "rediss://{}", "redis+cluster://{}", "rediss+cluster://{}", "redis+sentinel://{}/m"],
)
def test_a_server_that_is_away_is_trouble_only_once_it_is_asked(url):
    told = []
    cache = opened(url.format(f"127.0.0.1:{free_port()}"), told, budget_s=2.0)  # no loop runs yet

    async def use():
        assert told == []
        await cache.put_many([("a", b"x")])
        assert await cache.get_many(["a", "b"]) == [b"x", None]
        await cache.close()

    asyncio.run(use())
    assert told[0] is Trouble.UNREACHABLE


async def test_what_one_process_wrote_another_reads_and_then_remembers(server):
    told = []
    one, other = opened(server.url, told), opened(server.url, told)
    await one.put_many([("a", b"x")])
    await one.close()
    assert await other.get_many(["a"]) == [b"x"]
    server.kill()
    assert await other.get_many(["a"]) == [b"x"]
    await other.close()
    assert told == []


async def test_without_memory_every_question_goes_to_the_server(server):
    cache = opened(server.url, most_bytes=0, prefix="p")
    await cache.put_many([("a", b"x")])
    await cache.close()
    server.say("DEL", "p:1:a")
    cache = opened(server.url, most_bytes=0, prefix="p")
    assert await cache.get_many(["a"]) == [None]
    await cache.close()


async def test_a_password_of_its_own_opens(server):
    server.say("CONFIG", "SET", "requirepass", "word")
    told = []
    for attempt in ("word", "other"):
        cache = opened(server.tcp.replace("//", "//:old@"), told, most_bytes=0, password=attempt)
        await cache.get_many(["a"])
        await cache.close()
    assert told == [Trouble.REFUSED]


async def test_vectors_of_a_rubric_are_shared_bit_for_bit(server):
    one, other = opened(server.url), opened(server.url)
    key = vectors_key("d1", identity="model:1")
    await one.put_many([(key, pack(ROWS))])
    await one.close()
    (raw,) = await other.get_many([key])
    assert raw is not None
    assert same(unpack(raw, TEXTS), ROWS)
    await other.close()
