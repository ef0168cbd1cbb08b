"""Rewards of a group from what replies say of its rollouts: nothing is matched or judged again.

regrouped(reply.rollouts, scheme=LongTrace(eta=0.5)).rollouts
"""

from __future__ import annotations

from collections.abc import Sequence

from rubric.credits import Components
from rubric.entity import Entity, Rubric
from rubric.schemes import GroupRewards, reward_group
from rubric.wire import RolloutOut, Scheme

_SCORE = Rubric((Entity("score", "score"),))
"""A rubric of one criterion, whose credit is the score of the real one."""


def regrouped(rollouts: Sequence[RolloutOut], *, scheme: Scheme) -> GroupRewards:
    """The rewards (G,) of rollouts under a scheme that needs of the rubric no more than its score.

    Weights, prerequisites, policies and dropout are in the score already. A rollout without a reward has none
    here. Raises `InvalidInput` where an outcome is needed and missing.
    """
    found = [_components(rollout) for rollout in rollouts]
    return reward_group(found, rubric=_SCORE, scheme=scheme, group_id="")


def _components(rollout: RolloutOut) -> Components | None:
    """A rubric of which nothing counts is one without criteria, which some schemes treat apart."""
    if rollout.reward is None or rollout.rubric is None:
        return None
    return Components(
        outcome=rollout.outcome.value if rollout.outcome else None,
        credits=(rollout.rubric.score,),
        ignored=frozenset() if rollout.rubric.total else frozenset({0}),
    )
