"""Score a group: `plan` and `settle` each rollout, then turn the verdicts of the group into a reply.

    reply = score_group(parse_score(body))

The only file that knows all stages. Everything here is a value in and a value out: a notebook drives it with
the call above, the service runs `attempt` in worker processes, brings the vectors that the plans ask for, and
runs `settle` and `compose` where the request came in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from rubric import answer, flags, legacy, semantic, wire
from rubric.credits import chunk_number
from rubric.embedder import Embedder, Vectors
from rubric.entity import (
    Criterion,
    CriterionFlag,
    Entity,
    Field,
    Kind,
    Match,
    NearMiss,
    OutcomeVerdict,
    Rubric,
    Span,
    Stage,
    Verdict,
)
from rubric.errors import CannotScore, InvalidInput
from rubric.exact import Mentions
from rubric.job import Defaults, Profile, Task, prepare
from rubric.lexical import read, read_marked
from rubric.marking import Marked, mark
from rubric.names import compiled
from rubric.pair import Scorer, reasons
from rubric.reply import compose
from rubric.semantic import Candidate, Decided
from rubric.text import Response, Texts, fold, split
from rubric.words import Words, known_words, missing


def score_group(
    request: wire.ScoreRequest, *, defaults: Defaults | None = None, model: Model | None = None
) -> wire.ScoreReply:
    """Score one group in this process; `model` is for the embedding stage of the profile `balanced`.

    Raises `InvalidInput`; a rollout that cannot be scored is `failed`.
    """
    chosen = defaults or Defaults()
    job = prepare(request, replace(chosen, embedding=model.parts if model else None))
    asking = model.asking if model and job.task.semantics else None
    planned = [attempt(job.task, response, asking=asking) for response in job.responses]
    verdicts = [model.settled(each) if model and isinstance(each, Plan) else each for each in planned]
    return compose(job, [each.verdict if isinstance(each, Plan) else each for each in verdicts])


@dataclass(frozen=True, slots=True)
class Asking:
    """How a model is asked: what decides on its vectors; `exhaustive`: about every span of a text."""

    scorer: Scorer
    exhaustive: bool = False

    def parts(self, identity: str) -> dict[str, str]:
        """What of the embedding stage can change a reward, by name; `identity` is the model's."""
        search = {"semantic": "exhaustive"} if self.exhaustive else {}
        return {"embedding": identity, "calibration": self.scorer.digest, **search}


@dataclass(frozen=True, slots=True)
class Model:
    """An embedding model with the scorer that was fitted for it."""

    embedder: Embedder
    asking: Asking

    @property
    def parts(self) -> dict[str, str]:
        """What goes into the fingerprint."""
        return self.asking.parts(self.embedder.identity)

    def settled(self, plan: Plan) -> Verdict:
        """The verdict, with what the model finds."""
        nearby = self._by_text(self.embedder.embed, semantic.texts(plan.candidates))
        near = semantic.finalists(plan.candidates, nearby, self.asking.scorer, band=self.embedder.band)
        alone = self._by_text(self.embedder.embed_alone, semantic.texts(near))
        return settle(plan, near, alone, self.asking.scorer)

    @staticmethod
    def _by_text(embed: Callable[[Sequence[str]], Vectors], wanted: Sequence[str]) -> dict[str, Vectors]:
        return dict(zip(wanted, embed(wanted), strict=True)) if wanted else {}


@dataclass(frozen=True, slots=True)
class Plan:
    """The verdict of the lexical stages, and the surfaces that a model may still take for names.

    `remarks` are the flags that each of these candidates would have as a mention.
    """

    verdict: Verdict
    candidates: tuple[Candidate, ...] = ()
    remarks: tuple[frozenset[CriterionFlag], ...] = ()

    @property
    def open(self) -> bool:
        """Whether a model has anything to say."""
        return any(each.veto is None for each in self.candidates)


def attempt(
    task: Task, response: Response | None, *, asking: Asking | None = None
) -> Plan | CannotScore | None:
    """`plan`, with an unforeseen error as the failure of this rollout alone. Raises `InvalidInput`."""
    if response is None:
        return None
    try:
        return plan(task, response, asking=asking)
    except InvalidInput:
        raise
    except CannotScore as error:
        return error
    except Exception as error:  # noqa: BLE001 (one poisoned rollout must not take its group along)
        return CannotScore("internal", f"{type(error).__name__} while matching")


def judge(task: Task, response: Response) -> Verdict:
    """Match one response against the rubric and decide its outcome, without a model."""
    return plan(task, response).verdict


def plan(task: Task, response: Response, *, asking: Asking | None = None) -> Plan:
    """All that can be told without a model; `asking` where there is one. Raises `InvalidRubric`."""
    if task.profile is Profile.LEGACY:
        return Plan(_judge_legacy(task, response))
    found = match(task, split(response))
    verdict = decided(found)
    if asking is None:
        return Plan(verdict)
    candidates = tuple(_candidates(found, asking))
    remarks = tuple(
        frozenset(flags.criterion_flags([_as_mention(each)], found.texts, in_question=False, is_answer=False))
        for each in candidates
    )
    return Plan(verdict, candidates, remarks)


def settle(plan: Plan, near: Sequence[Candidate], alone: Mapping[str, Vectors], scorer: Scorer) -> Verdict:
    """Add what the model finds: `near` are the finalists, `alone` the vectors of their texts."""
    criteria = list(plan.verdict.criteria)
    remarks = dict(zip(((each.entity, each.span) for each in plan.candidates), plan.remarks, strict=True))
    for index, said in semantic.decide(near, alone, scorer).items():
        criteria[index] = _with_model(criteria[index], said, remarks, scorer)
    return replace(plan.verdict, criteria=tuple(criteria))


def _with_model(
    lexical: Criterion,
    said: Decided,
    remarks: Mapping[tuple[int, Span], frozenset[CriterionFlag]],
    scorer: Scorer,
) -> Criterion:
    """A flag on mentions needs all of them, as in the lexical stages."""
    close = {CriterionFlag.NEAR_THRESHOLD} if said.near_threshold else set()
    if not said.matches:
        near = lexical.near_miss or said.refused
        return replace(lexical, near_miss=near, flags=_in_order({*lexical.flags, *close}))
    common = frozenset.intersection(*(remarks[each.entity, each.span] for each in said.matches))
    best = min(said.matches, key=lambda each: each.doubtful)
    return replace(
        lexical,
        credit=1.0,
        stage=best.stage,
        span=best.span,
        similarity=best.similarity,
        near_miss=None,
        flags=_in_order({*lexical.flags, *common, *close}),
        reasons=tuple(reasons(scorer.explain(np.array(said.row)))),
    )


def _as_mention(candidate: Candidate) -> Match:
    return Match(candidate.entity, Stage.EMBEDDING, candidate.span, doubtful=candidate.doubtful)


def _in_order(found: Collection[CriterionFlag]) -> tuple[CriterionFlag, ...]:
    return tuple(flag for flag in CriterionFlag if flag in found)


# --- the lexical stages -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What the lexical stages found in one response, before anything is decided."""

    task: Task
    texts: Texts
    marked: dict[Field, Marked]
    mentions: dict[int, list[Match]]
    refused: dict[int, NearMiss]
    chunk_ids: tuple[str, ...] | None
    of_field: dict[Field, Mentions]


def match(task: Task, texts: Texts) -> Found:
    """Fold and match. Raises `InvalidRubric`."""
    names = compiled(task.rubric)
    marked = {each: mark(fold(texts.of(each))) for each in task.fields}
    words = _words(task)
    of_field = {each: read_marked(names, marked[each], field=each, words=words) for each in task.fields}
    found = list(of_field.values())
    return Found(
        task, texts, marked, _merged(found), _first_refused(found), _chunk_ids(task, texts), of_field
    )


def _words(task: Task) -> Words | None:
    """The word list, where the profile asks for the fuzzy stage and the list is installed."""
    return known_words() if task.profile is Profile.BALANCED and not missing() else None


def _candidates(found: Found, asking: Asking) -> Iterator[Candidate]:
    """The surfaces that may be names of what was not found in any field."""
    names, words = compiled(found.task.rubric), _words(found.task)
    everything = frozenset(range(len(found.task.rubric.entities)))
    left = everything - found.mentions.keys() - _chunks(found.task.rubric)
    if words is None or not left:
        return
    for field in found.task.fields:
        yield from semantic.propose(
            names,
            found.marked[field],
            found.of_field[field],
            entities=left,
            field=field,
            words=words,
            scorer=asking.scorer,
            exhaustive=asking.exhaustive,
        )


def decided(found: Found) -> Verdict:
    """Decide every criterion: evidence, flags, credit; and the outcome."""
    known = _known(found.task)
    criteria = list(_nothing_found(len(found.task.rubric.entities)))
    for index in _to_decide(found, known):
        criteria[index] = _criterion(index, found, known)
    answers = answer.offered(found.texts.final)
    return Verdict(
        criteria=tuple(criteria),
        outcome=_outcome(found.task, found.texts.final),
        flags=tuple(flags.rollout_flags(found.texts, found.mentions, answers=answers)),
        chunk_ids=found.chunk_ids,
    )


def _to_decide(found: Found, known: Known) -> set[int]:
    """The entities of which there is more to say than that nothing was found."""
    return {
        *found.mentions,
        *found.refused,
        *known.in_question,
        *known.is_answer,
        *_chunks(found.task.rubric),
    }


def _criterion(index: int, found: Found, known: Known) -> Criterion:
    if index in _chunks(found.task.rubric):
        return _chunk_criterion(index, found.task.rubric.entities[index], found)
    mentions = found.mentions.get(index, [])
    remarks = flags.criterion_flags(
        mentions,
        found.texts,
        in_question=index in known.in_question,
        is_answer=index in known.is_answer,
    )
    if not mentions:
        return Criterion(index, 0.0, flags=remarks, near_miss=found.refused.get(index))
    best = min(mentions, key=_preference)
    return Criterion(index, 1.0, best.stage, best.span, best.similarity, remarks)


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


def _preference(match: Match) -> tuple[bool, bool]:
    """What is no doubtful match, then the name before an alias, then text order (fields as requested)."""
    return match.doubtful, match.stage is Stage.ALIAS


@lru_cache(maxsize=64)
def _nothing_found(entities: int) -> tuple[Criterion, ...]:
    """The criteria of a response that names nothing, made once."""
    return tuple(Criterion(index, 0.0) for index in range(entities))


@lru_cache(maxsize=64)
def _chunks(rubric: Rubric) -> frozenset[int]:
    """Indexes of the entities that are chunks."""
    return frozenset(index for index, entity in enumerate(rubric.entities) if entity.kind is Kind.CHUNK)


@dataclass(frozen=True, slots=True)
class Known:
    """Indexes of the entities that the question names, and of those that the gold answer is."""

    in_question: frozenset[int]
    is_answer: frozenset[int]


@lru_cache(maxsize=32)
def _known(task: Task) -> Known:
    names = compiled(task.rubric)
    in_question = frozenset(read(names, task.question, field=Field.CONTENT, words=_words(task)).matches)
    if task.answer is None:
        return Known(in_question, frozenset())
    golds = (task.answer.value, *task.answer.aliases)
    whole = frozenset(
        index
        for gold in golds
        for index, found in read(names, gold, field=Field.CONTENT).matches.items()
        if any(match.span.surface == gold.strip() for match in found)
    )
    return Known(in_question, whole)


def _outcome(task: Task, final: str) -> OutcomeVerdict | None:
    if task.answer is None or not task.verify:
        return None
    decision = answer.decide(final, answer=task.answer.value, aliases=task.answer.aliases)
    return OutcomeVerdict(decision.value, "match", decision.how, decided=decision.decided)


def _chunk_ids(task: Task, texts: Texts) -> tuple[str, ...] | None:
    """The chunks that the response says it used, when the rubric has chunks."""
    if not _chunks(task.rubric):
        return None
    return tuple(str(each) for field in task.fields for each in legacy.cited_chunks(texts.of(field)))


def _chunk_criterion(index: int, entity: Entity, found: Found) -> Criterion:
    cited = chunk_number(entity.name) in (found.chunk_ids or ())
    return Criterion(index, 1.0 if cited else 0.0, Stage.CHUNK if cited else None)


def _judge_legacy(task: Task, response: Response) -> Verdict:
    """LongTraceRL's own matcher, quirks included: no evidence, no boundaries, empty golds count."""
    texts = split(response)
    text = _legacy_text(response, task.fields)
    hits = legacy.entity_hits([entity.name for entity in task.rubric.entities], text)
    criteria = tuple(
        Criterion(index, float(hit), Stage.LEGACY if hit else None) for index, hit in enumerate(hits)
    )
    return Verdict(
        criteria=criteria,
        outcome=_outcome(task, texts.final),
        flags=tuple(flags.rollout_flags(texts, {}, answers=answer.offered(texts.final))),
        chunk_ids=_chunk_ids(task, texts),
    )


def _legacy_text(response: Response, fields: Sequence[Field]) -> str:
    if response.text is not None:
        conversation = legacy.read_response(response.text)
    else:
        conversation = legacy.read_history(
            [legacy.Turn(message.role, message.content, message.reasoning) for message in response.messages]
        )
    return legacy.matched_text(
        conversation, reasoning=Field.REASONING in fields, content=Field.CONTENT in fields
    )
