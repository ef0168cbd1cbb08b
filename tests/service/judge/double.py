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
import json
import re
from contextlib import AbstractContextManager

import uvloop

from tests import scripted
from tests.scripted import Asked, Behavior, Reply, always, first, slow

__all__ = ["Asked", "Behavior", "Double", "Reply", "first", "in_thread", "slow"]


# --- behaviors --------------------------------------------------------------------------------------------


def completion(text: str | None, *, refusal: str | None = None, finish: str = "stop") -> Reply:
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 700}}
    return Reply(body=json.dumps(body).encode())


def verdict(correct: str, *, extracted: str = "it", reasoning: str = "As it is.") -> str:
    return f"extracted_final_answer: {extracted}\nreasoning: {reasoning}\ncorrect: {correct}"


def writes(text: str, **options: object) -> Behavior:
    return always(completion(text, **options))


def says(correct: str) -> Behavior:
    return writes(verdict(correct))


def answers(status: int | None, body: object = None, **headers: str) -> Behavior:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return always(Reply(status, b"" if body is None else json.dumps(body).encode(), named))


def out_of_quota() -> Behavior:
    error = {"message": "You exceeded your quota", "type": "insufficient_quota", "code": "insufficient_quota"}
    return answers(429, {"error": error})


def refuses() -> Behavior:
    return always(completion(None, refusal="I cannot help with that."))


def cuts() -> Behavior:
    return always(Reply(body=completion(verdict("yes")).body, cut=True))


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


# --- the server -------------------------------------------------------------------------------------------


class Double(scripted.Double):
    """The endpoint."""

    path = "/v1"


def in_thread(behavior: Behavior) -> AbstractContextManager[Double]:
    """For tests without a loop of their own, which ask it from another process."""
    return scripted.in_thread(Double(behavior))


async def _main(latency_s: float) -> None:
    async with Double(slow(latency_s, says("yes")), keep=False) as double:
        print(double.url, flush=True)  # noqa: T201 - whoever started it reads the address
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    uvloop.run(_main(parser.parse_args().latency))  # a benchmark must not wait for its double
