"""The verdicts of a group turned into its reply: rewards, evidence, and failures where there is no reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rubric import credits, flags, schemes, wire
from rubric.entity import Criterion, Entity, NearMiss, Verdict
from rubric.errors import CannotScore
from rubric.job import Job


def compose(
    job: Job,
    verdicts: Sequence[Verdict | CannotScore | None],
    *,
    degraded: Sequence[str] = (),
    timings_ms: Mapping[str, float] | None = None,
) -> wire.ScoreReply:
    """Turn the verdicts of a group into its rewards. A failed rollout changes nobody else's."""
    reward = schemes.reward_each if job.request.alone else schemes.reward_group
    rewards = reward(
        [_components(job, index, verdict) for index, verdict in enumerate(verdicts)],
        rubric=job.task.rubric,
        scheme=job.chosen.scheme,
        group_id=job.request.id,
    )
    rollouts = [
        _rollout_out(job, index, verdict, rewards.rollouts[index]) for index, verdict in enumerate(verdicts)
    ]
    return wire.ScoreReply.model_construct(
        id=job.request.id,
        rollouts=rollouts,
        group=wire.GroupOut.model_construct(
            size=len(verdicts),
            scored=rewards.scored,
            score_max=rewards.score_max,
            reward_mean=rewards.reward_mean,
            reward_std=rewards.reward_std,
            degenerate=rewards.degenerate,
        ),
        scheme=rewards.scheme,
        profile=job.task.profile.value,
        degraded=[*job.chosen.lacks, *flags.missing(), *degraded],
        fingerprint=job.fingerprint,
        timings_ms={"match": 0.0, "embed": 0.0, "verify": 0.0, "total": 0.0} | dict(timings_ms or {}),
    )


def _components(job: Job, index: int, verdict: Verdict | CannotScore | None) -> credits.Components | None:
    given = job.request.rollouts[index]
    size = len(job.task.rubric.entities)
    if given.status != "completed":
        return (
            None if job.chosen.incomplete == "mask" else credits.Components(0.0, (0.0,) * size, zeroed=True)
        )
    if not isinstance(verdict, Verdict):
        return None
    outcome = given.outcome
    if outcome is None and verdict.outcome is not None:
        outcome = verdict.outcome.value
    policy = job.request.rubric.policy.model_dump(exclude_defaults=True)
    over_all = {policy.get(flag.value) for flag in verdict.flags}
    done = [{policy.get(flag.value) for flag in each.flags} | over_all for each in verdict.criteria]
    return credits.Components(
        outcome=outcome,
        credits=tuple(
            0.0 if "zero" in what else each.credit for what, each in zip(done, verdict.criteria, strict=True)
        ),
        chunk_ids=None if "zero" in over_all else verdict.chunk_ids,
        ignored=frozenset(index for index, what in enumerate(done) if "ignore" in what),
    )


def _rollout_out(
    job: Job, index: int, verdict: Verdict | CannotScore | None, reward: schemes.RolloutReward | None
) -> wire.RolloutOut:
    given = job.request.rollouts[index]
    status: Literal["ok", "failed", "masked"] = "ok"
    if reward is None:
        status = "failed" if given.status == "completed" else "masked"
    found = verdict if isinstance(verdict, Verdict) else None
    return wire.RolloutOut.model_construct(
        id=given.id or "",
        status=status,
        reward=None if reward is None else reward.reward,
        outcome=_outcome_out(given, verdict, judged=reward is not None),
        rubric=None if reward is None else _rubric_out(reward),
        criteria=_criteria_out(job, found, reward) if job.request.explain else None,
        flags=[flag.value for flag in found.flags] if found else [],
        failure=_failure(verdict) if status == "failed" else None,
    )


def _failure(verdict: Verdict | CannotScore | None) -> wire.Failure:
    if isinstance(verdict, CannotScore):
        return wire.Failure(type=verdict.kind, retryable=verdict.retryable, detail=verdict.detail)
    return wire.Failure(type="internal", retryable=True, detail="no verdict was reached")


def _outcome_out(
    given: wire.RolloutIn, found: Verdict | CannotScore | None, *, judged: bool
) -> wire.OutcomeOut | None:
    if given.status != "completed":
        detail = given.status
        return wire.OutcomeOut(value=0.0, status="ok", verifier="status", detail=detail) if judged else None
    if given.outcome is not None:
        return wire.OutcomeOut(value=given.outcome, status="ok", verifier="trainer", detail=None)
    if isinstance(found, CannotScore) and found.kind.startswith(_OF_JUDGE):
        return wire.OutcomeOut(value=None, status="failed", verifier="judge", detail=found.detail)
    if not isinstance(found, Verdict) or found.outcome is None:
        return None
    return wire.OutcomeOut(
        value=found.outcome.value, status="ok", verifier=found.outcome.verifier, detail=found.outcome.detail
    )


_OF_JUDGE = "judge_"
"""How the types of a judge's failures begin."""


def _rubric_out(reward: schemes.RolloutReward) -> wire.RubricOut:
    return wire.RubricOut.model_construct(
        score=reward.score, normalized=reward.normalized, hits=reward.hits, total=reward.total
    )


def _criteria_out(
    job: Job, found: Verdict | None, reward: schemes.RolloutReward | None
) -> list[wire.CriterionOut]:
    if found is None or reward is None:
        return []
    entities = job.task.rubric.entities
    return [
        _criterion_out(entities[criterion.entity], criterion, reward.credits[criterion.entity])
        for criterion in found.criteria
    ]


def _criterion_out(entity: Entity, criterion: Criterion, credit: float) -> wire.CriterionOut:
    span, near = criterion.span, criterion.near_miss
    return wire.CriterionOut.model_construct(
        id=entity.id,
        entity=entity.name,
        hit=criterion.hit,
        credit=credit,
        stage=criterion.stage.value if criterion.stage else None,
        surface=span.surface if span else None,
        field=span.field.value if span else None,
        start=span.start if span else None,
        end=span.end if span else None,
        similarity=criterion.similarity,
        flags=[flag.value for flag in criterion.flags],
        near_miss=_near_miss_out(near) if near else None,
        reasons=list(criterion.reasons),
    )


def _near_miss_out(near: NearMiss) -> wire.NearMissOut:
    return wire.NearMissOut.model_construct(
        surface=near.span.surface,
        field=near.span.field.value,
        start=near.span.start,
        end=near.span.end,
        similarity=near.similarity,
        reason=near.reason,
    )
