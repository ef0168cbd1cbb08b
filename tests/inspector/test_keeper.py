from __future__ import annotations

import httpx
import orjson
import pytest

from service.inspector.keeper import Keeper
from service.scoring import Scored
from tests.inspector.browser import serving
from tests.service.bodies import FIVE, FOUR, group


def _scored(name, *, size=0):
    return Scored(orjson.dumps({"id": name, "padding": "x" * size}), rollouts=2)


def _ids(keeper):
    return [each.id for each in keeper.all()]


def test_the_last_groups_are_kept_and_no_more():
    keeper = Keeper(most=2)
    for name in "abc":
        keeper.put(b"{}", _scored(name))
    assert _ids(keeper) == ["c", "b"]
    assert keeper.get("a") is None


def test_a_group_that_is_scored_again_does_not_push_others_out():
    keeper = Keeper(most=2)
    for name in "abb":
        keeper.put(b"{}", _scored(name))
    assert _ids(keeper) == ["b", "a"]


def test_groups_without_an_id_are_told_apart():
    keeper = Keeper(most=3)
    for _ in range(2):
        keeper.put(b"{}", _scored(None))
    assert _ids(keeper) == ["#2", "#1"]


def test_long_groups_cannot_fill_the_memory():
    keeper = Keeper(most=100, most_bytes=1000)
    for name in "abcdef":
        keeper.put(b"{}", _scored(name, size=300))
    keeper.put(b"{}", _scored("huge", size=1000))
    assert _ids(keeper) == ["f", "e", "d"]


def test_a_group_that_grew_too_large_is_not_shown_as_it_was():
    keeper = Keeper(most=100, most_bytes=1000)
    for size in (0, 1000):
        keeper.put(b"{}", _scored("a", size=size))
    assert _ids(keeper) == []


def test_nothing_is_kept_unless_somebody_asks_for_it():
    keeper = Keeper(most=0)
    keeper.put(b"{}", _scored("a"))
    assert _ids(keeper) == []


def test_what_was_kept_is_given_to_nobody_without_a_key():
    with serving(keep=2, api_keys="secret") as url, httpx.Client(base_url=url) as client:
        key = {"authorization": "Bearer secret"}
        client.post("/score", json=group(FOUR, FIVE, id="step 1/prompt"), headers=key).raise_for_status()
        for path in ("/inspector/groups", "/inspector/groups/step%201/prompt"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"x-api-key": "wrong"}).status_code == 403
        listed = client.get("/inspector/groups", headers=key).json()
        assert listed == {"groups": [{"id": "step 1/prompt", "rollouts": 2}]}
        kept = client.get("/inspector/groups/step%201/prompt", headers=key)
        assert kept.headers["cache-control"] == "no-store"
        assert kept.json()["request"] == group(FOUR, FIVE, id="step 1/prompt")
        assert [each["reward"] for each in kept.json()["reply"]["rollouts"]] == [0.94, 1.0]


def test_a_refused_body_is_not_kept(site):
    with httpx.Client(base_url=site) as client:
        before = client.get("/inspector/groups").json()
        assert client.post("/score", json={"id": "refused"}).status_code == 422
        assert client.get("/inspector/groups").json() == before


@pytest.mark.parametrize(
    "path", ["/inspector/groups/unknown", "/inspector/assets.py", "/inspector/..%2fassets.py"]
)
def test_what_is_not_there_cannot_be_asked_for(site, path):
    assert httpx.get(site + path).status_code == 404
