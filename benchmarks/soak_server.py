"""The server of a soak, which is stopped and started again behind the same port.

with Server(cores=[0, 1], settings={...}) as server:
server.again()      SIGTERM, wait, start; how it ended is in `server.ends`
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import httpx

from tests.service.serving import children, start
from tests.service.store.server import free_port

_START_S = 60.0
_END_S = 100.0


@dataclass(frozen=True, slots=True)
class End:
    """A stop: when it was told, when its successor was ready, and its exit code."""

    told: float
    ready: float
    code: int


class Server:
    """`cairn serve` on cores of its own. Its process changes; its address does not."""

    def __init__(self, cores: Sequence[int], *, settings: Mapping[str, Any]) -> None:
        self.ends: list[End] = []
        self.cores = len(cores)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._cores = cores
        self._settings = {**settings, "port": self._port, "workers": len(cores)}
        self._folder = TemporaryDirectory()
        self._logs: list[Path] = []

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid

    def again(self) -> None:
        """Stop in order, and start. It may take as long as the slowest accepted request."""
        told = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._start()
        self.ends.append(End(told, time.monotonic(), code))

    def workers(self) -> list[int]:
        """Worker processes: what the fork server, a child of the server, has forked."""
        try:
            return [worker for child in children(self.pid) for worker in children(child)]
        except OSError:
            return []

    def events(self) -> Counter[str]:
        """How often each unusual thing was logged, by all lives."""
        return Counter(
            str(event["event"])
            for log in self._logs
            for event in map(_read, log.read_text().splitlines())
            if event.get("level") in {"warning", "error", "critical"}
        )

    def _start(self) -> None:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._cores)
        self._logs.append(Path(self._folder.name) / f"log{len(self._logs)}")
        try:
            self._process = start(self._logs[-1], **self._settings)
        finally:
            os.sched_setaffinity(0, before)
        deadline = time.monotonic() + _START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no server: {self._logs[-1].read_text()[-2000:]}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2.0).is_success
        except httpx.TransportError:
            return False


def _read(line: str) -> dict[str, Any]:
    """Anything that is no event is one by itself: a traceback on the error output, for example."""
    try:
        found = json.loads(line)
    except ValueError:
        return {"event": "a line that is no event", "level": "error"}
    return found if isinstance(found, dict) else {"event": "a line that is no event", "level": "error"}
