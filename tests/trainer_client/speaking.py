"""A double for loops, which send texts: the reward of a rollout is the number that its text is.

rewards: "0.25" -> 0.25;   "failed" -> no reward, as when a judge does not answer
"""

from __future__ import annotations

import json
from contextlib import contextmanager

from rubric.wire import Failure
from tests.trainer_client.double import Asked, Behavior, Reply, refuses, reply, serving, silent, slow

GONE = Failure(type="judge_failed", retryable=True, detail="no answer").model_dump()


async def by_text(asked: Asked) -> Reply:
    body = asked.body
    texts = [text_of(each) for each in body["rollouts"]]
    for each, text in zip(body["rollouts"], texts, strict=True):
        each["outcome"] = 0.0 if text == "failed" else float(text)
    found = reply(body)
    for each, text in zip(found["rollouts"], texts, strict=True):
        if text == "failed":
            each |= {"status": "failed", "reward": None, "outcome": None, "rubric": None, "failure": GONE}
    return Reply(body=json.dumps(found).encode())


def text_of(rollout):
    text = rollout["response"] if "response" in rollout else rollout["messages"][-1]["content"]
    return text.removeprefix("<think>").strip()


NOT_SCORED: dict[str, tuple[Behavior, str]] = {
    "a rollout has failed": (by_text, "failed"),
    "the rubric is refused": (refuses(422, "invalid_rubric"), "0.5"),
    "too busy until the deadline": (refuses(429, "queue_full", retry_after="60"), "0.5"),
    "draining until the deadline": (refuses(503, "draining", retry_after="60"), "0.5"),
    "no answer": (silent, "0.5"),
    "too slow": (slow(5.0, by_text), "0.5"),
    "an answer of somebody else": (refuses(200), "0.5"),
}
"""Every way in which there is no reward, and what the policy said."""


@contextmanager
def speaking(monkeypatch, behavior=by_text, **settings):
    """The double, with the environment pointing at it."""
    with serving(behavior) as double:
        chosen = {"url": double.url, "timeout_s": 10, "failed_share": 1, **settings}
        for name, value in chosen.items():
            monkeypatch.setenv(f"CAIRN_{name.upper()}", str(value))
        yield double
