"""The last groups that were scored, with their replies, for whoever wants to look at one again.

    keeper = Keeper(most=100)
    work = keeper.keeping(scoring.score)      # the same work, and what it answered is kept
    keeper.get("step12/prompt3")

Off unless somebody asks for it: what is kept are texts of policies, in memory and behind the API keys.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from service.admission import Turn
from service.scoring import Scored

MOST_BYTES = 256 * 1024 * 1024
"""All that is kept together; a pair that is larger by itself is not kept."""


class Work(Protocol):
    """Scores a body in its turn."""

    def __call__(self, raw: bytes, /, *, turn: Turn) -> Awaitable[Scored]: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A request and its reply, both as JSON; `id` is the group's, or a number where it has none."""

    id: str
    rollouts: int
    request: bytes
    reply: bytes

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.request) + len(self.reply)

    def pair(self) -> bytes:
        """Both, as one object."""
        return b'{"request":' + self.request + b',"reply":' + self.reply + b"}"


class Keeper:
    """Keeps the last `most` groups, and no more than `most_bytes`; 0 keeps nothing.

    A group that is scored again takes the place of the one before it.
    """

    def __init__(self, *, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0
        self._nameless = 0

    def keeping(self, work: Work) -> Work:
        """The work, with everything that it answers kept; where nothing is kept, the work itself."""
        if not self._most:
            return work

        async def score(raw: bytes, *, turn: Turn) -> Scored:
            scored = await work(raw, turn=turn)
            self.put(raw, scored)
            return scored

        return score

    def put(self, request: bytes, scored: Scored) -> None:
        """Keep a pair; the oldest ones make room for it."""
        if not self._most:
            return
        kept = Kept(self._name(scored.body), scored.rollouts, request, scored.body)
        self._drop(kept.id)
        if kept.size > self._most_bytes:
            return
        self._kept[kept.id] = kept
        self._bytes += kept.size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def get(self, group_id: str) -> Kept | None:
        """The last pair under this id, if it is still there."""
        return self._kept.get(group_id)

    def all(self) -> Sequence[Kept]:
        """The newest first."""
        return list(reversed(self._kept.values()))

    def _name(self, reply: bytes) -> str:
        name = orjson.loads(reply)["id"]
        if name is not None:
            return str(name)
        self._nameless += 1
        return f"#{self._nameless}"

    def _drop(self, group_id: str) -> None:
        gone = self._kept.pop(group_id, None)
        if gone:
            self._bytes -= gone.size
