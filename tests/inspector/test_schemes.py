"""The page works rewards out by itself: to the last bit what `rubric/schemes.py` says of the same group."""

from __future__ import annotations

import math
import random

import orjson
import pytest

from rubric.entity import Criterion, CriterionFlag, Field, RolloutFlag, Span, Stage, Verdict
from rubric.errors import CannotScore, InvalidInput
from rubric.intake import parse_score
from rubric.job import Defaults, prepare
from rubric.reply import compose
from rubric.wire import DEFAULT_LIMITS

GROUPS = 400
WORK_OUT = """async (text) => {
  const { SCHEMES, groupOf, obstacle, rewardGroup } = await import("/inspector/schemes.js");
  const worked = JSON.parse(text).map(({ request, reply, scheme }) => {
    const group = groupOf(request, reply);
    const whole = { ...SCHEMES[scheme.name], ...scheme };
    const why = obstacle(group, whole);
    if (why) return { why };
    const { rollouts, mean, deviation, degenerate, scored } = rewardGroup(group, whole);
    const told = (each) => [each.reward, each.score, each.normalized, each.hits, each.total];
    const rewards = rollouts.map((each) => each && told(each));
    const credits = rollouts.map((each) => each && each.credits);
    return { rewards, credits, mean, deviation, degenerate, scored };
  });
  return JSON.stringify(worked);
}"""


def test_the_page_never_shows_another_reward_than_the_server_would_give(page):
    chance = random.Random(5)
    cases = [case for case in (_case(chance) for _ in range(GROUPS)) if case]
    worked = _worked_out(page, [given for given, _ in cases])
    assert [each.get("why") for each in worked] == [None] * len(cases)
    for (given, expected), found in zip(cases, worked, strict=True):
        size = len(given["request"]["rubric"]["entities"])
        deviation = found.pop("deviation")  # a square root: its last bit is the platform's own
        assert found == _told(expected, size=size), given["scheme"]
        assert (deviation or 0.0) == pytest.approx(expected.group.reward_std or 0.0, rel=1e-12)
    assert len(cases) > GROUPS * 0.8


def test_sums_are_rounded_once_as_fsum_does(page):
    chance = random.Random(6)
    lists = [
        [chance.choice((1, -1)) * chance.random() * 10.0 ** chance.randint(-12, 12) for _ in range(size)]
        for size in range(200)
    ]
    lists += [[1e16, 1.0, -1e16], [0.1] * 10, [1e100, 1.0, -1e100, 1e-30], [2.0**53, 1.0, 2.0**-60]]
    sums = page.evaluate(
        "async (lists) => lists.map((await import('/inspector/schemes.js')).exactSum)",
        lists,
    )
    assert sums == [math.fsum(each) for each in lists]


@pytest.mark.parametrize(
    ("scheme", "own", "why"),
    [
        ({"name": "longrlvr"}, {"name": "rar"}, "only the server counts them"),
        ({"name": "rar"}, {"name": "longrlvr"}, "other schemes look for names"),
        ({"name": "outcome"}, {"name": "rar"}, "needs an outcome"),
    ],
)
def test_what_a_reply_does_not_tell_is_not_made_up(page, scheme, own, why):
    request = {"rubric": {"entities": ["chunk 1"]}, "rollouts": [{"response": "CHUNK_1"}], "scheme": own}
    if own["name"] == "longrlvr":
        request["rollouts"][0]["outcome"] = 1.0
    reply = _reply(request, [_verdict([True])])
    given = {"request": request, "reply": orjson.loads(reply.model_dump_json()), "scheme": scheme}
    assert why in _worked_out(page, [given])[0]["why"]


def _worked_out(page, given):
    """By the page. Both ways as JSON, which keeps every bit of a double."""
    return orjson.loads(page.evaluate(WORK_OUT, orjson.dumps(given).decode()))


# --- random groups, scored under one scheme and asked about under another ---------------------------------


def _case(chance):
    """A request with its reply, a scheme, and the reply that the server gives under it."""
    request = _request(chance)
    size = len(request["rubric"]["entities"])
    verdicts = [
        _random_verdict(chance, size) if each["status"] == "completed" else None
        for each in request["rollouts"]
    ]
    scheme = _scheme(chance)
    try:
        reply = _reply(request, verdicts)
        expected = _reply(request | {"scheme": scheme}, verdicts)
    except InvalidInput:
        return None
    return {
        "request": request,
        "reply": orjson.loads(orjson.dumps(reply.model_dump())),
        "scheme": scheme,
    }, expected


def _reply(request, verdicts):
    job = prepare(parse_score(orjson.dumps(request), limits=DEFAULT_LIMITS), Defaults())
    return compose(job, verdicts)


def _request(chance):
    size = chance.randint(1, 9)
    entities = [
        {"id": f"n{at}", "name": f"name {at}", "weight": _weight(chance), "requires": _requires(chance, at)}
        for at in range(size)
    ]
    chance.shuffle(entities)
    policy = {
        flag: chance.choice(["count", "ignore", "zero"]) for flag in ("negated", "in_list", "entity_dump")
    }
    return {
        "id": "random",
        "rubric": {"entities": entities, "policy": policy if chance.random() < 0.4 else {}},
        "rollouts": [_rollout(chance) for _ in range(chance.choice([1, 2, 3, 8, 16]))],
        "alone": chance.random() < 0.1,
        "scheme": _scheme(chance, any_echo=True),
    }


def _rollout(chance):
    status = "truncated" if chance.random() < 0.1 else "completed"
    outcome = chance.choice([0.0, 0.0, 1.0, 1.0, 1.0, chance.random()])
    return {"response": "text", "outcome": outcome, "status": status}


def _weight(chance):
    return chance.choice([1.0, 1.0, 1.0, chance.uniform(0.1, 7.0), -chance.uniform(0.1, 3.0), 0.0])


def _requires(chance, at):
    few = chance.sample(range(at), k=min(at, chance.choice([0, 0, 0, 1, 2])))
    return [f"n{each}" for each in few]


def _scheme(chance, *, any_echo=False):
    share = round(chance.random(), chance.choice([1, 2, 17]))
    normalize = chance.choice(["group_max", "gated_max", "none"])
    gate = chance.choice(["positive", "negative", "none"])
    schemes = [
        {"name": "longtrace", "eta": share, "gate": gate, "normalize": normalize},
        {"name": "longtrace", "eta": share, "empty_rubric": "scaled"},
        {"name": "e-grpo", "alpha": share, "normalize": normalize},
        {"name": "c-grpo", "alpha": share, "normalize": normalize},
        {"name": "rar"},
        {"name": "healthbench", "clip": chance.random() < 0.5},
        {"name": "gear", "lambda": share},
        {"name": "outcome"},
    ]
    if any_echo:
        schemes += schemes[:1] * 6
    return chance.choice(schemes)


def _random_verdict(chance, size):
    if chance.random() < 0.05:
        return CannotScore("worker_lost", "gone", retryable=True)
    flags = (RolloutFlag.ENTITY_DUMP,) if chance.random() < 0.1 else ()
    return _verdict([chance.random() < 0.6 for _ in range(size)], flags=flags, chance=chance)


def _verdict(hits, *, flags=(), chance=None):
    span = Span(Field.CONTENT, 0, 4, "text")

    def marks():
        few = [CriterionFlag.NEGATED, CriterionFlag.IN_LIST] if chance else []
        return tuple(each for each in few if chance.random() < 0.2)

    criteria = tuple(
        Criterion(at, 1.0, Stage.EXACT, span, 1.0, flags=marks()) if hit else Criterion(at, 0.0)
        for at, hit in enumerate(hits)
    )
    return Verdict(criteria, None, flags, None)


def _told(reply, *, size):
    """What the page must have found."""
    ok = [each if each.status == "ok" else None for each in reply.rollouts]
    return {
        "rewards": [
            each
            and [
                each.reward,
                each.rubric.score,
                each.rubric.normalized,
                each.rubric.hits,
                each.rubric.total,
            ]
            for each in ok
        ],
        "credits": [each and ([c.credit for c in each.criteria] or [0.0] * size) for each in ok],
        "mean": reply.group.reward_mean,
        "degenerate": reply.group.degenerate,
        "scored": reply.group.scored,
    }
