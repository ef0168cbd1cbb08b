"""How much is worked on at once, in requests and in bytes; who comes when it is too much is refused at once.

    place = admission.enter(announced=len_of_the_body)
    place.hold(len(body)); place.to_judge(); place.leave()

What waits for workers must be short in time, not in number: a worker reads some 60 MB of text a second, so
the default of 12 MiB a worker is a fifth of a second of work. Who waits for a judge costs memory and no
work, and has places and bytes of its own, so that a slow judge does not hold up what needs none.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from service.errors import Refused

WORKER_BYTES = 12 * 1024 * 1024
"""Bytes in flight per worker, where the settings leave it open."""

JUDGED_BYTES = 128 * 1024 * 1024
"""Bytes that wait for a judge, at least: they are bounded for their memory, which is some times as much."""


class Waits(StrEnum):
    """What a request waits for."""

    MATCHING = "matching"
    JUDGE = "judge"


class Pool:
    """So many places, and so many bytes in them.

    Who comes while there is room gets in, however large: the bytes are exceeded by one body at most, and no
    crowd of small ones keeps a large one out.
    """

    def __init__(self, *, places: int, most_bytes: int) -> None:
        self.taken = 0
        self.bytes = 0
        self._places = places
        self._most_bytes = most_bytes

    def why_full(self, *, own: int | None = None) -> str | None:
        """Why there is no room for one more, or for more of one whose `own` bytes count already."""
        if own is None and self.taken >= self._places:
            return f"{self._places} requests are under way"
        if (others := self.bytes - (own or 0)) >= self._most_bytes:
            return f"{others} bytes are being worked on, and {self._most_bytes} are the most"
        return None


class Place:
    """One request inside."""

    def __init__(self, pools: Mapping[Waits, Pool], *, size: int) -> None:
        self._pools = pools
        self._waits = Waits.MATCHING
        self._size = 0
        self._enter(Waits.MATCHING, size)

    def hold(self, size: int) -> None:
        """So many bytes it is, as it turns out. Raises `Refused` where it is more than there is room for."""
        pool = self._pools[self._waits]
        if size > self._size and (why := pool.why_full(own=self._size)):
            raise _full(why)
        pool.bytes += size - self._size
        self._size = size

    def check_judge(self) -> None:
        """Raises `Refused` where nobody more may wait for the judge."""
        if self._waits is not Waits.JUDGE and (why := self._pools[Waits.JUDGE].why_full()):
            raise _full(f"for the judge, {why}")

    def to_judge(self) -> None:
        """From now on it waits for the judge alone. Raises `Refused`."""
        if self._waits is Waits.MATCHING:
            self.check_judge()
            size = self._size
            self.leave()
            self._enter(Waits.JUDGE, size)

    def leave(self) -> None:
        """Give the place back."""
        pool = self._pools[self._waits]
        pool.taken -= 1
        pool.bytes -= self._size
        self._size = 0

    def _enter(self, waits: Waits, size: int) -> None:
        pool = self._pools[waits]
        pool.taken += 1
        pool.bytes += size
        self._waits, self._size = waits, size


class Admission:
    """The places of one server."""

    def __init__(self, *, places: int, most_bytes: int, judge_places: int) -> None:
        self.pools: Mapping[Waits, Pool] = {
            Waits.MATCHING: Pool(places=places, most_bytes=most_bytes),
            Waits.JUDGE: Pool(places=judge_places, most_bytes=max(most_bytes, JUDGED_BYTES)),
        }

    def check(self) -> None:
        """Whether there is room for one more. Raises `Refused`."""
        if why := self.pools[Waits.MATCHING].why_full():
            raise _full(why)

    def enter(self, *, announced: int) -> Place:
        """A place for a body of so many bytes. Raises `Refused`."""
        self.check()
        return Place(self.pools, size=announced)


@dataclass(frozen=True, slots=True)
class Turn:
    """What work is given: when it must be answered, by the clock of the loop, and the place that it has."""

    until: float
    place: Place | None = None

    def hold(self, size: int) -> None:
        """So many bytes it is, as it turns out. Raises `Refused`."""
        if self.place:
            self.place.hold(size)

    def check_judge(self) -> None:
        """Raises `Refused` where nobody more may wait for the judge."""
        if self.place:
            self.place.check_judge()

    def to_judge(self) -> None:
        """The work that is left is the judge's. Raises `Refused`."""
        if self.place:
            self.place.to_judge()


_SOONEST_S, _LATEST_S = 1, 3


def _full(why: str) -> Refused:
    """Come back some time soon: not all at once, for they were refused together."""
    after = random.randint(_SOONEST_S, _LATEST_S)  # noqa: S311 (spreads, hides nothing)
    return Refused("queue_full", why, retry_after=after)
