"""The contract without a connection: what is sent, how answers are read, and when nobody tries again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.intake import parse_score
from rubric.wire import Dropout, LongTrace, ScoreRequest
from service.errors import PROBLEMS
from tests.service import bodies
from tests.trainer_client.double import group, reply
from trainer_client import FixRequest, StopRun, TryLater, protocol
from trainer_client.protocol import Answer, Break, Broken, Next, Scored, Trouble

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def refusal(status, body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return protocol.read_refusal(Answer(status, named, body), now=NOW)


def problem(kind, **fields):
    return json.dumps({"type": f"urn:cairn:problem:{kind}", "detail": "d", **fields}).encode()


# --- what is sent -----------------------------------------------------------------------------------------


def test_the_service_reads_the_very_request_that_was_meant():
    request = ScoreRequest.model_validate(
        bodies.group(
            bodies.FOUR,
            {"messages": [{"role": "assistant", "content": "x"}], "status": "truncated", "id": "b"},
            id="g",
            scheme={"name": "longtrace", "eta": 0.5, "dropout": {"share": 0.2, "step": 3}},
            verifier={"name": "match"},
            labels={"source": "longqa"},
            explain=False,
        )
    )
    read = parse_score(protocol.score_body(request))
    named = request.model_copy(update={"rollouts": read.rollouts, "rubric": read.rubric})
    assert read == named
    assert [each.response for each in read.rollouts] == [each.response for each in request.rollouts]


@pytest.mark.parametrize("scheme", ["outcome", "longtrace", "e-grpo", "c-grpo", "longrlvr", "rar", "gear"])
def test_no_scheme_loses_its_name_or_its_numbers_on_the_way(scheme):
    request = ScoreRequest.model_validate(group(0.5, scheme={"name": scheme}))
    assert parse_score(protocol.score_body(request)).scheme == request.scheme


def test_fields_that_an_older_service_does_not_know_are_not_sent_at_their_default():
    assert set(json.loads(protocol.score_body(ScoreRequest.model_validate(group(0.5))))) == {
        "rubric",
        "rollouts",
    }


def test_plain_data_that_is_no_request_is_told_where_it_is_wrong():
    with pytest.raises(FixRequest) as caught:
        protocol.read_request({"rubric": {"entities": [{"nam": "x"}]}, "rollouts": []})
    assert {fault.path for fault in caught.value.faults} == {
        "$.rubric.entities[0].name",
        "$.rubric.entities[0].nam",
        "$.rollouts",
    }


@given(st.floats(0.001, 1e4))
def test_the_service_is_never_given_more_time_than_there_is(budget_s):
    said = int(protocol.headers(budget_s=budget_s, trace="t", span="s")["x-request-timeout-ms"])
    assert 1 <= said <= max(1, budget_s * 1e3)


# --- what comes back --------------------------------------------------------------------------------------

IDS = ["k0", "k1"]
GOOD = reply(group(0.25, 0.5))


def read(body):
    return protocol.read_score(json.dumps(body).encode(), ids=IDS)


def test_rewards_keep_the_order_of_the_rollouts():
    assert read(GOOD).rewards == (0.25, 0.5)


def test_a_newer_service_may_say_more():
    more = json.loads(json.dumps(GOOD)) | {"new": {"a": 1}}
    more["rollouts"][1] |= {"newer": [1], "newest": None}
    assert read(more) == read(GOOD)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"0.5",
        b"{}",
        json.dumps(GOOD).encode()[:-9],
        json.dumps(GOOD).replace("0.25", "NaN").encode(),
        json.dumps(GOOD | {"rollouts": GOOD["rollouts"][:1]}).encode(),
        json.dumps(GOOD | {"rollouts": GOOD["rollouts"][::-1]}).encode(),
        json.dumps(
            GOOD | {"rollouts": [GOOD["rollouts"][0] | {"reward": None}, GOOD["rollouts"][1]]}
        ).encode(),
        json.dumps(
            GOOD | {"rollouts": [GOOD["rollouts"][0] | {"status": "failed"}, GOOD["rollouts"][1]]}
        ).encode(),
        json.dumps(GOOD | {"new": 1, "profile": 7}).encode(),
    ],
)
def test_a_reply_that_does_not_answer_the_request_is_no_reply(body):
    found = protocol.read_score(body, ids=IDS)
    assert (found.kind, found.next) == ("bad_reply", Next.AGAIN)


@given(st.binary() | st.text().map(str.encode) | st.recursive(st.none() | st.integers(), st.lists).map(str))
def test_no_answer_whatever_breaks_the_reader(body):
    raw = body if isinstance(body, bytes) else body.encode()
    assert isinstance(protocol.read_score(raw, ids=IDS), Trouble)
    assert refusal(500, raw).kind == "http_500"


@pytest.mark.parametrize("kind", PROBLEMS)
def test_every_refusal_of_the_service_leads_to_the_right_next_step(kind):
    found = refusal(PROBLEMS[kind].status, problem(kind))
    expected = {401: Next.STOP, 403: Next.STOP, 404: Next.STOP, 405: Next.STOP}.get(
        PROBLEMS[kind].status, Next.AGAIN if PROBLEMS[kind].status in {408, 429, 500, 503, 504} else Next.FIX
    )
    assert (found.kind, found.next) == (kind, expected)


@given(st.integers(100, 999).filter(lambda status: status != 200), st.binary(max_size=20))
def test_a_status_of_a_proxy_is_tried_again_only_where_that_may_help(status, body):
    found = refusal(status, body)
    if status in {404, 405, 408, 425, 429} or status >= 500:
        assert found.next is Next.AGAIN
    else:
        assert found.next is (Next.STOP if status < 400 or status in {401, 403} else Next.FIX)


def test_what_is_wrong_with_a_request_comes_back_with_its_path():
    found = refusal(422, problem("invalid_rubric", errors=[{"path": "$.rubric", "message": "m"}, 7]))
    assert [(fault.path, fault.message) for fault in found.error().faults] == [("$.rubric", "m")]


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        ("Thu, 01 Jan 2026 00:00:05 -0000", 5),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 400, float("inf")),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nothing_else(given_, seconds):
    assert refusal(503, retry_after=given_).after_s == seconds


def test_every_failure_that_was_not_scored_is_one_of_the_wire_and_has_no_number():
    scored = protocol.failed(IDS, protocol.read_broken(Broken(Break.CUT, "ReadError")))
    assert scored.rewards == (None, None)
    assert {failure.type for failure in scored.failures} == {"cut"}
    assert [rollout.id for rollout in scored.rollouts] == ["k0", "k1"]


@pytest.mark.parametrize(
    ("next_", "error"), [(Next.AGAIN, TryLater), (Next.FIX, FixRequest), (Next.STOP, StopRun)]
)
def test_the_error_of_a_trouble_says_what_to_do_next(next_, error):
    assert type(Trouble("k", "d", next_).error()) is error


@pytest.mark.parametrize(("next_", "error"), [(Next.AGAIN, TryLater), (Next.FIX, FixRequest)])
def test_a_failure_can_be_raised_by_loops_that_leave_out_what_raises(next_, error):
    with pytest.raises(error):
        protocol.failed(IDS, Trouble("k", "d", next_)).raise_for_failure()
    assert isinstance(read(GOOD).raise_for_failure(), Scored)


# --- whether to try again ---------------------------------------------------------------------------------

troubles = st.builds(
    Trouble,
    st.just("k"),
    st.just("d"),
    st.sampled_from(Next),
    after_s=st.none() | st.floats(0, 100),
    busy=st.booleans(),
    down=st.booleans(),
    suspect=st.booleans(),
)


@given(st.lists(troubles, min_size=1, max_size=40), st.floats(0, 1000), st.floats(0, 1))
def test_no_pause_leads_past_the_deadline_or_ignores_what_the_service_asks_for(had, remaining_s, spread):
    wait = protocol.pause(had, remaining_s=remaining_s, spread=spread)
    if wait is not None:
        assert (had[-1].after_s or 0.0) < wait < remaining_s
        assert had[-1].next is Next.AGAIN
        assert sum(trouble.suspect for trouble in had) < protocol.MOST_SUSPECT


@given(st.lists(troubles, min_size=1, max_size=40), st.floats(0, 1))
def test_a_call_that_may_go_on_does_go_on_while_there_is_time(had, spread):
    may = had[-1].next is Next.AGAIN and sum(trouble.suspect for trouble in had) < protocol.MOST_SUSPECT
    assert (protocol.pause(had, remaining_s=1e9, spread=spread) is not None) == may


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_to_a_bound(times, spread):
    shorter, longer = (protocol.backoff(each, spread=spread) for each in (times, times + 1))
    assert 0 < shorter <= longer <= 5.0


def test_calls_that_failed_together_do_not_come_back_together():
    assert len({protocol.backoff(3, spread=spread / 8) for spread in range(9)}) == 9


def test_dropout_is_part_of_the_scheme_that_is_sent():
    request = ScoreRequest.model_validate(group(0.5, id="g")).model_copy(
        update={"scheme": LongTrace(dropout=Dropout(share=0.5, step=2))}
    )
    assert parse_score(protocol.score_body(request)).scheme == request.scheme
