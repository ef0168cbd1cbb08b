"""A wrong, truncated or foreign value under one of our keys is a miss: counted, and overwritten."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import redis

from service.store.envelope import Sealer
from tests.faults.world import BODIES
from tests.service.serving import wait_until

SEALER = Sealer()
NAN = b"\x00\x00\xc0\x7f"
HEAD_BYTES, NAME_BYTES = 8, 16


def flipped(at):
    """One bit, at a share of the value's length."""

    def spoil(values):
        return {
            name: raw[: (place := int(at * (len(raw) - 1)))] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            for name, raw in values.items()
        }

    return spoil


def turned(values):
    """Everybody has the value of the next."""
    names = list(values)
    return {name: values[after] for name, after in zip(names, [*names[1:], names[0]], strict=True)}


def each(change):
    return lambda values: {name: change(raw) for name, raw in values.items()}


def sealed(payload):
    """A good envelope with something else in it, as another program with our names would write it."""
    return lambda values: {name: SEALER.seal(payload, name=name.decode()) for name in values}


def rows(change):
    """The vectors of names, in a good envelope under the right names; other values stay."""

    def spoil(values):
        return {
            name: SEALER.seal(change(SEALER.open(raw, name=name.decode())), name=name.decode())
            for name, raw in values.items()
            if b":vectors:" in name
        }

    return spoil


def without_numbers(raw):
    start = HEAD_BYTES + NAME_BYTES * int.from_bytes(raw[:4], "little")
    return raw[:start] + NAN * ((len(raw) - start) // 4)


def narrow(raw):
    """A number per name."""
    start = HEAD_BYTES + NAME_BYTES * int.from_bytes(raw[:4], "little")
    return raw[:4] + b"\x01\x00\x00\x00" + raw[HEAD_BYTES : start + 4 * int.from_bytes(raw[:4], "little")]


SPOILS = {
    **{f"a wrong bit at {at:.0%}": flipped(at) for at in (0, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1)},
    "of another key": turned,
    "cut in half": each(lambda raw: raw[: len(raw) // 2]),
    "without its last byte": each(lambda raw: raw[:-1]),
    "one byte longer": each(lambda raw: raw + b"\x00"),
    "twice": each(lambda raw: raw * 2),
    "a number": each(lambda _: b"0.94"),
    "JSON": each(lambda _: b'{"reward": 1.0}'),
    "only magic": each(lambda raw: raw[:5]),
}
SEALED = {
    "nothing": sealed(b""),
    "JSON": sealed(b'{"reward": 1.0}'),
    "a verdict over nothing": sealed(b'2{"criteria":[],"outcome":null,"flags":[],"chunk_ids":null}'),
    "a yes": sealed(b"1.0"),
    "vectors without numbers": rows(without_numbers),
    "vectors of another width": rows(narrow),
}


@contextmanager
def plain(world):
    """A client past the proxy."""
    client = redis.Redis(port=world.redis.port)
    try:
        yield client
    finally:
        client.close()


def stored(client):
    names = sorted(client.keys())
    return dict(zip(names, client.mget(names), strict=True)) if names else {}


def kept(world):
    for reply, body in zip(world.scored(), BODIES, strict=True):
        assert world.law.kept(reply, body) == set()


def test_a_spoiled_value_under_every_key_moves_no_reward_and_is_overwritten(world):
    world.warm()
    with plain(world) as client:
        good = stored(client)
        assert {name.split(b":")[2] for name in good} >= {b"verdict", b"vectors"}
        for how, spoil in SPOILS.items():
            bad = spoil(good)
            client.mset(bad)
            before = world.trouble()
            kept(world)
            after = world.trouble()
            in_time = after["late"] == before["late"]  # a read that is late opens no value
            assert after["foreign"] - before["foreign"] >= len(good) * in_time, how
            wait_until(lambda bad=bad: not stored(client).items() & bad.items())
            foreign = world.trouble()["foreign"]
            kept(world)
            assert world.trouble()["foreign"] == foreign, how


@pytest.mark.parametrize("how", SEALED)
def test_a_good_envelope_around_something_else_moves_no_reward(world, how):
    world.warm()
    with plain(world) as client:
        good = stored(client)
        client.mset(SEALED[how](good))
        client.delete(*(name for name in good if b":verdict:" in name and how.startswith("vectors")), b"-")
        kept(world)


@pytest.mark.parametrize("kind", ["list", "hash", "set"])
def test_something_that_is_no_string_under_every_key_moves_no_reward(world, kind):
    world.warm()
    words = {"list": ("RPUSH", b"x"), "hash": ("HSET", b"x", b"y"), "set": ("SADD", b"x")}[kind]
    with plain(world) as client:
        good = stored(client)
        for name in good:
            client.delete(name)
            client.execute_command(words[0], name, *words[1:])
        kept(world)
        wait_until(lambda: all(client.type(name) == b"string" for name in good))
        kept(world)
