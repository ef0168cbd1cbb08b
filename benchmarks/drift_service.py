"""The picture of the dashboard on the service: a real one under some load, with three troubles.

    python benchmarks/drift_service.py --minutes 20

The groups of the canary are sent to a server with the embedding model and a judge that is a
double. The judge fails for a while, then far too many clients come at once, then a worker is killed. A
Prometheus (Debian's) with the shipped rules reads all of it every second, and `deploy/grafana/draw.py` draws.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Annotated

import httpx
import typer

from service.drift.canary import golden

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.integration import prometheus  # noqa: E402 (it knows how to start one)
from tests.service.judge.double import Double, answers, in_thread, says, slow  # noqa: E402
from tests.service.serving import Running, running  # noqa: E402

GROUPS = [dict(case.body) for case in golden()]
_CALM, _CROWD = 2, 48
_EVERY_S, _PATIENCE_S = 0.25, 0.5
_JUDGED, _REPEATED = 5, 3
"""One group in so many asks the judge, and one in so many has been there before."""
_NEAR = "Irène"
"""The first name of somebody who is nearly an entity: each time another, so that the model has to read it."""


def main(minutes: Annotated[float, typer.Option(help="How long to look.")] = 20.0) -> None:
    """Load, disturb, draw."""
    settings = {"workers": 2, "profile": "balanced", "embedding_model": "builtin", "judge_model": "double"}
    with (
        in_thread(slow(0.05, says("yes"))) as judge,
        running(judge_url=judge.url, max_in_flight=16, canary_every_s=60, **settings) as server,
        prometheus.running(server.url.removeprefix("http://")) as asked,
        _clients(server.url, _CALM, every_s=_EVERY_S),
    ):
        for part, trouble in _TROUBLES:
            time.sleep(part * minutes * 60)
            trouble(_Scene(server, judge, seconds=0.1 * minutes * 60))
        _draw(str(asked.client.base_url), hours=minutes / 60)


@dataclass(frozen=True, slots=True)
class _Scene:
    server: Running
    judge: Double
    seconds: float


def _judge_fails(scene: _Scene) -> None:
    good, scene.judge.behavior = scene.judge.behavior, answers(500)
    time.sleep(scene.seconds)
    scene.judge.behavior = good


def _crowd_comes(scene: _Scene) -> None:
    with _clients(scene.server.url, _CROWD, every_s=0.0):
        time.sleep(scene.seconds)


def _worker_dies(scene: _Scene) -> None:
    os.kill(scene.server.workers()[0], signal.SIGKILL)
    time.sleep(scene.seconds)


def _nothing(_: _Scene) -> None:
    pass


_TROUBLES: tuple[tuple[float, Callable[[_Scene], None]], ...] = (
    (0.3, _judge_fails),
    (0.1, _crowd_comes),
    (0.15, _worker_dies),
    (0.15, _nothing),
)
"""After which part of the time what comes; each takes a tenth."""


@contextmanager
def _clients(url: str, number: int, *, every_s: float) -> Iterator[None]:
    """So many, each with one request after the other."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=_send, args=(url, stop, each, every_s), daemon=True) for each in range(number)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _send(url: str, stop: threading.Event, client: int, every_s: float) -> None:
    with httpx.Client(base_url=url, timeout=60.0) as connection:
        for number in count():
            if stop.is_set():
                return
            reply = connection.post("/score", content=_body(number, client).encode())
            stop.wait(every_s if reply.is_success else _PATIENCE_S)


def _body(number: int, client: int) -> str:
    group = GROUPS[number % len(GROUPS)]
    new = number if number % _REPEATED else 0
    body = {**group, "question": f"{group['question']} ({client}, {new})"}
    if number % _JUDGED == 0:
        body["verifier"] = {"name": "judge"}
    name = "".join(Random(f"{client} {new}").choices(ascii_lowercase, k=7)).capitalize()
    return json.dumps(body, ensure_ascii=False).replace(_NEAR, name)


def _draw(url: str, *, hours: float) -> None:
    command = ["draw.py", "--prometheus", url, "--hours", str(hours), "--only", "cairn-service"]
    subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, *command, "--out", str(ROOT / "docs" / "images")],
        cwd=ROOT / "deploy" / "grafana",
        check=True,
    )


if __name__ == "__main__":
    typer.run(main)
