"""A judge or a model that is slow, down or talks nonsense costs its own rollouts, and no other a digit."""

from __future__ import annotations

import itertools
import threading

import pytest

from tests.faults.proxy import BlackHole, Corrupt, Cut, Refuse, Reset, Slow
from tests.faults.world import BODIES, by_judge, by_match, by_model
from tests.service.judge import double

SEEDS = itertools.count(100)
DOWN = {"judge_unreachable", "judge_timeout"}
JUDGE_LINES = [
    *((fault, DOWN) for fault in (Refuse(), Reset(), BlackHole(), Slow(1.5))),
    *((Cut(after), DOWN) for after in (0, 60, 300)),
    *((Corrupt(every), {*DOWN, "judge_unparsable", "judge_refused"}) for every in (1, 7, 40)),
]


def test_a_bad_line_to_the_judge_fails_what_it_decides_and_moves_nothing_else(world):
    world.recover()
    for fault, kinds in JUDGE_LINES:
        body = by_judge(next(SEEDS))
        world.to_judge.fault = fault
        replies = [(world.post(each), each) for each in (body, BODIES[0])]
        world.to_judge.fault = None
        failures = [world.law.kept(*each) for each in replies]
        assert failures[0] <= kinds, fault
        assert failures[0] or isinstance(fault, Corrupt), fault
        assert failures[1] == set(), fault


def test_a_judge_that_fails_at_random_under_load_moves_no_reward(world):
    """Every kind of nonsense, beside right answers."""
    world.recover()
    nonsense = [
        *(double.answers(None), double.answers(500, {}), double.answers(200, {"choices": []})),
        *(double.cuts(), double.refuses(), double.writes(""), double.writes("correct: yes and no")),
        *(double.writes("correct: maybe"), double.answers(429, {"error": {}}, retry_after="0")),
        *(double.answers(401, {}), double.writes("NaN"), double.writes("1e999" * 1000), double.honest),
    ]

    async def moody(asked):
        return await nonsense[asked.place % len(nonsense)](asked)

    bodies = [by_judge(next(SEEDS)) for _ in range(4 * len(nonsense))]
    honest, world.judge.behavior = world.judge.behavior, moody
    try:
        replies = world.scored(bodies)
    finally:
        world.judge.behavior = honest
    failures = [world.law.kept(reply, body) for reply, body in zip(replies, bodies, strict=True)]
    kinds = set().union(*failures)
    assert kinds >= {"judge_unreachable", "judge_unparsable", "judge_refused"}
    assert all(kind.startswith("judge_") for kind in kinds)


MODEL_LINES = [Refuse(), Reset(), BlackHole(), Slow(1.5), Cut(0), Cut(60), Cut(2000)]


def test_a_bad_line_to_the_model_fails_what_needs_it_and_moves_nothing_else(world):
    world.recover()
    for fault in MODEL_LINES:
        body = by_model(next(SEEDS))
        world.to_model.fault = fault
        replies = [(world.post(each), each) for each in (body, by_match(0))]
        world.to_model.fault = None
        failures = [world.law.kept(*each) for each in replies]
        assert failures == [{"embedding_failed"}, set()], fault


ROWS = {
    "nothing": lambda row: [None] * len(row),
    "a hole": lambda row: [*row[:-1], None],
    "only zeros": lambda row: [0.0] * len(row),
    "beyond a float": lambda row: [1e39] * len(row),
    "an overflow of the length": lambda row: [3e38] * len(row),
}


@pytest.mark.parametrize("how", ROWS)
def test_a_poison_rollout_in_a_shared_batch_fails_alone(world, how):
    """What the model makes of one text is no number; everybody else's vectors come with it."""
    world.recover()
    bodies = [_with_poison(next(SEEDS)) for _ in range(6)]
    asked = Asked()

    def spoil(answer):
        texts = asked.mine
        return [ROWS[how](row) if "Poison" in text else row for text, row in zip(texts, answer, strict=True)]

    world.model.asked, world.model.spoil = asked, spoil
    try:
        replies = world.scored(bodies)
    finally:
        world.model.spoil = lambda answer: answer
    assert max(len(texts) for texts in asked if any("Poison" in text for text in texts)) > 1
    for reply, body in zip(replies, bodies, strict=True):
        assert world.law.kept(reply, body) == {"embedding_failed"}
        failed = [each["id"] for each in reply.json()["rollouts"] if each["status"] == "failed"]
        assert failed == ["poison"]


class Asked(list):
    """What the model was asked; `mine`: by the call that this thread answers."""

    def __init__(self):
        super().__init__()
        self._of_thread = threading.local()

    def append(self, texts):
        super().append(texts)
        self._of_thread.texts = texts

    @property
    def mine(self):
        return self._of_thread.texts


def _with_poison(seed):
    body = by_model(seed)
    name = body["rubric"]["entities"][1].removesuffix("an Highlands")
    poison = {"id": "poison", "response": f"In the Poison {name} University of Berkeley.", "outcome": 1.0}
    return {**body, "rollouts": [*body["rollouts"], poison]}
