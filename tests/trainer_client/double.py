"""A small HTTP server on the loopback that behaves as it is told, and counts what reaches it.

    with serving(fine) as double:
        RewardClient(Settings(url=double.url)).score(group(0.25)).rewards  # (0.25,)

Its rewards are the outcomes that the rollouts bring along, so that a test sees whose reward is whose.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager

from tests import scripted
from tests.scripted import Asked, Behavior, Double, Reply, always

__all__ = ["Asked", "Behavior", "Double", "Reply", "always"]


def group(*outcomes, **fields):
    """A group whose rewards are these outcomes."""
    rollouts = [{"response": f"r{at}", "outcome": outcome} for at, outcome in enumerate(outcomes)]
    return {"rubric": {"entities": ["RedOne"]}, "rollouts": rollouts, **fields}


# --- behaviors --------------------------------------------------------------------------------------------


async def fine(asked: Asked) -> Reply:
    return Reply(body=json.dumps(reply(asked.body)).encode())


def refuses(status, kind=None, detail="no", *, errors=None, **headers) -> Behavior:
    problem = {"type": f"urn:cairn:problem:{kind}", "title": "t", "status": status, "detail": detail}
    if errors is not None:
        problem["errors"] = errors
    body = json.dumps(problem).encode() if kind else b"<html>nginx</html>"
    return always(Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()}))


def slow(seconds: float, then: Behavior = fine) -> Behavior:
    return scripted.slow(seconds, then)


def first(*behaviors: Behavior, then: Behavior = fine) -> Behavior:
    return scripted.first(*behaviors, then=then)


def every(count: int, behavior: Behavior, then: Behavior = fine) -> Behavior:
    """Each request in so many goes wrong."""

    async def behave(asked: Asked) -> Reply:
        return await (then if asked.place % count else behavior)(asked)

    return behave


silent = always(Reply(None))


def reply(body):
    """A reply of `/score` whose rewards are the outcomes."""
    rollouts = [
        {
            "id": each.get("id", f"k{at}"),
            "status": "ok",
            "reward": each["outcome"],
            "outcome": {"value": each["outcome"], "status": "ok", "verifier": "trainer", "detail": None},
            "rubric": {"score": each["outcome"], "normalized": each["outcome"], "hits": 0, "total": 1},
            "criteria": [],
            "flags": [],
            "failure": None,
        }
        for at, each in enumerate(body["rollouts"])
    ]
    size = len(rollouts)
    stats = {"score_max": 1.0, "reward_mean": 0.5, "reward_std": None, "degenerate": False}
    return {
        "id": body.get("id"),
        "rollouts": rollouts,
        "group": {"size": size, "scored": size, **stats},
        "scheme": body.get("scheme", {"name": "longtrace"}),
        "profile": "strict",
        "degraded": [],
        "fingerprint": "f",
        "timings_ms": {"total": 1.0},
    }


def serving(behavior: Behavior = fine, *, port: int = 0) -> AbstractContextManager[Double]:
    """On a thread of its own, so that it answers while the test waits."""
    return scripted.in_thread(Double(behavior, port=port))
