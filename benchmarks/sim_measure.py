"""What the simulation cannot read in other results: what a burst costs each part, on this machine.

A real service of two workers, asked by the real client in this process, all groups at once: seconds, and CPU
seconds of the client, of the server's own process and of its workers. What a real Valkey holds and moves for
it. How long a pod takes to start, and what memory it has then.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Any

import redis
from bench_memory import _look
from texts import rubric_of, text_of

from tests.service.serving import Running, running
from tests.service.store.server import binaries, serving
from trainer_client import AsyncRewardClient, Settings

WORKERS = 2
GROUPS, GROUP = 64, 8
ROUNDS = 8
SIZES_KB = (8, 32, 122)
ENTITIES = 16


def measured() -> dict[str, Any]:
    """Everything, as it is kept beside the results of the simulation."""
    return {
        "workers": WORKERS,
        "groups": GROUPS,
        "rollouts_per_group": GROUP,
        "bursts": [_bursts(kb) for kb in SIZES_KB],
        "redis": [_shared(kb) for kb in SIZES_KB],
        "pods": [_pod(workers) for workers in (1, 2, 4)] + [_pod(2, **_BUILTIN)],
    }


# --- a burst ----------------------------------------------------------------------------------------------


def _bursts(kb: int) -> dict[str, Any]:
    """Of several bursts: seconds, and CPU in the one that took least of it, for the machines are shared."""
    texts, taken, used = _texts(kb), [], []
    with running(workers=WORKERS, cache_bytes=0) as server:
        asyncio.run(_asked(server.url, _bodies(texts, "warm")))
        for turn in range(ROUNDS):
            bodies = _bodies(texts, f"{turn}")
            before = _cpu(server)
            taken.append(asyncio.run(_asked(server.url, bodies)))
            used.append({name: each - before[name] for name, each in _cpu(server).items()})
    fastest = taken.index(min(taken))
    least = min(used, key=lambda each: sum(map(each.__getitem__, _PARTS)))
    others = used[fastest]["all"] - sum(map(used[fastest].__getitem__, _PARTS))
    return {
        "kb": kb,
        "seconds": {"fastest": min(taken), "median": statistics.median(taken)},
        "cpu_ms_per_rollout": {name: least[name] / (GROUPS * GROUP) * 1e3 for name in _PARTS},
        "cores_left": len(os.sched_getaffinity(0)) - others / min(taken),
    }


def _texts(kb: int) -> list[str]:
    return [text_of(rubric_of(ENTITIES), kb * 1000, seed=seed) for seed in range(GROUP)]


def _bodies(texts: list[str], run: str, *, groups: int = GROUPS) -> list[dict[str, Any]]:
    """Groups of texts that no other run and no other group has."""
    names = [{"name": each.name, "aliases": list(each.aliases)} for each in rubric_of(ENTITIES).entities]
    return [
        {
            "question": "Which?",
            "answer": {"value": "Oman"},
            "rubric": {"entities": names},
            "rollouts": [{"response": f"{run}, {group}: {text}"} for text in texts],
        }
        for group in range(groups)
    ]


async def _asked(url: str, bodies: list[dict[str, Any]]) -> float:
    """Seconds from the first call to the last reply."""
    async with AsyncRewardClient(Settings(url=url)) as client:
        start = time.perf_counter()
        found = await asyncio.gather(*(client.score(body) for body in bodies))
        taken = time.perf_counter() - start
    if any(reward is None for scored in found for reward in scored.rewards):
        raise SystemExit("some rollouts were not scored")
    return taken


_PARTS = ("client", "front", "workers")


def _cpu(server: Running) -> dict[str, float]:
    """CPU seconds of each part, and of everything on the machine."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return {
        "all": (user + nice + system) / os.sysconf("SC_CLK_TCK"),
        "client": time.process_time(),
        "front": _cpu_of(server.process.pid),
        "workers": sum(map(_cpu_of, server.workers())),
    }


def _cpu_of(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- what Redis has of it ---------------------------------------------------------------------------------


def _shared(kb: int) -> dict[str, Any]:
    """Per rollout: bytes of a verdict in Valkey; bytes and commands that cold and warm groups move."""
    texts = _texts(kb)
    with serving(binaries()["valkey"]) as valkey:
        line = redis.Redis.from_url(valkey.tcp)
        with running(workers=WORKERS, cache_bytes=0, redis_url=valkey.tcp, redis_budget_ms=1000) as server:
            asyncio.run(_asked(server.url, _bodies(texts, "warm", groups=1)))
            idle, start = _seen(line), time.perf_counter()
            time.sleep(1.0)
            empty = _seen(line)
            resting = (empty["cpu"] - idle["cpu"]) / (time.perf_counter() - start)
            bodies = _bodies(texts, "once", groups=4 * GROUPS)
            start = time.perf_counter()
            asyncio.run(_asked(server.url, bodies))
            time.sleep(1.0)  # what is written after the reply
            cold = _seen(line, less=resting * (time.perf_counter() - start))
            asyncio.run(_asked(server.url, bodies))
            warm = _seen(line, less=resting * (time.perf_counter() - start))
        sizes = [line.memory_usage(key) for key in line.scan_iter(count=1000)]
        line.close()
    keys = cold["keys"] - empty["keys"]
    return {
        "kb": kb,
        "keys_per_rollout": keys / (4 * GROUPS * GROUP),
        "bytes_per_verdict": {
            "memory usage, median": statistics.median(size for size in sizes if size),
            "growth of used_memory": (cold["used_memory"] - empty["used_memory"]) / keys,
        },
        "per_rollout": {"cold": _moved(empty, cold), "warm": _moved(cold, warm)},
    }


_COUNTERS = ("total_net_input_bytes", "total_net_output_bytes", "total_commands_processed", "used_memory")


def _seen(line: Any, *, less: float = 0.0) -> dict[str, Any]:
    """What Valkey counts; of its CPU seconds less those that it takes for doing nothing."""
    found = line.info("everything")
    cpu = found["used_cpu_user"] + found["used_cpu_sys"] - less
    return {name: found[name] for name in _COUNTERS} | {"keys": line.dbsize(), "cpu": cpu}


def _moved(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    per = {name: (after[name] - before[name]) / (4 * GROUPS * GROUP) for name in before}
    return {
        "bytes_in": per["total_net_input_bytes"],
        "bytes_out": per["total_net_output_bytes"],
        "commands": per["total_commands_processed"],
        "server_cpu_ms": per["cpu"] * 1e3,
    }


# --- a pod ------------------------------------------------------------------------------------------------

_BUILTIN = {"profile": "balanced", "embedding_model": "builtin"}


def _pod(workers: int, **settings: Any) -> dict[str, Any]:
    """Seconds until it serves, and MB after a burst of the longest texts, shared pages once."""
    start = time.perf_counter()
    with running(workers=workers, **settings) as server:
        started = time.perf_counter() - start
        asyncio.run(_asked(server.url, _bodies(_texts(SIZES_KB[-1]), "pod", groups=16)))
        seen = _look(server, 16 * GROUP)
    return {"workers": workers, **settings, "start_s": started, "memory_mb": seen["all_pss_mb"]}
