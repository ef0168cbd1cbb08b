"""What a trainer's other processes do with a client: `python -m tests.trainer_client.elsewhere WHAT URL`.

A process of its own, since pytest has threads and a fork of them is what this must not depend on. Prints the
rewards of every process, one JSON line each.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

from tests.trainer_client.double import group
from trainer_client import AsyncRewardClient, RewardClient, Settings


def rewards(client, start):
    """From whatever kind of client, in whatever process."""
    groups = [group((start + at) / 1000) for at in range(20)]
    if isinstance(client, RewardClient):
        found = client.score_many(groups)
    else:
        found = asyncio.run(client.score_many(groups))
    return [each.rewards[0] for each in found]


def say(client, start):
    tell(rewards(client, start))


def tell(found):
    """In one piece, since several processes write to the same pipe."""
    os.write(1, f"{json.dumps(found)}\n".encode())


def in_processes(method, client):
    """Uses the client here first, so that there is something open to be broken."""
    say(client, 0)
    context = multiprocessing.get_context(method)
    children = [context.Process(target=say, args=(client, 100 * (1 + at))) for at in range(2)]
    for child in children:
        child.start()
    say(client, 300)
    for child in children:
        child.join(20)
        assert child.exitcode == 0
    gc.collect()
    say(client, 400)


def forked_while_under_way(client):
    """A fork in the middle of calls of a thread and of a loop, as a trainer's data loaders do it."""
    say(client, 0)  # modules are loaded by now; a fork amid an import is nobody's
    with ThreadPoolExecutor(4) as threads:
        pending = [threads.submit(rewards, client, 100 * at) for at in range(1, 5)]
        child = os.fork()
        if child == 0:
            try:
                say(client, 900)
            finally:
                os._exit(0)
        for each in pending:
            tell(each.result())
    assert os.waitpid(child, 0)[1] == 0


def main(what, url):
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    settings = Settings(url=url, timeout_s=10, concurrency=4)
    kind = {"blocking": RewardClient, "async": AsyncRewardClient}[what.split("-")[1]]
    if what.startswith("midway"):
        forked_while_under_way(kind(settings))
    else:
        in_processes(what.split("-")[0], kind(settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
