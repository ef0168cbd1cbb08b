"""How long does a group take that was scored before, and one that was not, with Redis well, dead and paused?

Each case has a server of its own, as `cairn serve` starts it, and they take turns. Redis is a Valkey at a
socket; the paused one takes connections and never answers. Service time is from the first byte of a request
to the answer, as the server's metrics have it: so it waits for the client, which sends a megabyte. What the
app itself takes, from the whole body to the whole reply, and its parts are measured in this process.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
import orjson
import typer
from measure import side_by_side, write
from rich.console import Console
from rich.progress import track
from rich.table import Table
from texts import lively, rubric_of, text_of, typographic

from rubric.entity import Rubric
from rubric.intake import parse_score
from rubric.job import Defaults, Profile, prepare
from rubric.reply import compose
from rubric.score import judge
from rubric.wire import DEFAULT_LIMITS, ScoreReply
from service.admission import Turn
from service.bootstrap import build_parts
from service.cache import decode, encode, verdict_keys
from service.settings import Settings
from service.store.envelope import Sealer
from service.store.opening import open_cache
from tests.service.serving import metric, running
from tests.service.store.server import binaries, free_port, serving


@dataclass(slots=True)
class Case:
    """A server, and what it took: milliseconds of service per group, a number a round."""

    name: str
    client: httpx.Client
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)


def main(
    rollouts: Annotated[int, typer.Option(help="Rollouts of a group.")] = 8,
    kb: Annotated[int, typer.Option(help="Length of a rollout, in 1,000 characters.")] = 122,
    entities: Annotated[int, typer.Option(help="Entities of the rubric.")] = 16,
    profile: Annotated[str, typer.Option(help="Matcher profile.")] = "strict",
    workers: Annotated[int, typer.Option(help="Worker processes of each server.")] = 2,
    rounds: Annotated[int, typer.Option(help="Rounds, after one to warm up.")] = 15,
) -> None:
    """Take turns, print tables, keep the results."""
    rubric = rubric_of(entities)
    texts = [typographic(lively(text_of(rubric, kb * 1000, seed=seed))) for seed in range(rollouts)]
    with ExitStack() as stack:
        cases, first = _started(stack, rubric, texts, {"workers": workers, "profile": profile})
        for turn in track(range(rounds + 1), "rounds", transient=True):
            for case in cases:
                cold = _taken(case.client, [_body(rubric, texts, f"{turn}")])
                warm = _taken(case.client, [_body(rubric, texts, f"{turn}")] * 5)
                case.cold.extend([cold] if turn else [])
                case.warm.extend([warm] if turn else [])
    body = _body(rubric, texts, "parts")
    parts = _parts(body, Profile(profile))
    results = {
        "rollouts": rollouts,
        "kb": kb,
        "entities": entities,
        "profile": profile,
        "service_ms": {each.name: {"cold": _spread(each.cold), "warm": _spread(each.warm)} for each in cases},
        "paused_first_requests_ms": first,
        "warm_from_body_to_reply_ms": asyncio.run(_in_the_app(body, Profile(profile))),
        "parts_of_a_warm_request_ms": parts,
    }
    _print(results)
    print("written:", write("cache", results))


def _started(
    stack: ExitStack, rubric: Rubric, texts: list[str], settings: dict[str, Any]
) -> tuple[list[Case], list[float]]:
    """A server for each case, and what the first requests took where Redis is paused."""
    well, paused = (stack.enter_context(serving(binaries()["valkey"])) for _ in range(2))
    options = {
        "no Redis": {},
        "Redis behind memory": {"redis_url": well.url, "redis_prefix": "behind"},
        "Redis alone": {"redis_url": well.url, "redis_prefix": "alone", "cache_bytes": 0},
        "Redis dead": {"redis_url": f"redis://127.0.0.1:{free_port()}"},
        "Redis paused": {"redis_url": paused.url},
    }
    cases = []
    for name, each in options.items():
        server = stack.enter_context(running(**settings, **each))
        cases.append(Case(name, stack.enter_context(server.client())))
        _taken(cases[-1].client, [_body(rubric, texts, f"well {at}") for at in range(3)])
    paused.pause()
    first = [_taken(cases[-1].client, [_body(rubric, texts, f"paused {at}")]) for at in range(8)]
    return cases, first


def _body(rubric: Rubric, texts: list[str], seed: str) -> bytes:
    """A group that no other seed gives."""
    named = [{"name": entity.name, "aliases": entity.aliases} for entity in rubric.entities]
    group = [{"response": f"{text}\n{seed}"} for text in texts]
    return orjson.dumps(
        {"question": "Which?", "answer": "Oman", "rubric": {"entities": named}, "rollouts": group}
    )


def _taken(client: httpx.Client, bodies: list[bytes]) -> float:
    """Milliseconds of service per body, one after the other."""
    before = metric(client, "cairn_request_seconds_sum", route="/score")
    for body in bodies:
        client.post("/score", content=body).raise_for_status()
    time.sleep(0.01)  # what is written to Redis afterwards belongs to nobody's request
    return (metric(client, "cairn_request_seconds_sum", route="/score") - before) / len(bodies) * 1e3


def _parts(body: bytes, profile: Profile) -> dict[str, float]:
    """Milliseconds of each step of a warm request, here."""
    defaults = Defaults(profile=profile)
    request = parse_score(body, limits=DEFAULT_LIMITS)
    job = prepare(request, defaults)
    keys = [key for key in verdict_keys(job.task, job.responses) if key]
    verdicts = [judge(job.task, response) for response in job.responses if response]
    values = [encode(each) for each in verdicts]
    reply = compose(job, verdicts, timings_ms={})
    sealer, size = Sealer(), len(job.task.rubric.entities)
    sealed = [sealer.seal(value, name=key) for key, value in zip(keys, values, strict=True)]
    steps = {
        "parse": lambda: parse_score(body, limits=DEFAULT_LIMITS),
        "prepare": lambda: prepare(request, defaults),
        "keys (SHA-256)": lambda: verdict_keys(job.task, job.responses),
        "open (Redis only)": lambda: [
            sealer.open(raw, name=key) for key, raw in zip(keys, sealed, strict=True)
        ],
        "decode": lambda: [decode(value, entities=size) for value in values],
        "compose": lambda: compose(job, verdicts, timings_ms={}),
        "write": lambda: ScoreReply.__pydantic_serializer__.to_json(reply),
    }
    print(f"a verdict: {len(values[0])} bytes of JSON, {len(sealed[0])} in its envelope")
    return side_by_side(steps) | asyncio.run(_asked(keys, values))


async def _in_the_app(body: bytes, profile: Profile) -> dict[str, float]:
    """Milliseconds from a body to its reply, for a group that was scored before."""
    parts = build_parts(Settings(profile=profile, workers=0))
    await parts.workers.start()
    times = []
    for _ in range(300):
        start = time.perf_counter()
        await parts.scoring.score(body, turn=Turn(asyncio.get_running_loop().time() + 60))
        times.append((time.perf_counter() - start) * 1e3)
    await parts.workers.close()
    return _spread(times[10:])


async def _asked(keys: list[str], values: list[bytes]) -> dict[str, float]:
    """Milliseconds of a lookup in memory, and of one in Redis."""
    taken = {}
    with serving(binaries()["valkey"]) as server:
        for name, url, most_bytes in (("look up (memory)", "", 1 << 24), ("look up (Redis)", server.url, 0)):
            cache = open_cache(url, most_bytes=most_bytes, on_trouble=print)
            await cache.put_many(list(zip(keys, values, strict=True)))
            times = []
            for _ in range(300):
                start = time.perf_counter()
                found = await cache.get_many(keys)
                times.append((time.perf_counter() - start) * 1e3)
            if found != values:
                raise RuntimeError("the cache does not give what it was given")
            taken[name] = statistics.median(times)
            await cache.close()
    return taken


def _spread(times: list[float]) -> dict[str, float]:
    return {"median": statistics.median(times), "lowest": min(times), "highest": max(times)}


def _print(results: dict[str, Any]) -> None:
    table = Table(title=f"{results['rollouts']} rollouts of {results['kb']} KB: service time, ms")
    for column in ("case", "cold", "lowest", "highest", "warm", "lowest", "highest"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for name, case in results["service_ms"].items():
        cells = [case[kind][each] for kind in ("cold", "warm") for each in ("median", "lowest", "highest")]
        table.add_row(name, *(f"{cell:.2f}" for cell in cells))
    Console().print(table)
    first = ", ".join(f"{each:.1f}" for each in results["paused_first_requests_ms"])
    print(f"the first requests after Redis was paused, ms: {first}")
    taken = results["warm_from_body_to_reply_ms"]
    print(f"warm, from the body to the reply: {taken['median']:.2f} ms (lowest {taken['lowest']:.2f}); of it")
    for name, taken in results["parts_of_a_warm_request_ms"].items():
        print(f"  {name:18} {taken:7.3f} ms")


if __name__ == "__main__":
    typer.run(main)
