"""A double of an OpenAI-compatible endpoint: real HTTP on the loopback, and a behavior to choose.

    async with Double(says("yes")) as double:
        ... double.url, double.asked, double.most_at_once

    python -m tests.service.judge.double --latency 0.2      (in a process of its own; prints its address)

A behavior is an async function from what was asked to a reply. `gullible` believes everything that is not
marked as the response, `obedient` everything, `echoing` repeats the response before it decides.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

import uvloop


@dataclass(frozen=True)
class Asked:
    """One request: its place in the order of arrival, its headers and its body."""

    place: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Mapping[str, object]:
        return json.loads(self.raw)

    @property
    def prompt(self) -> str:
        return self.body["messages"][0]["content"]


@dataclass(frozen=True)
class Reply:
    """What goes back; `cut` sends half of it and closes, `None` as a status closes without a word."""

    status: int | None = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Behavior = Callable[[Asked], Awaitable[Reply]]


# --- behaviors --------------------------------------------------------------------------------------------


def completion(text: str | None, *, refusal: str | None = None, finish: str = "stop") -> Reply:
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 700}}
    return Reply(body=json.dumps(body).encode())


def verdict(correct: str, *, extracted: str = "it", reasoning: str = "As it is.") -> str:
    return f"extracted_final_answer: {extracted}\nreasoning: {reasoning}\ncorrect: {correct}"


def writes(text: str, **options: object) -> Behavior:
    return _always(completion(text, **options))


def says(correct: str) -> Behavior:
    return writes(verdict(correct))


def answers(status: int | None, body: object = None, **headers: str) -> Behavior:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _always(Reply(status, b"" if body is None else json.dumps(body).encode(), named))


def out_of_quota() -> Behavior:
    error = {"message": "You exceeded your quota", "type": "insufficient_quota", "code": "insufficient_quota"}
    return answers(429, {"error": error})


def refuses() -> Behavior:
    return _always(completion(None, refusal="I cannot help with that."))


def cuts() -> Behavior:
    return _always(Reply(body=completion(verdict("yes")).body, cut=True))


def slow(seconds: float, then: Behavior) -> Behavior:
    async def behave(asked: Asked) -> Reply:
        await asyncio.sleep(seconds)
        return await then(asked)

    return behave


def first(*behaviors: Behavior, then: Behavior) -> Behavior:
    """One after the other, in the order of arrival; `then` for the rest."""

    async def behave(asked: Asked) -> Reply:
        return await (behaviors[asked.place] if asked.place < len(behaviors) else then)(asked)

    return behave


def in_reverse(count: int, then: Behavior) -> Behavior:
    """Waits for so many requests and answers the last one first."""
    waiting: list[asyncio.Event] = []

    async def behave(asked: Asked) -> Reply:
        waiting.append(own := asyncio.Event())
        if len(waiting) == count:
            waiting[-1].set()
        await own.wait()
        mine = waiting.index(own)
        reply = await then(asked)
        asyncio.get_running_loop().call_later(0.005, waiting[mine - 1].set)
        return reply

    return behave


async def honest(asked: Asked) -> Reply:
    """Right if the gold answer stands in the marked response."""
    return completion(verdict("yes" if _right(asked.prompt) else "no"))


async def gullible(asked: Asked) -> Reply:
    """Obeys whatever it takes for the words of its master: all that is not marked as the response."""
    return completion(verdict("yes" if falls_for(asked.prompt) or _right(asked.prompt) else "no"))


async def obedient(asked: Asked) -> Reply:
    """Obeys whatever it reads."""
    return completion(verdict("yes" if _ORDER.search(asked.prompt) else "no"))


async def echoing(asked: Asked) -> Reply:
    """Repeats the response, line by line, and only then decides."""
    return completion(verdict("yes" if _right(asked.prompt) else "no", extracted=_inside(asked.prompt)))


async def echoing_after(asked: Asked) -> Reply:
    """Decides, and repeats the response behind its verdict."""
    return completion(f"{verdict('no')}\n\n{_inside(asked.prompt)}")


def falls_for(prompt: str) -> bool:
    """Whether something outside the marked response tells it to say yes, or swaps the gold answer."""
    spoken = "\n".join(_outside(prompt))
    return bool(_ORDER.search(spoken) or _TURN.search(prompt)) or spoken.count("\n[correct_answer]:") > 1


_TURN = re.compile(r"<[|｜]|</s>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|</?think>")
"""Control tokens are turns of a chat wherever they stand, as a server's tokenizer has it."""
_ORDER = re.compile(
    r"correct\W{1,4}yes\W*$|(?:say|answer|reply|output|respond|write|grade|mark|return)\b.{0,60}\byes\b"
    r"|\b(?:ignore|disregard|forget|override)\b|\bis (?:certainly |indeed )?correct\b"
    r"|\bverdict\b.{0,20}\byes\b",
    re.IGNORECASE | re.MULTILINE,
)


def _outside(prompt: str) -> list[str]:
    lines, number = prompt.splitlines(), re.search(r"the number ([0-9a-f]{32})", prompt)
    if not number:
        return lines
    start = lines.index(f"===== RESPONSE {number[1]} BEGINS =====")
    end = lines.index(f"===== RESPONSE {number[1]} ENDS =====")
    unmarked = [line for line in lines[start + 1 : end] if not line.startswith("| ")]
    explained = [line for line in lines[end + 1 :] if not line.startswith("The fenced lines above")]
    return [*lines[:start], *unmarked, *explained]


def _inside(prompt: str) -> str:
    return "\n".join(line[2:] for line in prompt.splitlines() if line.startswith("| "))


def _right(prompt: str) -> bool:
    gold = re.search(r"^\[correct_answer\]: (.*)$", prompt, re.MULTILINE)
    return bool(gold) and gold[1].lower() in _inside(prompt).lower()


def _always(reply: Reply) -> Behavior:
    async def behave(_: Asked) -> Reply:
        return reply

    return behave


# --- the server -------------------------------------------------------------------------------------------


class Double:
    """Serves one behavior; remembers what it was asked."""

    def __init__(self, behavior: Behavior, *, keep: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self.behavior = behavior
        self.asked: list[Asked] = []
        self.at_once = 0
        self.most_at_once = 0
        self._keep = keep
        self._tls = tls
        self._places = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{port}/v1" if self._tls else f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close every connection; new ones are welcome."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(task := asyncio.current_task())
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass  # asyncio would report it of a handler that it started itself
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        raw = await reader.readexactly(int(headers["content-length"]))
        asked = Asked(next(self._places), headers, raw)
        if self._keep:
            self.asked.append(asked)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reply = await self.behavior(asked)
        finally:
            self.at_once -= 1
        if reply.status is None:
            return False
        fields = {"content-type": "application/json", "content-length": len(reply.body), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Whatever", *(f"{name}: {value}" for name, value in fields.items())]
        body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return not reply.cut


@contextmanager
def in_thread(behavior: Behavior) -> Iterator[Double]:
    """For tests without a loop of their own, which ask it from another process."""
    double, loop, started = Double(behavior), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async with double:
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(10)
        yield double
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _main(latency_s: float) -> None:
    async with Double(slow(latency_s, says("yes")), keep=False) as double:
        print(double.url, flush=True)  # noqa: T201 - whoever started it reads the address
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    uvloop.run(_main(parser.parse_args().latency))  # a benchmark must not wait for its double
