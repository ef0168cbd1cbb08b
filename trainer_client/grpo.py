"""The rewards of a group, made of the replies to its rollouts one by one. Pure.

    replies = [scored.reply for scored in singles]
    compose([reply.rollouts[0] for reply in replies], scheme=replies[0].scheme).rewards

Most loops send one rollout at a time, and what a scheme divides by (the best of the group) is known only when
all are back. The numbers are those of one request with the whole group, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rubric.credits import Components
from rubric.entity import Rubric
from rubric.regroup import regrouped
from rubric.schemes import GroupRewards, RolloutReward, reward_group
from rubric.wire import GroupOut, Outcome, RolloutOut, Scheme
from trainer_client.errors import StopRun

_SCHEME: TypeAdapter[Scheme] = TypeAdapter(Scheme)


@dataclass(frozen=True, slots=True)
class Composed:
    """A group as `/score` would have answered it: rollouts in their order, statistics, the scheme."""

    rollouts: tuple[RolloutOut, ...]
    group: GroupOut
    scheme: dict[str, Any]

    @property
    def rewards(self) -> tuple[float | None, ...]:
        """One per rollout; None for those that failed or are masked."""
        return tuple(rollout.reward for rollout in self.rollouts)


def compose(rollouts: Sequence[RolloutOut], *, scheme: Scheme | Mapping[str, Any]) -> Composed:
    """Give each rollout (G,) the reward that it has in this group. What has none changes nobody else's.

    `scheme` is that of the request, or that of any of the replies. What a reply says of its rollout suffices:
    the outcome, the rubric's score and whether any criterion counts. Weights, prerequisites, policies and
    dropout are in the score already, and rewards that need no group are final. Raises `StopRun`.
    """
    chosen = read_scheme(scheme)
    grouped = getattr(chosen, "normalize", "none") != "none"
    found = regrouped(rollouts, scheme=chosen) if grouped else _as_they_are(rollouts)
    scores = [rollout.rubric.score for rollout in rollouts if rollout.rubric is not None]
    return Composed(
        rollouts=tuple(map(_with_reward, rollouts, found.rollouts)) if grouped else tuple(rollouts),
        group=GroupOut(
            size=len(rollouts),
            scored=found.scored,
            score_max=max(scores, default=None),
            reward_mean=found.reward_mean,
            reward_std=found.reward_std,
            degenerate=found.degenerate,
        ),
        scheme=found.scheme if grouped else dict(_echoed(scheme)),
    )


def read_scheme(given: Scheme | Mapping[str, Any]) -> Scheme:
    """A scheme as a request has it, also from the reply to a lone rollout, whose normalization is deferred.

    Such a reply names what it deferred under `deferred`, unless that is the maximum of the group. Raises
    `StopRun` for the scheme of a newer service: to guess at it would be to make rewards up.
    """
    if not isinstance(given, Mapping):
        return given
    options = dict(given)
    deferred = options.pop("deferred", "group_max")
    if options.get("normalize") == "deferred":
        options["normalize"] = deferred
    try:
        return _SCHEME.validate_python(options)
    except ValidationError:
        detail = f"the scheme `{given.get('name')}` of the service is not known here; install its version"
        raise StopRun("unknown_scheme", detail) from None


def _as_they_are(rollouts: Sequence[RolloutOut]) -> GroupRewards:
    """Statistics of rewards that are final: under this scheme a reward is the outcome."""
    given = [None if each.reward is None else Components(each.reward, ()) for each in rollouts]
    return reward_group(given, rubric=Rubric(()), scheme=Outcome())


def _with_reward(rollout: RolloutOut, found: RolloutReward | None) -> RolloutOut:
    if found is None or rollout.rubric is None:
        return rollout
    rubric = rollout.rubric.model_copy(update={"normalized": found.normalized})
    return rollout.model_copy(update={"reward": found.reward, "rubric": rubric})


def _echoed(scheme: Scheme | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(scheme, Mapping):
        return scheme
    return reward_group([], rubric=Rubric(()), scheme=scheme, group_id="").scheme
