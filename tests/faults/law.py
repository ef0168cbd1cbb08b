"""The one law: under every fault the answer is the fault-free reward or a typed failure, never another one.

law = Law(client, forget=redis.flush)
law.learn(bodies)                  # while all is well
reply = client.post("/score", json=body)          # while it is not
assert law.kept(reply, body) == set()             # while it is again: no rollout failed, and each is the same
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx

Body = Mapping[str, Any]

REFUSALS = {408, 413, 429, 503, 504}
"""How a request that is right may be refused: later, smaller or elsewhere it would be scored."""


class Law:
    """Knows what every group gets when all is well, bit for bit but for the time that it took.

    `forget` empties the cache, so that nothing is compared with what a fault has left there.
    """

    def __init__(self, client: httpx.Client, *, forget: Callable[[], object]) -> None:
        self._client = client
        self._forget = forget
        self._known: dict[str, Body] = {}

    def learn(self, bodies: Iterable[Body]) -> None:
        for body in bodies:
            self.fault_free(body)

    def fault_free(self, body: Body) -> Body:
        """From memory; else it is scored now, so all must be well now."""
        key = json.dumps(body)
        if key not in self._known:
            self._forget()
            told = timeless(self._client.post("/score", json=body))
            assert {each["status"] for each in told["rollouts"]} == {"ok"}, told
            self._known[key] = told
        return self._known[key]

    def kept(self, reply: httpx.Response, body: Body) -> set[str]:
        """The types of the failures in a reply; every rollout that did not fail is the fault-free one.

        What failed must not have moved the others: they are as they are in a group without it.
        """
        if reply.status_code != 200:
            return {refusal(reply)}
        told = timeless(reply)
        pairs = list(zip(told["rollouts"], body["rollouts"], strict=True))
        failed = [each for each, _ in pairs if each["status"] == "failed"]
        left = [given for each, given in pairs if each["status"] != "failed"]
        for each in failed:
            assert each["reward"] is each["rubric"] is None, each
            assert each["failure"]["type"]
            assert each["failure"]["detail"]
        if left:
            expected = self.fault_free({**body, "rollouts": left})
            group = {**expected["group"], "size": len(pairs)}
            rest = [each for each, _ in pairs if each["status"] != "failed"]
            assert {**told, "rollouts": rest} == {**expected, "group": group}
        return {each["failure"]["type"] for each in failed}


def timeless(reply: httpx.Response) -> dict[str, Any]:
    """A reply but for the time that it took."""
    assert reply.status_code == 200, reply.text
    return {**reply.json(), "timings_ms": None}


def refusal(reply: httpx.Response) -> str:
    """The type of a problem; it carries no reward."""
    problem = reply.json()
    assert reply.status_code in REFUSALS, reply.text
    assert problem["type"].startswith("urn:cairn:problem:")
    assert "reward" not in reply.text
    return str(problem["type"]).removeprefix("urn:cairn:problem:")
