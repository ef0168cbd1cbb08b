"""How many 130 KB bodies a second does `/evaluate` serve, beside another server of the same contract?

    taskset -c 0,1 cairn serve --port 8000            (CAIRN_WORKERS=2)
    taskset -c 0,1 python launch_server.py --port 7248
    taskset -c 2,3 python benchmarks/bench_evaluate.py --ours URL --reference URL

Both stay up and take turns, a round each, so that a noisy minute hits both. `rubric_reward_ratio` is 1, so no
judge is needed. Without `--reference` it measures ours alone. The replies of both are compared, bit for bit.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from measure import write
from rich.console import Console
from rich.progress import track
from rich.table import Table

LETTERS = {1: 3, 2: 17, 3: 21, 4: 16, 5: 11, 6: 9, 7: 8, 8: 6, 9: 4, 10: 3, 11: 2}
"""How many of a hundred words of running English have so many letters."""

WORDS = [
    "".join(random.Random(f"{letters}/{seed}").choices("aeioulnrstkm", k=letters))
    for letters, share in LETTERS.items()
    for seed in range(40 * share)
]


def main(
    ours: Annotated[str, typer.Option(help="Base URL of a running Cairn.")],
    reference: Annotated[str | None, typer.Option(help="Base URL of a running reference server.")] = None,
    requests: Annotated[int, typer.Option(help="Requests in a round.")] = 512,
    rounds: Annotated[int, typer.Option(help="Rounds of each server.")] = 7,
    concurrency: Annotated[int, typer.Option(help="Requests under way at once.")] = 8,
    kb: Annotated[int, typer.Option(help="Length of a response, in 1,000 characters.")] = 130,
) -> None:
    """Take turns, compare the replies, print a table, keep the results."""
    bodies = [_body(random.Random(seed), kb * 1000) for seed in range(32)]
    servers = {"cairn": ours} | ({"reference": reference} if reference else {})
    rates: dict[str, list[float]] = {name: [] for name in servers}
    replies: dict[str, list[dict[str, float]]] = {}
    with ProcessPoolExecutor(concurrency) as clients:
        for turn in track(range(rounds + 1), "rounds", transient=True):
            for name, url in servers.items():
                rate, replies[name] = _round(clients, url, bodies, requests, concurrency)
                rates[name].extend([rate] if turn else [])
    if reference:
        _compare(replies["cairn"], replies["reference"])
    results = {
        name: {"median": statistics.median(each), "lowest": min(each), "highest": max(each)}
        for name, each in rates.items()
    }
    _print(results, kb)
    print(
        "written:", write("evaluate", {"kb": kb, "concurrency": concurrency, "rollouts_per_second": results})
    )


def _round(
    clients: ProcessPoolExecutor, url: str, bodies: list[bytes], requests: int, concurrency: int
) -> tuple[float, list[dict[str, float]]]:
    """Rollouts per second over all clients, and the reply to each body."""
    share = max(requests // concurrency, len(bodies))
    start = time.perf_counter()
    runs = [clients.submit(_drive, url, bodies, share) for _ in range(concurrency)]
    replies = [run.result() for run in runs]
    return share * concurrency / (time.perf_counter() - start), replies[0]


def _drive(url: str, bodies: list[bytes], requests: int) -> list[dict[str, float]]:
    """One client: a request at a time over one connection, with nothing that costs more than the server."""
    server = urlsplit(url)
    connection = HTTPConnection(server.hostname or "127.0.0.1", server.port or 80, timeout=120)
    replies = {}
    for number in range(requests):
        body = bodies[number % len(bodies)]
        connection.request("POST", "/evaluate", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != HTTPStatus.OK:
            raise RuntimeError(f"{url} answered {reply.status}")
        replies[number % len(bodies)] = json.loads(text)
    connection.close()
    return [replies[number] for number in range(len(bodies))]


def _compare(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    if ours != theirs:
        raise typer.BadParameter("the two servers answer with different numbers")
    print(f"{len(ours)} different bodies: the same three numbers from both")


def _body(chance: random.Random, length: int) -> bytes:
    entities = [" ".join(chance.choices(WORDS, k=3)).title() for _ in range(chance.randint(8, 16))]
    words = chance.choices(WORDS, k=length // 5)
    for place in range(0, len(words), 11):
        words[place] += chance.choice([",", ",", ".", ".", ":", "?\n\n"])
    for entity in entities[::2]:
        words.insert(chance.randrange(len(words) // 2), f"**{entity}**,")
    info: dict[str, Any] = {
        "question": "Which one?",
        "rubrics": entities,
        "rubric_reward_ratio": 1,
        "dataset_name": "longqa",
        "rubric_use_reasoning_content": False,
        "rubric_use_content": True,
    }
    response = f"<think>{' '.join(words[:400])}</think>\n\n{' '.join(words)}"[:length]
    return json.dumps({"label": "x", "response": response, "extra_reward_info": info}).encode()


def _print(results: dict[str, dict[str, float]], kb: int) -> None:
    table = Table(title=f"/evaluate, {kb} KB bodies, rollouts per second")
    for column in ("server", "median", "lowest", "highest", "times the reference"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for name, found in results.items():
        times = found["median"] / results["reference"]["median"] if "reference" in results else float("nan")
        table.add_row(
            name, *(f"{found[each]:.0f}" for each in ("median", "lowest", "highest")), f"{times:.2f}"
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
