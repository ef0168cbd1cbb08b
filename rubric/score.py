"""Score a group: `plan` and `settle` each rollout, then turn the verdicts of the group into a reply.

    reply = score_group(parse_score(body))

The only file that knows all stages. Everything here is a value in and a value out: a notebook drives it with
the call above, the service runs `judge` in worker processes and `compose` where the request came in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from rubric import answer, flags, forms, legacy, schemes, wire
from rubric.entity import (
    Criterion,
    Entity,
    Field,
    Kind,
    Match,
    NearMiss,
    RolloutFlag,
    Rubric,
    Stage,
)
from rubric.errors import CannotScore, Fault, InvalidInput
from rubric.exact import Mentions, find
from rubric.names import compiled
from rubric.text import NORMALIZER_VERSION, Message, Response, Texts, fold, split
from rubric.version import VERSION


class Profile(StrEnum):
    """Which comparisons may find an entity."""

    LEGACY = "legacy"
    STRICT = "strict"
    BALANCED = "balanced"


LACKING = {Profile.LEGACY: (), Profile.STRICT: (), Profile.BALANCED: ("fuzzy", "embedding")}
"""Stages that a profile asks for and this version does not have; every reply says so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The gold answer and other ways to say it."""

    value: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for all rollouts of a group, and does not depend on the scheme.

    `answer` is None where the `match` verifier does not run.
    """

    rubric: Rubric
    question: str
    answer: Answer | None
    fields: tuple[Field, ...]
    profile: Profile


@dataclass(frozen=True, slots=True)
class OutcomeVerdict:
    """How right a response is, in [0, 1], who said so, and why."""

    value: float
    verifier: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in one response. Schemes turn it into a reward; it does not depend on them."""

    criteria: tuple[Criterion, ...]
    outcome: OutcomeVerdict | None
    flags: tuple[RolloutFlag, ...]
    chunk_ids: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a request leaves to the server. `incomplete` is what truncated, aborted and ill-formed get."""

    profile: Profile = Profile.STRICT
    scheme: wire.Scheme = field(default_factory=wire.LongTrace)
    verifier: str = "match"
    incomplete: str = "zero"


def score_group(request: wire.ScoreRequest, *, defaults: Defaults | None = None) -> wire.ScoreReply:
    """Score one group in this process. Raises `InvalidInput`; a rollout that cannot be scored is `failed`."""
    job = prepare(request, defaults or Defaults())
    verdicts = [attempt(job.task, response) for response in job.responses]
    return compose(job, verdicts)


# --- the request, ready to be scored ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    """A checked request: what to read (`None` where nothing needs reading) and how to reward it."""

    request: wire.ScoreRequest
    task: Task
    responses: tuple[Response | None, ...]
    scheme: wire.Scheme
    verifier: str
    incomplete: str

    @property
    def fingerprint(self) -> str:
        """The digest of everything that can change a reward of this job."""
        return digest_of(fingerprint_parts(self.task.profile, self.scheme, self.verifier, self.incomplete))


def prepare(request: wire.ScoreRequest, defaults: Defaults) -> Job:
    """Fill in the defaults and refuse what can never be scored. Raises `InvalidInput`."""
    scheme = request.scheme or defaults.scheme
    verifier = request.verifier.name if request.verifier else defaults.verifier
    rubric = Rubric(tuple(map(_entity, request.rubric.entities)))
    schemes.check_requires(rubric)
    _check_outcomes(request, scheme, verifier)
    task = Task(
        rubric=rubric,
        question=request.question,
        answer=_gold(request.answer) if verifier == "match" else None,
        fields=tuple(map(Field, request.fields)),
        profile=Profile(request.profile) if request.profile else defaults.profile,
    )
    responses = tuple(_response(rollout) for rollout in request.rollouts)
    return Job(request, task, responses, scheme, verifier, defaults.incomplete)


def _entity(given: wire.EntityIn) -> Entity:
    return Entity(
        id=given.id or "",
        name=given.name,
        aliases=tuple(given.aliases),
        confusables=tuple(given.confusables),
        weight=given.weight,
        kind=Kind(given.kind),
        hop=given.hop,
        requires=tuple(given.requires),
    )


def _gold(given: wire.AnswerIn | None) -> Answer | None:
    return Answer(given.value, tuple(given.aliases)) if given else None


def _response(rollout: wire.RolloutIn) -> Response | None:
    """The text to read; None for a rollout that is judged by its status alone."""
    if rollout.status != "completed":
        return None
    messages = [
        Message(each.role, each.content or "", each.reasoning_content or "")
        for each in rollout.messages or ()
    ]
    return Response(rollout.response, tuple(messages))


def _check_outcomes(request: wire.ScoreRequest, scheme: wire.Scheme, verifier: str) -> None:
    """Every rollout must get an outcome from somewhere, where the scheme needs one."""
    if verifier == "judge":
        raise InvalidInput((Fault("$.verifier.name", "this server has no judge; use `match` or `none`"),))
    if not schemes.needs_outcome(scheme) or (verifier == "match" and request.answer):
        return
    hint = "send the gold `answer`" if verifier == "match" else "use the verifier `match`"
    message = f"the scheme `{scheme.name}` needs an outcome: give it here, or {hint}"
    faults = [
        Fault(f"$.rollouts[{index}].outcome", message)
        for index, rollout in enumerate(request.rollouts)
        if rollout.outcome is None and rollout.status == "completed"
    ]
    if faults:
        raise InvalidInput(tuple(faults))


# --- one rollout ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What the lexical stages found in one response, before anything is decided."""

    task: Task
    texts: Texts
    mentions: dict[int, list[Match]]
    refused: dict[int, NearMiss]
    chunk_ids: tuple[str, ...] | None


def attempt(task: Task, response: Response | None) -> Verdict | CannotScore | None:
    """`judge`, with an unforeseen error as the failure of this rollout alone. Raises `InvalidInput`."""
    if response is None:
        return None
    try:
        return judge(task, response)
    except InvalidInput:
        raise
    except CannotScore as error:
        return error
    except Exception as error:  # noqa: BLE001 (one poisoned rollout must not take its group along)
        return CannotScore("internal", f"{type(error).__name__} while matching")


def judge(task: Task, response: Response) -> Verdict:
    """Match one response against the rubric and, where there is a gold answer, decide its outcome."""
    if task.profile is Profile.LEGACY:
        return _judge_legacy(task, response)
    return settle(plan(task, split(response)))


def plan(task: Task, texts: Texts) -> Plan:
    """Split, fold and match. Raises `InvalidRubric`."""
    names = compiled(task.rubric)
    found = [find(names, fold(texts.of(each)), field=each) for each in task.fields]
    return Plan(task, texts, _merged(found), _first_refused(found), _chunk_ids(task, texts))


def settle(plan: Plan) -> Verdict:
    """Decide every criterion: evidence, flags, credit; and the outcome."""
    in_question, is_answer = _known(plan.task)
    criteria = []
    for index, entity in enumerate(plan.task.rubric.entities):
        mentions = plan.mentions.get(index, [])
        if entity.kind is Kind.CHUNK:
            criteria.append(_chunk_criterion(index, entity, plan))
        elif mentions:
            best = min(mentions, key=_preference)
            remarks = flags.criterion_flags(
                mentions, plan.texts, in_question=index in in_question, is_answer=index in is_answer
            )
            criteria.append(Criterion(index, 1.0, best.stage, best.span, best.similarity, remarks))
        else:
            criteria.append(Criterion(index, 0.0, near_miss=plan.refused.get(index)))
    return Verdict(
        criteria=tuple(criteria),
        outcome=_outcome(plan.task, plan.texts.final),
        flags=tuple(flags.rollout_flags(plan.texts)),
        chunk_ids=plan.chunk_ids,
    )


def _merged(found: Sequence[Mentions]) -> dict[int, list[Match]]:
    merged: dict[int, list[Match]] = {}
    for mentions in found:
        for entity, matches in mentions.matches.items():
            merged.setdefault(entity, []).extend(matches)
    return merged


def _first_refused(found: Sequence[Mentions]) -> dict[int, NearMiss]:
    refused: dict[int, NearMiss] = {}
    for mentions in found:
        refused = mentions.refused | refused
    return refused


def _preference(match: Match) -> tuple[bool, int]:
    """The name before an alias, then text order (fields stay in the order of the request)."""
    return match.stage is Stage.ALIAS, 0


@lru_cache(maxsize=32)
def _known(task: Task) -> tuple[frozenset[int], frozenset[int]]:
    """Indexes of the entities that the question names, and of those that the gold answer is."""
    names = compiled(task.rubric)
    in_question = frozenset(find(names, fold(task.question), field=Field.CONTENT).matches)
    if task.answer is None:
        return in_question, frozenset()
    golds = (task.answer.value, *task.answer.aliases)
    whole = frozenset(
        index
        for gold in golds
        for index, found in find(names, fold(gold), field=Field.CONTENT).matches.items()
        if any(match.span.surface == gold.strip() for match in found)
    )
    return in_question, whole


def _outcome(task: Task, final: str) -> OutcomeVerdict | None:
    if task.answer is None:
        return None
    decision = answer.decide(
        final, answer=task.answer.value, aliases=task.answer.aliases, question=task.question
    )
    return OutcomeVerdict(decision.value, "match", decision.how)


def _chunk_ids(task: Task, texts: Texts) -> tuple[str, ...] | None:
    """The chunks that the response says it used, when the rubric has chunks."""
    if not any(entity.kind is Kind.CHUNK for entity in task.rubric.entities):
        return None
    return tuple(str(each) for field in task.fields for each in legacy.cited_chunks(texts.of(field)))


def _chunk_criterion(index: int, entity: Entity, plan: Plan) -> Criterion:
    cited = schemes.chunk_number(entity.name) in (plan.chunk_ids or ())
    return Criterion(index, 1.0 if cited else 0.0, Stage.CHUNK if cited else None)


def _judge_legacy(task: Task, response: Response) -> Verdict:
    """LongTraceRL's own matcher, quirks included: no evidence, no boundaries, empty golds count."""
    texts = split(response)
    text = legacy.score_text(response, fields=task.fields)
    hits = legacy.entity_hits([entity.name for entity in task.rubric.entities], text)
    criteria = tuple(
        Criterion(index, float(hit), Stage.LEGACY if hit else None) for index, hit in enumerate(hits)
    )
    return Verdict(
        criteria=criteria,
        outcome=_outcome(task, texts.final),
        flags=tuple(flags.rollout_flags(texts)),
        chunk_ids=_chunk_ids(task, texts),
    )


# --- the group --------------------------------------------------------------------------------------------


def compose(
    job: Job,
    verdicts: Sequence[Verdict | CannotScore | None],
    *,
    degraded: Sequence[str] = (),
    timings_ms: Mapping[str, float] | None = None,
) -> wire.ScoreReply:
    """Turn the verdicts of a group into its rewards. A failed rollout changes nobody else's."""
    rewards = schemes.reward_group(
        [_components(job, index, verdict) for index, verdict in enumerate(verdicts)],
        rubric=job.task.rubric,
        scheme=job.scheme,
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
        degraded=[*LACKING[job.task.profile], *flags.missing(), *degraded],
        fingerprint=job.fingerprint,
        timings_ms={"match": 0.0, "embed": 0.0, "verify": 0.0, "total": 0.0} | dict(timings_ms or {}),
    )


def _components(job: Job, index: int, verdict: Verdict | CannotScore | None) -> schemes.Components | None:
    given = job.request.rollouts[index]
    size = len(job.task.rubric.entities)
    if given.status != "completed":
        return None if job.incomplete == "mask" else schemes.Components(0.0, (0.0,) * size, zeroed=True)
    if not isinstance(verdict, Verdict):
        return None
    outcome = given.outcome
    if outcome is None and verdict.outcome is not None:
        outcome = verdict.outcome.value
    credits = tuple(criterion.credit for criterion in verdict.criteria)
    return schemes.Components(outcome, credits, chunk_ids=verdict.chunk_ids)


def _rollout_out(
    job: Job, index: int, verdict: Verdict | CannotScore | None, reward: schemes.RolloutReward | None
) -> wire.RolloutOut:
    given = job.request.rollouts[index]
    failure = None
    status = "ok"
    if reward is None:
        status = "masked" if given.status != "completed" else "failed"
    if status == "failed":
        failure = _failure(verdict)
    found = verdict if isinstance(verdict, Verdict) else None
    return wire.RolloutOut.model_construct(
        id=given.id,
        status=status,
        reward=None if reward is None else reward.reward,
        outcome=_outcome_out(given, found, judged=reward is not None),
        rubric=None if reward is None else _rubric_out(reward),
        criteria=_criteria_out(job, found, reward) if job.request.explain else None,
        flags=[flag.value for flag in found.flags] if found else [],
        failure=failure,
    )


def _failure(verdict: Verdict | CannotScore | None) -> wire.Failure:
    if isinstance(verdict, CannotScore):
        return wire.Failure(type=verdict.kind, retryable=verdict.retryable, detail=verdict.detail)
    return wire.Failure(type="internal", retryable=True, detail="no verdict was reached")


def _outcome_out(given: wire.RolloutIn, found: Verdict | None, *, judged: bool) -> wire.OutcomeOut | None:
    if given.status != "completed":
        detail = given.status
        return wire.OutcomeOut(value=0.0, status="ok", verifier="status", detail=detail) if judged else None
    if given.outcome is not None:
        return wire.OutcomeOut(value=given.outcome, status="ok", verifier="trainer", detail=None)
    if found is None or found.outcome is None:
        return None
    return wire.OutcomeOut(
        value=found.outcome.value, status="ok", verifier=found.outcome.verifier, detail=found.outcome.detail
    )


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


# --- what made the number ---------------------------------------------------------------------------------


def matcher_parts(profile: Profile) -> dict[str, str]:
    """What can change a verdict: the scheme-independent part of a fingerprint."""
    return {
        "version": VERSION,
        "normalizer": NORMALIZER_VERSION,
        "unicode": unicodedata.unidata_version,
        "tables": forms.TABLES_DIGEST,
        "profile": profile.value,
    }


def fingerprint_parts(
    profile: Profile, scheme: wire.Scheme, verifier: str, incomplete: str
) -> dict[str, str]:
    """Everything that can change a reward, by name."""
    options: dict[str, Any] = scheme.model_dump(mode="json", by_alias=True)
    return matcher_parts(profile) | {
        "scheme": ",".join(f"{key}={options[key]}" for key in sorted(options)),
        "verifier": verifier,
        "incomplete": incomplete,
    }


def digest_of(parts: Mapping[str, str]) -> str:
    """32 hex digits over named parts."""
    return blake2b(repr(sorted(parts.items())).encode(), digest_size=16).hexdigest()
