"""A call of one rollout, taken apart: what its whole group has in common, and what is its own.

    known = Known()
    lone = known.lone({"question": "...", "rubric": {...}, "rollouts": [{"response": "..."}]})

Of thousands of calls each brings the rubric along. It is checked and written out once for all that are under
way with an equal one; left to each is its rollout, which is written out when its turn comes.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from pydantic import ValidationError

from rubric.wire import RolloutIn, ScoreRequest
from trainer_client.protocol import read_request, score_head


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Shared:
    """What is equal in all calls of a group: the `head` of their body. `seeded`: their id may count, too."""

    head: bytes
    seeded: bool


@dataclass(frozen=True, slots=True)
class Lone:
    """A checked request of one rollout."""

    shared: Shared
    id: str | None
    rollout: RolloutIn

    @property
    def group(self) -> tuple[bytes, str | None]:
        """Equal for calls that differ in their rollouts alone; also in their id, where it decides nothing."""
        return self.shared.head, self.id if self.shared.seeded else None


class Known:
    """What calls under way have in common; it goes with the last of them."""

    def __init__(self) -> None:
        self._shared: WeakValueDictionary[bytes, Shared] = WeakValueDictionary()

    def lone(self, given: ScoreRequest | Mapping[str, object]) -> Lone | None:
        """None for what has another number of rollouts. Raises `FixRequest` with every fault."""
        if isinstance(given, ScoreRequest):
            return _taken_apart(given) if len(given.rollouts) == 1 else None
        rollouts = given.get("rollouts") if isinstance(given, dict) else None
        if not isinstance(rollouts, list) or len(rollouts) != 1:
            return None
        key = _key(given)
        shared = self._shared.get(key)
        return (_beside(shared, given, rollouts[0]) if shared else None) or self._first(given, key)

    def _first(self, given: Mapping[str, object], key: bytes) -> Lone:
        lone = _taken_apart(read_request(given))
        if key:
            self._shared[key] = lone.shared
        return lone


def _taken_apart(request: ScoreRequest) -> Lone:
    """The scheme of the server may leave criteria out by the id of the group, as one with dropout does."""
    seeded = request.scheme is None or request.scheme.dropout is not None
    return Lone(Shared(score_head(request), seeded), request.id, request.rollouts[0])


def _key(given: Mapping[str, object]) -> bytes:
    """All but the rollouts and the id, byte for byte: equal keys have equal values of equal types.

    Empty for data that is more than plain. Later versions of the format tell equal values apart by where
    they lie in memory.
    """
    try:
        return marshal.dumps({name: given[name] for name in given if name not in {"rollouts", "id"}}, 2)
    except ValueError:
        return b""


def _beside(shared: Shared, given: Mapping[str, object], rollout: object) -> Lone | None:
    """None where its own part is at fault: read as a whole it is told where."""
    own = given.get("id")
    if not (own is None or isinstance(own, str)):
        return None
    try:
        return Lone(shared, own, RolloutIn.model_validate(rollout))
    except ValidationError:
        return None
