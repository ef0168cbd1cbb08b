"""A call of one rollout, taken apart: what its whole group has in common, and what is its own.

    known = Known()
    lone = known.lone({"question": "...", "rubric": {...}, "rollouts": [{"response": "..."}]})
    body([lone, ...])  # one request for all that have the same `lone.group`

Of thousands of calls each brings the rubric along. It is checked and written out once for all that are under
way with an equal one; left to each is its rollout, which is written out when its turn comes.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from pydantic import ValidationError

from rubric.wire import RolloutIn, ScoreRequest
from trainer_client import protocol


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Shared:
    """What is equal in all calls of a group. `seeded`: their id may decide something, too."""

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

    @property
    def rollout_id(self) -> str:
        """What the reply calls it."""
        return protocol.rollout_id(self.rollout, at=0)


class Known:
    """What calls under way have in common; it goes with the last of them."""

    def __init__(self) -> None:
        self._shared: WeakValueDictionary[bytes, Shared] = WeakValueDictionary()

    def lone(self, given: ScoreRequest | Mapping[str, object]) -> Lone | None:
        """None for what has another number of rollouts. Raises `FixRequest` with every fault."""
        rollouts = given.rollouts if isinstance(given, ScoreRequest) else given.get("rollouts")
        if not isinstance(rollouts, list) or len(rollouts) != 1:
            return None
        key = None if isinstance(given, ScoreRequest) else _key(given)
        shared = self._shared.get(key) if key else None
        return (shared and _beside(shared, given, rollouts[0])) or self._first(given, key)

    def _first(self, given: ScoreRequest | Mapping[str, object], key: bytes | None) -> Lone:
        """The first of its kind, or one that cannot be told from others, is read as a whole."""
        request = protocol.read_request(given)
        shared = Shared(protocol.score_head(request), seeded=_is_seeded(request))
        if key:
            self._shared[key] = shared
        return Lone(shared, request.id, request.rollouts[0])


def body(calls: Sequence[Lone]) -> bytes:
    """One request for all, with rollouts named by their position, of which none depends on another."""
    first = calls[0]
    return protocol.joined_body(first.shared.head, id=first.id, rollouts=[each.rollout for each in calls])


def _key(given: Mapping[str, object]) -> bytes | None:
    """All but the rollouts and the id, byte for byte: equal keys have equal values of equal types.

    None for data that is more than plain. This version of the format knows no references, which would tell
    equal values apart.
    """
    try:
        return marshal.dumps({name: given[name] for name in given if name not in _OWN}, 2)
    except ValueError:
        return None


_OWN = frozenset({"rollouts", "id"})


def _beside(shared: Shared, given: Mapping[str, object], rollout: object) -> Lone | None:
    """None where its own part is at fault: read as a whole it is told where."""
    id = given.get("id")
    try:
        return Lone(shared, id, RolloutIn.model_validate(rollout)) if _is_id(id) else None
    except ValidationError:
        return None


def _is_seeded(request: ScoreRequest) -> bool:
    """Whether criteria may be left out by the id of the group: the scheme of the server may do so, too."""
    return request.scheme is None or request.scheme.dropout is not None
