"""A call of one rollout is what it would be if it were read as a whole, whoever is under way beside it."""

from __future__ import annotations

import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.intake import parse_score
from rubric.wire import ScoreRequest
from tests.trainer_client.double import group
from trainer_client import FixRequest, protocol
from trainer_client.coalesce import body
from trainer_client.lone import Known

GROUP = group(
    0.5,
    question="Who?",
    answer={"value": "she", "aliases": []},
    scheme={"name": "longtrace"},
    rubric={"entities": [{"name": "RedOne", "hop": 1}]},
)


def test_a_rubric_is_read_once_for_calls_under_way_and_forgotten_with_them():
    known = Known()
    calls = [known.lone(json.loads(json.dumps(GROUP))) for _ in range(3)]
    assert len({id(call.shared) for call in calls}) == 1
    del calls
    gc.collect()
    assert len(known._shared) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"question": 7},
        {"rubric": {"entities": [{"name": "RedOne", "hop": True}]}},
        {"rubric": {"entities": [{"name": "RedOne", "hop": 1.0}]}},
        {"rubric": {"entities": ({"name": "RedOne", "hop": 1},)}},
        {"labels": {1: "x"}},
        {"labels": object()},
        {"rollouts": [{"response": "x", "outcome": 2.0}]},
        {"rollouts": [{"response": 7}]},
        {"id": 7},
    ],
)
def test_what_is_refused_alone_is_refused_beside_an_equal_call_with_the_same_faults(fields):
    known = Known()
    beside = known.lone(GROUP)
    wrong = {**GROUP, **fields}
    with pytest.raises(FixRequest) as alone:
        protocol.read_request(wrong)
    with pytest.raises(FixRequest) as found:
        known.lone(wrong)
    assert found.value.faults == alone.value.faults
    assert beside is not None


def test_a_label_of_text_is_not_mistaken_for_one_of_a_number():
    known = Known()
    beside = known.lone({**GROUP, "labels": {"1": "x"}})
    with pytest.raises(FixRequest):
        known.lone({**GROUP, "labels": {1: "x"}})
    assert beside is not None


ids = st.none() | st.text(max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
rollouts = st.builds(
    lambda text, own, cut: {"response": text, "id": own, "status": "truncated" if cut else "completed"},
    texts,
    st.none() | texts,
    st.booleans(),
)


@given(texts, ids, st.lists(rollouts, min_size=1, max_size=4), st.booleans())
def test_what_travels_together_is_what_was_asked_but_for_the_names(question, name, given_, as_model):
    known, whole = Known(), {**GROUP, "question": question, "id": name}
    each = [{**whole, "rollouts": [rollout]} for rollout in given_]
    calls = [known.lone(ScoreRequest.model_validate(one) if as_model else one) for one in each]
    named = [{**rollout, "id": f"k{at}"} for at, rollout in enumerate(given_)]
    meant = ScoreRequest.model_validate({**whole, "rollouts": named, "alone": True})
    assert parse_score(body(calls)) == parse_score(protocol.score_body(meant))
    assert len({call.group for call in calls}) == 1


def test_calls_as_models_and_as_plain_data_belong_together():
    assert Known().lone(GROUP).group == Known().lone(ScoreRequest.model_validate(GROUP)).group


@pytest.mark.parametrize("given_", [group(0.1, 0.2), {**GROUP, "rollouts": []}, {}, [], "x"])
def test_what_is_no_lone_rollout_is_left_to_others(given_):
    assert Known().lone(given_) is None
