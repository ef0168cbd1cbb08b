"""Who waits for which vector, and what the device computes next. Pure: no clock, no loop, no thread.

    ticket = lanes.enter([Key(b"...")])
    pieces = lanes.take(2048)
    for ticket in lanes.settle(pieces[0], vector): ...      whoever has now got everything

Each ticket has a lane of its own, and lanes are served in turn: a step's tokens are shared out evenly between
those who wait, so that a large request does not hold up a small one. Equal pieces are computed once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from rubric.embedder import Vectors
from rubric.errors import CannotScore
from service.embedding.backend import tokens_of
from service.errors import Refused

Outcome: TypeAlias = Vectors | CannotScore
"""One vector, or why there is none."""

_ALONE_TOKENS = 256
"""A short input by itself takes a device about as long as so many tokens together."""


class Key(NamedTuple):
    """What makes two pieces the same."""

    input: bytes
    alone: bool = False

    @property
    def cost(self) -> int:
        """In tokens."""
        return max(tokens_of(self.input), _ALONE_TOKENS if self.alone else 0)


@dataclass(eq=False, slots=True)
class Piece:
    """An input that somebody waits for. Once it is `taken` it is the device's."""

    key: Key
    cost: int
    tickets: set[Ticket] = field(default_factory=set)
    taken: bool = False


@dataclass(eq=False, slots=True)
class Ticket:
    """What one request waits for, and what it has got so far."""

    pieces: dict[Key, Piece]
    lane: deque[Piece]
    outcomes: dict[Key, Outcome] = field(default_factory=dict)


class Lanes:
    """A queue of at most `most_tokens`; a request over that is let in only where nobody else waits."""

    def __init__(self, most_tokens: int) -> None:
        self.tokens = 0
        """Of everything that waits and is not taken yet."""
        self._most = most_tokens
        self._pieces: dict[Key, Piece] = {}
        self._lanes: deque[Ticket] = deque()

    def enter(self, keys: Iterable[Key]) -> Ticket:
        """Wait for different keys, at least one. Raises `Refused` when the queue is full."""
        known = self._pieces
        pieces = {key: known.get(key) or Piece(key, key.cost) for key in keys}
        fresh = [piece for key, piece in pieces.items() if key not in known]
        tokens = sum(piece.cost for piece in fresh)
        if fresh and self.tokens and self.tokens + tokens > self._most:
            raise Refused("queue_full", f"{self.tokens} tokens wait for the embedding model", retry_after=1)
        self.tokens += tokens
        known.update((piece.key, piece) for piece in fresh)
        ticket = Ticket(pieces, deque(piece for piece in pieces.values() if not piece.taken))
        for piece in pieces.values():
            piece.tickets.add(ticket)
        if ticket.lane:
            self._lanes.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up. What nobody else waits for is dropped, unless the device has it already."""
        if ticket in self._lanes:
            self._lanes.remove(ticket)
        for key, piece in ticket.pieces.items():
            piece.tickets.discard(ticket)
            if not piece.tickets and not piece.taken and self._pieces.get(key) is piece:
                del self._pieces[key]
                self.tokens -= piece.cost
        ticket.lane.clear()

    def take(self, most_tokens: int) -> list[Piece]:
        """What the device computes next: within so many tokens, but at least one piece if any waits."""
        taken: list[Piece] = []
        left = most_tokens
        while self._lanes and left > 0:
            share = max(1, left // len(self._lanes))
            for _ in range(len(self._lanes)):
                ticket = self._lanes.popleft()
                used = _serve(ticket, min(share, left), left, taken)
                left -= used
                if ticket.lane and used:
                    self._lanes.append(ticket)
                elif ticket.lane:  # its piece is too large for the rest: first in the next step
                    self._lanes.appendleft(ticket)
                    left = 0
                if left <= 0:
                    break
        self.tokens -= sum(piece.cost for piece in taken)
        return taken

    def settle(self, piece: Piece, outcome: Outcome) -> list[Ticket]:
        """Hand an outcome to everyone who waits for it; the tickets that lack nothing any more."""
        self._pieces.pop(piece.key, None)
        for ticket in piece.tickets:
            ticket.outcomes[piece.key] = outcome
        return [ticket for ticket in piece.tickets if len(ticket.outcomes) == len(ticket.pieces)]


def _serve(ticket: Ticket, share: int, left: int, taken: list[Piece]) -> int:
    """Take pieces of one lane until its share is used up, or one does not fit; the tokens that they cost."""
    used = 0
    while ticket.lane and used < share:
        piece = ticket.lane[0]
        if not piece.taken:
            if taken and piece.cost > left - used:
                break
            piece.taken = True
            taken.append(piece)
            used += piece.cost
        ticket.lane.popleft()
    return used
