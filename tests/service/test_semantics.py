"""The embedding stage through the real service: no verdict depends on the company that a text has."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from rubric import pair
from rubric.embedder import HashEmbedder
from rubric.intake import parse_score
from rubric.job import Defaults, Profile
from rubric.likeness import FEATURES
from rubric.score import Asking, Model, score_group
from service.bootstrap import build_parts
from service.embedding.backend import MissingPart, ModelFault
from service.settings import Settings
from tests.service.serving import metric, running, wait_until
from tests.service.store import server as store
from tests.service.test_statuses import refused

SCORER = {
    "model": HashEmbedder().identity,
    "features": list(FEATURES),
    "scale": 1000,
    "base": -4000,
    "threshold": 0,
    "floor": -1500,
    "margin": 500,
    "usual": [0.0] * len(FEATURES),
    "trees": [
        ["cosine", 0.30005, 0, ["cosine", 0.45005, 1000, 2000]],
        ["covered", 0.40005, 0, ["covered", 0.70005, 1000, 2500]],
    ],
}
"""A name of the entity is what covers it and is spelled like it."""

GOLDS = [
    ["University of California, Berkeley", "Highlands of Guatemala", "Lady Gaga"],
    ["Angela Dorothea Merkel", "Dallas County, Texas", "RedOne"],
    ["Guatemalan Highlands", "Berkeley Castle", "Apollo 11"],
]
TEXTS = [
    "In the end he went to the California University in Berkeley. Lady Gaga did not.",
    "German Chancellor Angela Merkel spoke in Dallas County; RedOne listened.",
    "Nobody saw Guatemala’s highlands in May, and Apollo 12 flew over the Castle of Berkeley.",
    "The highlands of Guatemala are high. Not Angela Merkel, but Chancellor Merkel spoke.",
]


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    path = tmp_path_factory.mktemp("calibration") / "hash.json"
    path.write_text(json.dumps(SCORER))
    return path


@contextmanager
def serving(scorer, **settings):
    given = {"embedding_model": "hash", "calibration": scorer, "profile": "balanced", "workers": 2}
    with running(**{**given, **settings}) as server, server.client() as client:
        yield client


def body(golds, texts, **more):
    rollouts = [{"response": text, "outcome": 1.0} for text in texts]
    return {"rubric": {"entities": golds}, "rollouts": rollouts, **more}


def score(client, given):
    reply = client.post("/score", json=given)
    assert reply.status_code == 200, reply.text
    return reply.json()


def criteria(reply):
    return [rollout["criteria"] for rollout in reply["rollouts"]]


def test_a_name_in_other_words_is_found_with_its_evidence(calibration):
    with serving(calibration) as client:
        reply = score(client, body(GOLDS[2], TEXTS[2:3]))
        highlands, castle, apollo = criteria(reply)[0]
        exact = criteria(score(client, body(GOLDS[0], TEXTS[:1])))[0][2]
        steps = metric(client, "cairn_embed_step_texts_count")
    assert reply["degraded"] == []
    assert (highlands["hit"], highlands["stage"]) == (True, "embedding")
    assert TEXTS[2][highlands["start"] : highlands["end"]] == highlands["surface"] == "Guatemala’s highlands"
    assert 0 < highlands["similarity"] < 1
    assert any(reason.startswith("covered") for reason in highlands["reasons"])
    assert (castle["hit"], castle["near_miss"]["surface"]) == (False, "Castle of Berkeley")
    assert (apollo["hit"], apollo["near_miss"]["reason"]) == (False, "numbers differ: 11 / 12")
    assert (exact["stage"], exact["reasons"]) == ("exact", [])
    assert steps > 0
    assert reply["timings_ms"]["embed"] > 0


def test_the_service_and_the_pure_core_say_the_same(calibration):
    model = Model(HashEmbedder(), Asking(pair.parse(calibration.read_text())))
    with serving(calibration) as client:
        for golds in GOLDS:
            given = body(golds, TEXTS)
            served = score(client, given)
            pure = score_group(
                parse_score(json.dumps(given).encode()), defaults=Defaults(Profile.BALANCED), model=model
            )
            assert served | {"timings_ms": None} == pure.model_dump(mode="json") | {"timings_ms": None}


def test_no_verdict_depends_on_company_order_or_cache(calibration):
    chance = random.Random(7)
    with serving(calibration) as client:
        alone = {
            (at, text): criteria(score(client, body(golds, [text])))[0]
            for at, golds in enumerate(GOLDS)
            for text in TEXTS
        }
    mixtures = []
    for _ in range(24):
        at = chance.randrange(len(GOLDS))
        mixtures.append((at, chance.sample(TEXTS, chance.randint(1, len(TEXTS)))))
    for settings in ({"workers": 0}, {"workers": 2, "cache_bytes": 0}):
        with serving(calibration, **settings) as client, ThreadPoolExecutor(8) as pool:
            replies = pool.map(lambda each: score(client, body(GOLDS[each[0]], each[1])), mixtures)
            for (at, texts), reply in zip(mixtures, replies, strict=True):
                assert criteria(reply) == [alone[at, text] for text in texts]


def test_another_server_does_not_encode_the_names_of_a_rubric_again(calibration):
    first, second = ({**body(GOLDS[2], [text]), "id": text[:7]} for text in (TEXTS[2], TEXTS[2] + " Still."))
    with serving(calibration) as client:
        without = score(client, second)
        every = metric(client, "cairn_embed_step_texts_sum")
    with store.serving(next(iter(store.binaries().values()))) as redis:
        shared = {"redis_url": redis.url, "redis_budget_ms": 1000, "workers": 1}
        with serving(calibration, **shared) as client:
            score(client, first)
            wait_until(lambda: redis.say("DBSIZE") == b":2")
        with serving(calibration, **shared) as client:
            assert criteria(score(client, second)) == criteria(without)
            assert metric(client, "cairn_embed_step_texts_sum") < every
            assert metric(client, "cairn_cache_lookups_total", result="hit") == 0


def test_the_model_and_its_calibration_are_in_the_fingerprint(calibration, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps(SCORER | {"margin": 600}))
    prints = []
    for settings in ({}, {"calibration": other}, {"semantic": "exhaustive"}):
        with serving(calibration, workers=0, **settings) as client:
            reply = score(client, body(GOLDS[0], TEXTS[:1]))
            strict = score(client, body(GOLDS[0], TEXTS[:1], profile="strict"))
            prints.append((reply["fingerprint"], strict["fingerprint"]))
    assert len({balanced for balanced, _ in prints}) == 3
    assert len({strict for _, strict in prints}) == 1


def test_an_exhaustive_search_finds_at_least_what_the_fast_one_finds(calibration):
    hits = {}
    for how in ("fast", "exhaustive"):
        with serving(calibration, workers=0, semantic=how) as client:
            found = [criteria(score(client, body(golds, TEXTS))) for golds in GOLDS]
            hits[how] = {
                (at, row, each["id"])
                for at, group in enumerate(found)
                for row, entities in enumerate(group)
                for each in entities
                if each["hit"]
            }
    assert hits["fast"] <= hits["exhaustive"]
    assert hits["fast"]


def test_balanced_without_a_model_is_refused_unless_allowed():
    with running(workers=0) as server, server.client() as client:
        problem = refused(
            client.post("/score", json=body(GOLDS[0], TEXTS[:1], profile="balanced")), 422, "invalid_request"
        )
        assert problem["errors"][0]["path"] == "$.profile"
    with running(workers=0, degrade=1) as server, server.client() as client:
        assert score(client, body(GOLDS[0], TEXTS[:1], profile="balanced"))["degraded"] == ["embedding"]


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"profile": "balanced"}, MissingPart, "CAIRN_EMBEDDING_MODEL"),
        ({"embedding_model": "hash"}, ModelFault, "CAIRN_CALIBRATION"),
        ({"embedding_model": "hash", "calibration": "/nowhere"}, ModelFault, "No such file"),
    ],
)
def test_a_stage_that_is_not_whole_stops_the_start(settings, error, told):
    with pytest.raises(error, match=told):
        build_parts(Settings(workers=0, **settings))


def test_a_calibration_for_another_model_stops_the_start(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(SCORER | {"model": "another"}))
    with pytest.raises(ModelFault, match="was made for another"):
        build_parts(Settings(workers=0, embedding_model="hash", calibration=path))
