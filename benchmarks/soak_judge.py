"""The double of a judge whose mood changes: it reads one word a line, and prints its address at the start.

    with judging() as judge:
        judge.mood("gibberish")

It is honest where no other mood was told. In a process of its own, as an endpoint is.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import uvloop

from tests.service.judge import double

_HONEST = "honest"
_SLOW_S = 6.0
MOODS: Mapping[str, double.Behavior] = {
    "slow": double.slow(_SLOW_S, double.honest),
    "out of order": double.answers(500, {"error": {"message": "out of order"}}),
    "out of quota": double.out_of_quota(),
    "cut short": double.cuts(),
    "gibberish": double.writes("As a large language model I like turtles."),
    "silent": double.slow(3600.0, double.honest),
}


@dataclass(frozen=True, slots=True)
class Judge:
    """A running double."""

    url: str
    _stdin: IO[str]

    def mood(self, name: str = _HONEST) -> None:
        """From now on; what it is busy with ends in the mood of its beginning."""
        self._stdin.write(f"{name}\n")
        self._stdin.flush()


@contextmanager
def judging() -> Iterator[Judge]:
    """A double in a process of its own."""
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdin  # noqa: S101 - for the type checker: they are pipes
        assert process.stdout  # noqa: S101
        yield Judge(process.stdout.readline().strip(), process.stdin)
    finally:
        process.kill()
        process.wait()


async def _serve() -> None:
    mood = [_HONEST]

    async def behave(asked: double.Asked) -> double.Reply:
        return await MOODS.get(mood[0], double.honest)(asked)

    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with double.Double(behave, keep=False) as served:
        print(served.url, flush=True)
        while told := await lines.readline():
            mood[0] = told.decode().strip()


if __name__ == "__main__":
    uvloop.run(_serve())
