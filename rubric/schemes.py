"""The outcomes and credits of one prompt group, turned into its rewards.

    paper = Components(1.0, (1.0, 1.0, 1.0, 0.0, 1.0))
    reward_group([paper], rubric=rubric, scheme=LongTrace()).rollouts[0].reward  # 0.94

Every sum is exact before it is rounded once (`math.fsum`), so that a reward depends neither on the order of
the rollouts nor on the machine. What a single rollout earned is told by `credits.py`;
`docs/reward.md` has each scheme with its source and an example by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from rubric import wire
from rubric.credits import Components, Criteria, Found, check_requires, criteria_of, drops, found_by, refuse
from rubric.entity import Rubric
from rubric.errors import Fault, InvalidInput

WEIGHTS = (1e-6, 1e6)
"""The sizes that a weight other than 0 may have: within them no quotient of sums leaves the numbers."""


@dataclass(frozen=True, slots=True)
class RolloutReward:
    """A reward and what it is made of; `credits` are those after prerequisites and dropout."""

    reward: float
    score: float
    normalized: float
    hits: int
    total: int
    credits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GroupRewards:
    """The rewards in the order of the rollouts, and statistics over the scored ones.

    `reward_std` is with n - 1. `degenerate`: the scored rewards are all equal, also when there is one or
    none, so that the group teaches nothing. `scheme` is what was applied, in the words of the reply.
    """

    rollouts: tuple[RolloutReward | None, ...]
    score_max: float | None
    reward_mean: float | None
    reward_std: float | None
    degenerate: bool
    scored: int
    scheme: dict[str, Any]


def reward_group(
    components: Sequence[Components | None],
    *,
    rubric: Rubric,
    scheme: wire.Scheme,
    group_id: str | None = None,
) -> GroupRewards:
    """Turn the components of a group (G,) into its rewards (G,).

    None is a rollout that failed or is masked: it has no reward and changes nobody else's. `group_id` seeds
    rubric dropout. Raises `InvalidInput` where an outcome or the group's id is needed and missing, and
    `InvalidRubric` as `check` does.
    """
    check(rubric, scheme=scheme, group_id=group_id)
    criteria = criteria_of(rubric, scheme, group_id)
    _check_outcomes(components, criteria, scheme)
    found = [None if each is None else found_by(each, criteria, scheme) for each in components]
    scored = [each for each in found if each is not None]
    deferred = _normalize(scheme) != "none" and len(scored) <= 1
    best = 0.0 if deferred else _best(scored, scheme)
    rollouts = tuple(None if each is None else _reward(each, best, scheme) for each in found)
    return _summary(rollouts, scheme=_echo(scheme, deferred=deferred))


def reward_each(
    components: Sequence[Components | None],
    *,
    rubric: Rubric,
    scheme: wire.Scheme,
    group_id: str | None = None,
) -> GroupRewards:
    """The same for rollouts that only travel together: each gets what it would get as a group of one."""
    alone = [reward_group([each], rubric=rubric, scheme=scheme, group_id=group_id) for each in components]
    deferred = _normalize(scheme) != "none"
    return _summary(tuple(each.rollouts[0] for each in alone), scheme=_echo(scheme, deferred=deferred))


def needs_outcome(scheme: wire.Scheme) -> bool:
    """Whether a reward depends on the outcome, for a rubric that is not empty."""
    match scheme:
        case wire.LongTrace(gate="none", eta=1.0) | wire.Rar() | wire.HealthBench() | wire.Gear():
            return False
        case _:
            return True


def reward_range(scheme: wire.Scheme, rubric: Rubric) -> tuple[float, float]:
    """The lowest and the highest reward that the scheme can give with this rubric."""
    match scheme:
        case wire.LongRlvr():
            return 0.0, 2.0
        case wire.HealthBench(clip=False):
            return _lowest(rubric, scheme), 1.0
        case _:
            return 0.0, 1.0


def _lowest(rubric: Rubric, scheme: wire.HealthBench) -> float:
    """Every penalty and no criterion met, with the lightest criteria left over by dropout."""
    weights = [entity.weight for entity in rubric.entities]
    positive = sorted(weight for weight in weights if weight > 0)
    positive = positive[: len(positive) - drops(len(positive), scheme.dropout)]
    return math.fsum(min(weight, 0.0) for weight in weights) / math.fsum(positive) if positive else 0.0


# --- what can be refused before any text is read ----------------------------------------------------------


def check(rubric: Rubric, *, scheme: wire.Scheme, group_id: str | None) -> None:
    """Refuse a rubric or a group that no rollout could be rewarded by. Raises `InvalidInput`."""
    check_weights(rubric)
    check_requires(rubric)
    if scheme.dropout is not None and group_id is None:
        raise InvalidInput((Fault("$.id", "rubric dropout needs the group's id: it seeds what is left out"),))


def check_weights(rubric: Rubric) -> None:
    """Refuse weights that could bring an infinite reward about. Raises `InvalidRubric`."""
    least, most = WEIGHTS
    refuse(
        Fault(f"$.rubric.entities[{index}].weight", f"is neither 0 nor of a size from {least} to {most:.0f}")
        for index, entity in enumerate(rubric.entities)
        if entity.weight and not least <= abs(entity.weight) <= most
    )


def _check_outcomes(components: Sequence[Components | None], criteria: Criteria, scheme: wire.Scheme) -> None:
    if not needs_outcome(scheme) and not _outcome_only(criteria, scheme):
        return
    faults = tuple(
        Fault(f"$.rollouts[{index}].outcome", f"the scheme `{scheme.name}` needs an outcome")
        for index, each in enumerate(components)
        if each is not None and each.outcome is None and not each.zeroed
    )
    if faults:
        raise InvalidInput(faults[: wire.DEFAULT_LIMITS.faults])


# --- the group: normalization and formulas ----------------------------------------------------------------


def _normalize(scheme: wire.Scheme) -> wire.Normalize:
    return scheme.normalize if isinstance(scheme, wire.LongTrace | wire.EGrpo | wire.CGrpo) else "none"


def _best(scored: Sequence[Found], scheme: wire.Scheme) -> float:
    """What scores are divided by; 0 leaves them as they are."""
    normalize = _normalize(scheme)
    if normalize == "none":
        return 0.0
    rivals = [each.score for each in scored if normalize == "group_max" or _passes(each, scheme)]
    return max(rivals, default=0.0)


def _passes(found: Found, scheme: wire.Scheme) -> bool:
    """Whether the rubric has a say in the reward of a rollout with this outcome."""
    match scheme:
        case wire.LongTrace(gate="none"):
            return True
        case wire.LongTrace(gate="negative") | wire.EGrpo():
            return found.outcome <= 0
        case _:
            return found.outcome > 0


def _reward(found: Found, best: float, scheme: wire.Scheme) -> RolloutReward:
    share = min(1.0, found.score / best) if best > 0 else found.score
    return RolloutReward(
        reward=_formula(found, share, scheme),
        score=found.score,
        normalized=share,
        hits=found.hits,
        total=found.criteria.total,
        credits=found.credits,
    )


def _formula(found: Found, share: float, scheme: wire.Scheme) -> float:
    """The formulas, in the references' order of operations: it decides the last bit."""
    outcome, score = found.outcome, found.score
    match scheme:
        case wire.Outcome():
            return outcome
        case wire.LongTrace():
            return outcome if _outcome_only(found.criteria, scheme) else _longtrace(outcome, share, scheme)
        case wire.EGrpo(alpha=alpha):
            return 1.0 if outcome > 0 else alpha * share
        case wire.CGrpo(alpha=alpha):
            return (1 - alpha) * outcome + alpha * outcome * share
        case wire.LongRlvr(eta=eta):
            return outcome + (eta * score + (1 - eta) * outcome * score)
        case wire.HealthBench(clip=False):
            return found.balance
        case wire.Rar() | wire.HealthBench() | wire.Gear():
            return score
        case _:
            assert_never(scheme)


def _outcome_only(criteria: Criteria, scheme: wire.Scheme) -> bool:
    empty = criteria.positive == 0
    return empty and isinstance(scheme, wire.LongTrace) and scheme.empty_rubric == "outcome_only"


def _longtrace(outcome: float, share: float, scheme: wire.LongTrace) -> float:
    """Source: arXiv 2605.31584; its trainer applies the gate, where the group is whole."""
    if scheme.gate == "positive" and outcome <= 0:
        return 0.0
    if scheme.gate == "negative":
        return outcome if outcome > 0 else scheme.eta * share
    return (1 - scheme.eta) * outcome + scheme.eta * share


# --- the group: statistics and echo -----------------------------------------------------------------------


def _summary(rollouts: tuple[RolloutReward | None, ...], *, scheme: dict[str, Any]) -> GroupRewards:
    scored = [each for each in rollouts if each is not None]
    rewards = [each.reward for each in scored]
    mean, std = _mean_and_std(rewards)
    return GroupRewards(
        rollouts=rollouts,
        score_max=max((each.score for each in scored), default=None),
        reward_mean=mean,
        reward_std=std,
        degenerate=len(set(rewards)) <= 1,
        scored=len(rewards),
        scheme=scheme,
    )


def _mean_and_std(rewards: Sequence[float]) -> tuple[float | None, float | None]:
    """Equal rewards are their own mean, to the last bit, and deviate by nothing."""
    if len(rewards) <= 1:
        return (rewards[0] if rewards else None), None
    mean = rewards[0] if len(set(rewards)) == 1 else math.fsum(rewards) / len(rewards)
    return mean, math.sqrt(math.fsum((each - mean) ** 2 for each in rewards) / (len(rewards) - 1))


_EXTRAS = ("empty_rubric", "dropout")


def _echo(scheme: wire.Scheme, *, deferred: bool) -> dict[str, Any]:
    """Name and parameters as they were applied; extras only where they differ from their default."""
    options: dict[str, Any] = scheme.model_dump(mode="json", by_alias=True)
    extras = {name: options.pop(name) for name in _EXTRAS if name in options}
    if deferred:
        if options["normalize"] != "group_max":
            extras["deferred"] = options["normalize"]
        options["normalize"] = "deferred"
    fields = type(scheme).model_fields
    return options | {
        name: value for name, value in extras.items() if name not in fields or value != fields[name].default
    }
