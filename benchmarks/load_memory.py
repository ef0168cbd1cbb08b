"""What a server and all its processes hold and use, looked at from outside while a load runs.

with Watch(lambda: server.process.pid) as watch:
    ...
watch.seen      one row a second: when, MB of the server's own process, MB of all
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.service.serving import children


@dataclass(frozen=True, slots=True)
class Look:
    """`at` by the monotonic clock; `server_mb` is resident, in `all_mb` shared pages count once."""

    at: float
    server: int
    server_mb: float
    all_mb: float


def look(server: int) -> Look:
    """Now. A process that ends meanwhile holds nothing."""
    tree = [server, *below(server)]
    resident = _kb(server, "Rss:")
    shared = sum(_kb(each, "Pss:") for each in tree)
    return Look(time.monotonic(), server, resident / 1024, shared / 1024)


def below(process: int) -> list[int]:
    """Children and theirs, of all threads."""
    with suppress(OSError):
        return [each for child in children(process) for each in (child, *below(child))]
    return []


def cpu_seconds(processes: list[int]) -> float:
    """That they have used so far."""
    return sum(map(_ticks, processes)) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Looks every second, from a thread, until its block ends; `server` tells the process of the moment."""

    def __init__(self, server: Callable[[], int], *, every_s: float = 1.0) -> None:
        self.seen: list[Look] = []
        self._server = server
        self._every_s = every_s
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> list[Look]:
        return [each for each in self.seen if begin <= each.at < end]

    def _run(self) -> None:
        while not self._enough.wait(self._every_s):
            self.seen.append(look(self._server()))


def _kb(process: int, field: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def _ticks(process: int) -> int:
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0
