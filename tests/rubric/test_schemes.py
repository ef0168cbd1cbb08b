from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rubric import wire
from rubric.credits import Components, check_requires, chunk_number
from rubric.entity import Entity, Rubric
from rubric.errors import InvalidInput, InvalidRubric
from rubric.schemes import (
    GroupRewards,
    RolloutReward,
    check,
    check_weights,
    needs_outcome,
    reward_group,
    reward_range,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "schemes.json").read_text(encoding="utf-8"))
SCHEME: TypeAdapter[wire.Scheme] = TypeAdapter(wire.Scheme)
PAPER = ("Lady Gaga", "The Fame", "Poker Face", "Just Dance", "RedOne")


def rubric(*entities: str | dict[str, Any]) -> Rubric:
    """A rubric of names, or of keyword arguments of `Entity`; the ids are e0, e1 …"""
    given = [{"name": each} if isinstance(each, str) else each for each in entities]
    return Rubric(
        tuple(
            Entity(id=f"e{index}", **(each | {"requires": tuple(each.get("requires", ()))}))
            for index, each in enumerate(given)
        )
    )


# --- the golden table: every number worked out by hand, see its `why` -------------------------------------


@pytest.mark.parametrize("case", GOLDEN, ids=[case["name"] for case in GOLDEN])
def test_a_reward_differs_from_the_one_worked_out_by_hand(case):
    gold = rubric(*case["entities"])
    group = reward_group(
        [_components(row, size=len(gold.entities)) for row in case["rollouts"]],
        rubric=gold,
        scheme=SCHEME.validate_json(json.dumps(case["scheme"])),
        group_id=case.get("group_id"),
    )
    seen, expected = _seen(group), case["expect"]
    assert expected.keys() <= seen.keys()
    for key, value in expected.items():
        assert _close(seen[key], value), (key, seen[key], value, case["why"])


def test_every_scheme_and_every_option_stands_in_the_golden_table():
    schemes = [case["scheme"] for case in GOLDEN]
    assert {scheme["name"] for scheme in schemes} == set(SCHEME.json_schema()["discriminator"]["mapping"])
    for name, values in {
        "gate": {"negative", "none"},
        "normalize": {"gated_max", "none"},
        "empty_rubric": {"scaled"},
        "counting": {"sets", "repeats"},
        "clip": {False},
    }.items():
        assert values <= {scheme[name] for scheme in schemes if name in scheme}, name


def _components(row: dict[str, Any] | None, *, size: int) -> Components | None:
    if row is None:
        return None
    return Components(
        outcome=row.get("outcome"),
        credits=tuple(row.get("credits", [0.0] * size)),
        chunk_ids=tuple(row["chunk_ids"]) if "chunk_ids" in row else None,
        zeroed=row.get("zeroed", False),
    )


def _seen(group: GroupRewards) -> dict[str, Any]:
    rows = group.rollouts
    return {
        "rewards": [each and each.reward for each in rows],
        "scores": [each and each.score for each in rows],
        "normalized": [each and each.normalized for each in rows],
        "hits": [each and each.hits for each in rows],
        "credits": [each and list(each.credits) for each in rows],
        "total": next((each.total for each in rows if each), None),
        "score_max": group.score_max,
        "mean": group.reward_mean,
        "std": group.reward_std,
        "scored": group.scored,
        "degenerate": group.degenerate,
        "scheme": group.scheme,
    }


def _close(seen: object, expected: object) -> bool:
    if isinstance(expected, list):
        return isinstance(seen, list) and len(seen) == len(expected) and all(map(_close, seen, expected))
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return isinstance(seen, int | float) and math.isclose(seen, expected, rel_tol=1e-12, abs_tol=1e-15)
    return bool(seen == expected)


# --- single facts -----------------------------------------------------------------------------------------


def test_the_papers_example_is_off_in_the_last_bit():
    paper = Components(1.0, (1.0, 1.0, 1.0, 0.0, 1.0))
    for rollouts in ([paper], [paper, Components(1.0, (1.0,) * 5)]):
        first = reward_group(rollouts, rubric=rubric(*PAPER), scheme=wire.LongTrace()).rollouts[0]
        assert first is not None
        assert first.reward == 0.94


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("normalize", ["group_max", "gated_max", "none"])
def test_eta_is_believed_to_dampen_a_matchers_error(eta, normalize):
    """Eight right answers, one entity of nine missed in one of them: −7/√8 at any eta."""
    rollouts = [Components(1.0, (1.0,) * 9) for _ in range(7)] + [Components(1.0, (1.0,) * 8 + (0.0,))]
    group = reward_group(
        rollouts, rubric=rubric(*"abcdefghi"), scheme=wire.LongTrace(eta=eta, normalize=normalize)
    )
    last = group.rollouts[-1]
    assert last is not None
    assert group.reward_mean is not None
    assert group.reward_std is not None
    advantage = (last.reward - group.reward_mean) / group.reward_std
    assert advantage == pytest.approx(-7 / math.sqrt(8), rel=1e-9)
    assert round(advantage, 2) == -2.47


def test_equal_rewards_seem_to_deviate():
    found = Components(None, (1.0, *(0.0,) * 9))
    group = reward_group([found] * 3, rubric=rubric(*"abcdefghij"), scheme=wire.Rar())
    assert math.fsum([0.1] * 3) / 3 != 0.1
    assert group.reward_mean == 0.1
    assert group.reward_std == 0.0
    assert group.degenerate


def test_the_declared_range_is_too_narrow_or_too_wide():
    gold = rubric(*({"name": str(weight), "weight": weight} for weight in (5, 3, 2, 1, 1, -6)))
    assert reward_range(wire.LongTrace(), gold) == (0.0, 1.0)
    assert reward_range(wire.LongRlvr(), gold) == (0.0, 2.0)
    assert reward_range(wire.HealthBench(), gold) == (0.0, 1.0)
    assert reward_range(wire.HealthBench(clip=False), gold) == (-0.5, 1.0)  # -6/12
    left = wire.HealthBench(clip=False, dropout=wire.Dropout(share=0.4))
    assert reward_range(left, gold) == (-1.5, 1.0)  # -6/4: the three lightest are left
    assert reward_range(left, rubric({"name": "a", "weight": -1})) == (0.0, 1.0)


def test_a_missing_outcome_becomes_a_zero():
    rollouts = [Components(1.0, (1.0,)), Components(None, (1.0,)), Components(None, (0.0,), zeroed=True)]
    with pytest.raises(InvalidInput) as raised:
        reward_group(rollouts, rubric=rubric("a"), scheme=wire.LongTrace())
    assert [fault.path for fault in raised.value.faults] == ["$.rollouts[1].outcome"]
    assert reward_group(rollouts, rubric=rubric("a"), scheme=wire.Rar()).scored == 3


def test_a_rubric_reward_without_a_rubric_needs_no_outcome():
    alone = wire.LongTrace(eta=1.0, gate="none")
    assert not needs_outcome(alone)
    with pytest.raises(InvalidInput):
        reward_group([Components(None, ())], rubric=rubric(), scheme=alone)
    scaled = wire.LongTrace(eta=1.0, gate="none", empty_rubric="scaled")
    assert reward_group([Components(None, ())], rubric=rubric(), scheme=scaled).reward_mean == 0.0


def test_a_verifier_runs_for_nothing_or_is_forgotten():
    assert not any(map(needs_outcome, (wire.Rar(), wire.HealthBench(), wire.Gear())))
    assert all(map(needs_outcome, (wire.Outcome(), wire.EGrpo(), wire.CGrpo(), wire.LongRlvr(eta=1.0))))
    assert all(map(needs_outcome, (wire.LongTrace(), wire.LongTrace(eta=1.0), wire.LongTrace(gate="none"))))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CHUNK_3", "3"),
        ("<CHUNK 3>", "3"),
        ("chunk03", "3"),
        ("3", "3"),
        ("CHUNK_0", "0"),
        ("CHUNK_000", "0"),
        ("9" * 5_000, "9" * 5_000),
        ("intro", "intro"),
        ("", ""),
    ],
)
def test_two_spellings_of_a_chunk_are_two_chunks(name, number):
    assert chunk_number(name) == number


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requires", "paths"),
    [
        ([["e0"]], ["$.rubric.entities[0].requires"]),
        ([["e1"], ["e0"]], ["$.rubric.entities[0].requires", "$.rubric.entities[1].requires"]),
        ([[], ["e3"], ["e1"], ["e2"], ["e1"]], [f"$.rubric.entities[{i}].requires" for i in (1, 2, 3)]),
        ([["e1", "e9"], ["e8"]], ["$.rubric.entities[0].requires[1]", "$.rubric.entities[1].requires[0]"]),
    ],
    ids=["itself", "two", "three of five", "unknown"],
)
def test_prerequisites_that_can_never_be_met_are_taken(requires, paths):
    gold = rubric(*({"name": "x", "requires": each} for each in requires))
    with pytest.raises(InvalidRubric) as raised:
        check_requires(gold)
    assert [fault.path for fault in raised.value.faults] == paths
    with pytest.raises(InvalidRubric):
        reward_group([], rubric=gold, scheme=wire.Gear())


def test_a_long_chain_or_a_diamond_is_refused():
    check_requires(rubric("a", *({"name": "x", "requires": [f"e{index}"]} for index in range(4_000))))
    check_requires(
        rubric({"name": "d", "requires": ["e1", "e2"]}, *({"name": "x", "requires": ["e3"]},) * 2, "a")
    )


def test_a_thousand_faults_make_a_reply_of_a_thousand_lines():
    with pytest.raises(InvalidRubric) as raised:
        check_requires(rubric(*({"name": "x", "requires": ["nobody"]} for _ in range(1_000))))
    assert len(raised.value.faults) == wire.DEFAULT_LIMITS.faults


@pytest.mark.parametrize("weight", [1e308, -1e300, 1e7, 5e-324, -1e-9, math.inf, math.nan])
def test_a_weight_makes_a_reward_infinite(weight):
    gold = rubric("a", {"name": "b", "weight": weight}, {"name": "c", "weight": weight})
    with pytest.raises(InvalidRubric) as raised:
        check_weights(gold)
    assert raised.value.faults[0].path == "$.rubric.entities[1].weight"
    with pytest.raises(InvalidRubric):
        reward_group([], rubric=gold, scheme=wire.HealthBench(clip=False))


def test_an_extreme_beta_overflows():
    for beta in (100.0, 5e-324):
        scheme = wire.LongRlvr(beta=beta)
        group = reward_group(
            [Components(1.0, (0.0, 0.0), chunk_ids=("3", "5"))], rubric=rubric("3", "7"), scheme=scheme
        )
        assert 0.0 <= (group.score_max or 0.0) <= 1.0
    with pytest.raises(ValidationError):
        wire.LongRlvr(beta=1e200)


# --- rubric dropout ---------------------------------------------------------------------------------------


def _kept(group_id: str, *, share: float = 0.5, step: int = 0, size: int = 12) -> str:
    """Which of the criteria count, as a string of x and . ."""
    gold = rubric(*map(str, range(size)), {"name": "penalty", "weight": -1})
    scheme = wire.Rar(dropout=wire.Dropout(share=share, step=step))
    group = reward_group(
        [Components(None, (1.0,) * (size + 1))], rubric=gold, scheme=scheme, group_id=group_id
    )
    first = group.rollouts[0]
    assert first is not None
    return "".join("x" if credit else "." for credit in first.credits)


def test_another_machine_or_version_drops_other_criteria():
    assert _kept("step12/prompt3") == "xxxx....xx..x"
    assert _kept("step12/prompt3", step=1) == "...xxxx.x..xx"
    assert _kept("gruppe-ä\ud800", step=1) == "x..x...xx.xxx"


def test_another_hash_seed_drops_other_criteria():
    lines = "from tests.rubric.test_schemes import _kept; print(_kept('step12/prompt3'))"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", lines],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == _kept("step12/prompt3")


@given(st.text(), st.integers(0, 10_000), st.floats(0, 0.99), st.integers(0, 20))
def test_dropout_takes_a_penalty_or_leaves_fewer_than_three(group_id, step, share, size):
    kept = _kept(group_id, share=share, step=step, size=size)
    assert kept[-1] == "x"
    assert kept[:-1].count("x") == size - max(0, min(round(share * size), size - 3))


def test_every_group_drops_the_same_criteria():
    masks = {_kept(f"g{index}", step=step) for index in range(20) for step in range(5)}
    assert len(masks) > 80
    places = [sum(mask[place] == "x" for mask in masks) for place in range(12)]
    assert all(len(masks) * 0.3 < place < len(masks) * 0.7 for place in places)


def test_two_rollouts_of_a_group_drop_different_criteria():
    scheme = wire.LongTrace(dropout=wire.Dropout(share=0.5))
    found = Components(1.0, (1.0,) * 10)
    group = reward_group([found] * 4, rubric=rubric(*"abcdefghij"), scheme=scheme, group_id="g")
    assert len(set(group.rollouts)) == 1


def test_dropout_without_a_group_id_is_left_to_chance():
    scheme = wire.Rar(dropout=wire.Dropout(share=0.5))
    with pytest.raises(InvalidInput) as raised:
        reward_group([], rubric=rubric("a"), scheme=scheme)
    assert [fault.path for fault in raised.value.faults] == ["$.id"]
    with pytest.raises(InvalidInput):
        check(rubric("a"), scheme=scheme, group_id=None)


def test_a_dropped_prerequisite_voids_what_requires_it():
    gold = rubric(*"abcdefghij", *({"name": "x", "requires": [f"e{index}"]} for index in range(10)))
    scheme = wire.Rar(dropout=wire.Dropout(share=0.5))
    group = reward_group([Components(None, (1.0,) * 20)], rubric=gold, scheme=scheme, group_id="g")
    assert group.reward_mean == 1.0


def test_citing_a_dropped_chunk_costs_precision():
    gold = rubric(*map(str, range(10)))
    scheme = wire.LongRlvr(dropout=wire.Dropout(share=0.5), counting="repeats")
    cited = Components(1.0, (0.0,) * 10, chunk_ids=tuple(map(str, range(10))))
    assert reward_group([cited], rubric=gold, scheme=scheme, group_id="g").reward_mean == 2.0


# --- properties -------------------------------------------------------------------------------------------

shares = st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]) | st.floats(0.0, 1.0)
dropouts = st.none() | st.builds(wire.Dropout, share=st.floats(0.0, 0.9), step=st.integers(0, 9))
normalizes = st.sampled_from(["group_max", "gated_max", "none"])
gates = st.sampled_from(["positive", "negative", "none"])
longtraces = st.builds(
    wire.LongTrace,
    dropout=dropouts,
    eta=shares,
    gate=gates,
    normalize=normalizes,
    empty_rubric=st.sampled_from(["outcome_only", "scaled"]),
)
schemes = st.one_of(
    longtraces,
    st.builds(wire.Outcome, dropout=dropouts),
    st.builds(wire.EGrpo, dropout=dropouts, alpha=shares, normalize=normalizes),
    st.builds(wire.CGrpo, dropout=dropouts, alpha=shares, normalize=normalizes),
    st.builds(
        wire.LongRlvr,
        dropout=dropouts,
        eta=shares,
        beta=st.sampled_from([0.5, 1.0, 2.0]),
        counting=st.sampled_from(["sets", "repeats"]),
    ),
    st.builds(wire.Rar, dropout=dropouts),
    st.builds(wire.HealthBench, dropout=dropouts, clip=st.booleans()),
    st.builds(wire.Gear, dropout=dropouts, lam=shares),
)
credit = st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0, allow_subnormal=False)
gains = st.just(1.0) | st.floats(1e-6, 1e6)


@st.composite
def rubrics(draw: st.DrawFn, *, penalties: bool) -> Rubric:
    """Up to eight chunks; each may require some of those before it."""
    weights = draw(
        st.lists(gains | gains.map(lambda w: -w) | st.just(0.0) if penalties else gains, max_size=8)
    )
    return Rubric(
        tuple(
            Entity(
                id=f"e{index}",
                name=f"CHUNK_{index}",
                weight=weight,
                requires=tuple(draw(st.lists(st.sampled_from([f"e{i}" for i in range(index)]), max_size=2)))
                if index
                else (),
            )
            for index, weight in enumerate(weights)
        )
    )


@st.composite
def groups(draw: st.DrawFn, *, penalties: bool = True) -> tuple[list[Components], Rubric]:
    gold = draw(rubrics(penalties=penalties))
    size = len(gold.entities)
    rollout = st.builds(
        Components,
        outcome=st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0),
        credits=st.tuples(*[credit] * size),
        chunk_ids=st.none() | st.lists(st.integers(0, size + 2).map(str), max_size=12).map(tuple),
        zeroed=st.sampled_from([False, False, False, True]),
    )
    return draw(st.lists(rollout, min_size=1, max_size=6)), gold


def _rewards(
    rollouts: list[Components | None] | list[Components], gold: Rubric, scheme: wire.Scheme
) -> GroupRewards:
    return reward_group(rollouts, rubric=gold, scheme=scheme, group_id="g")


@given(groups(), schemes)
def test_a_reward_leaves_the_declared_range(group, scheme):
    rollouts, gold = group
    low, high = reward_range(scheme, gold)
    for each in _rewards(rollouts, gold, scheme).rollouts:
        assert each is not None
        assert low <= each.reward <= high
        assert 0.0 <= each.score <= 1.0
        assert 0.0 <= each.normalized <= 1.0
        assert each.hits <= each.total <= len(gold.entities)
        assert math.copysign(1.0, each.reward) > 0 or each.reward < 0


@given(groups(penalties=False), schemes, st.data())
def test_finding_one_more_entity_costs(group, scheme, data):
    rollouts, gold = group
    assume(gold.entities)
    index = data.draw(st.integers(0, len(rollouts) - 1), label="rollout")
    place = data.draw(st.integers(0, len(gold.entities) - 1), label="entity")
    before = _rewards(rollouts, gold, scheme).rollouts[index]
    poorer = rollouts[index]
    cited = poorer.chunk_ids or ()
    richer = replace(
        poorer,
        credits=(*poorer.credits[:place], 1.0, *poorer.credits[place + 1 :]),
        chunk_ids=cited if str(place) in cited else (*cited, str(place)),
    )
    after = _rewards([*rollouts[:index], richer, *rollouts[index + 1 :]], gold, scheme).rollouts[index]
    assert before is not None
    assert after is not None
    assert after.reward >= before.reward - 1e-12
    assert after.score >= before.score - 1e-12


@given(groups(), schemes, st.randoms(use_true_random=False))
def test_a_reward_depends_on_the_place_of_its_rollout(group, scheme, random):
    rollouts, gold = group
    order = list(range(len(rollouts)))
    random.shuffle(order)
    straight = _rewards(rollouts, gold, scheme)
    shuffled = _rewards([rollouts[index] for index in order], gold, scheme)
    assert shuffled.rollouts == tuple(straight.rollouts[index] for index in order)
    assert replace(shuffled, rollouts=()) == replace(straight, rollouts=())


@given(groups(), schemes, st.data())
def test_a_failed_rollout_changes_the_others(group, scheme, data):
    rollouts, gold = group
    alone = _rewards(rollouts, gold, scheme)
    place = data.draw(st.integers(0, len(rollouts)), label="place of the failed one")
    beside = _rewards([*rollouts[:place], None, *rollouts[place:]], gold, scheme)
    assert beside.rollouts == (*alone.rollouts[:place], None, *alone.rollouts[place:])
    assert replace(beside, rollouts=()) == replace(alone, rollouts=())


@given(groups(), longtraces)
def test_a_wrong_answer_beats_a_right_one(group, scheme):
    rollouts, gold = group
    rewards = _rewards(rollouts, gold, scheme.model_copy(update={"gate": "positive"})).rollouts
    judged = [
        (each.outcome, reward.reward)
        for each, reward in zip(rollouts, rewards, strict=True)
        if reward and not each.zeroed
    ]
    right = [reward for outcome, reward in judged if outcome]
    wrong = [reward for outcome, reward in judged if not outcome]
    assert all(reward == 0.0 for reward in wrong)
    assert not right or min(right) >= max(wrong, default=0.0)


@given(groups(), schemes)
def test_a_truncated_rollout_is_worth_something_or_left_out(group, scheme):
    rollouts, gold = group
    rewards = _rewards(rollouts, gold, scheme)
    assert rewards.scored == len(rollouts)
    for each, reward in zip(rollouts, rewards.rollouts, strict=True):
        if each.zeroed:
            assert reward == RolloutReward(
                0.0, 0.0, 0.0, 0, reward.total if reward else 0, (0.0,) * len(gold.entities)
            )


# --- the slow twin: exact fractions, straight from the page of formulas -----------------------------------


@given(groups(), longtraces | st.builds(wire.Gear, lam=shares))
def test_a_sum_drifts_from_exact_arithmetic(group, scheme):
    rollouts, gold = group
    scheme = scheme.model_copy(update={"dropout": None})
    expected = _twin(rollouts, gold, scheme)
    for reward, exact in zip(_rewards(rollouts, gold, scheme).rollouts, expected, strict=True):
        assert reward is not None
        assert math.isclose(reward.reward, exact, rel_tol=1e-9, abs_tol=1e-9)


def _twin(rollouts: list[Components], gold: Rubric, scheme: wire.LongTrace | wire.Gear) -> list[Fraction]:
    outcomes = [Fraction(0) if each.zeroed else Fraction(each.outcome or 0.0) for each in rollouts]
    scores = [_twin_score(each, gold, scheme) for each in rollouts]
    if isinstance(scheme, wire.Gear):
        return scores
    alone = len(rollouts) < 2 or scheme.normalize == "none"
    gate = {"positive": lambda o: o > 0, "negative": lambda o: o == 0, "none": lambda _: True}[scheme.gate]
    rivals = [
        score
        for outcome, score in zip(outcomes, scores, strict=True)
        if not alone and (scheme.normalize == "group_max" or gate(outcome))
    ]
    best = max(rivals, default=Fraction(0)) or Fraction(1)
    eta = Fraction(scheme.eta)
    rewards = []
    for each, outcome, score in zip(rollouts, outcomes, scores, strict=True):
        if not any(entity.weight > 0 for entity in gold.entities) and scheme.empty_rubric == "outcome_only":
            rewards.append(outcome)
        elif each.zeroed or not (gate(outcome)):
            rewards.append(outcome if scheme.gate == "negative" else Fraction(0))
        elif scheme.gate == "negative":
            rewards.append(eta * score / best)
        else:
            rewards.append((1 - eta) * outcome + eta * score / best)
    return rewards


def _twin_score(rollout: Components, gold: Rubric, scheme: wire.LongTrace | wire.Gear) -> Fraction:
    places = {entity.id: place for place, entity in enumerate(gold.entities)}
    positive = sum((Fraction(each.weight) for each in gold.entities if each.weight > 0), Fraction(0))

    def credit_of(place: int) -> Fraction:
        earned = Fraction(rollout.credits[place])
        for needed in set(gold.entities[place].requires):
            below = credit_of(places[needed])
            if isinstance(scheme, wire.Gear):
                earned *= below + (1 - below) * Fraction(scheme.lam)
            elif below == 0:
                earned = Fraction(0)
        return earned

    if rollout.zeroed or not positive:
        return Fraction(0)
    gained = sum(Fraction(each.weight) * credit_of(place) for place, each in enumerate(gold.entities))
    return max(Fraction(0), gained / positive)
