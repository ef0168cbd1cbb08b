"""Stored rollouts become the groups that were meant, and nothing of them is dropped in silence."""

from __future__ import annotations

import gzip
import json
import pickle

import pytest

from rubric.intake import parse_score
from service.rows import Choices, Notices
from service.stored import BadLine, StoredGroup, Unreadable, read_groups

GROUP = {
    "id": "g1",
    "question": "Who produced it?",
    "answer": {"value": "RedOne"},
    "rubric": {"entities": ["RedOne", {"name": "Lady Gaga"}]},
    "rollouts": [{"id": "a", "response": "RedOne did."}, {"id": "b", "response": "Nobody."}],
}


def row(response, *, question="Who produced it?", rubrics=("RedOne", "Lady Gaga"), info=None, **fields):
    reward_info = {"question": question, "rubrics": list(rubrics)} | (info or {})
    return {"label": "RedOne", "metadata": {"extra_reward_info": reward_info}, "response": response} | fields


def sample(response, *, group, index, status="completed", **fields):
    """The fields of slime's `Sample.to_dict` that matter, and some of those that do not."""
    bookkeeping = {"prompt": "…", "tokens": [1, 2], "reward": 1.0, "loss_mask": None, "session_id": None}
    return row(response, group_index=group, index=index, status=status) | bookkeeping | fields


def read(tmp_path, *lines, name="stored.jsonl", choices=None, notices=None):
    path = tmp_path / name
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines))
    return list(read_groups(path, choices=choices, notices=notices))


def requests(items):
    assert not [item for item in items if isinstance(item, BadLine)]
    return [parse_score(item.body) for item in items]


def test_a_score_body_is_read_as_it_stands(tmp_path):
    (item,) = read(tmp_path, GROUP)
    assert json.loads(item.body) == GROUP
    assert (item.id, item.place.line) == ("g1", 1)


def test_further_fields_of_a_stored_group_are_not_dropped_in_silence(tmp_path):
    notices = Notices()
    stored = GROUP | {
        "dataset": "musique",
        "rubric": {"entities": [{"name": "RedOne", "role": "hop"}]},
        "rollouts": [{"response": "RedOne", "correct": True}, {"response": "", "correct": False}],
    }
    (request,) = requests(read(tmp_path, stored, notices=notices))
    assert [rollout.outcome for rollout in request.rollouts] == [None, None]
    assert str(notices) == "not used: `dataset` of a group, `role` of an entity, `correct` of a rollout"


def test_the_trainers_verdict_is_taken_when_its_field_is_named(tmp_path):
    notices = Notices()
    stored = GROUP | {"rollouts": [{"response": "x", "correct": True}, {"response": "y", "correct": False}]}
    choices = Choices(outcome_field="correct")
    (request,) = requests(read(tmp_path, stored, choices=choices, notices=notices))
    assert [rollout.outcome for rollout in request.rollouts] == [1.0, 0.0]
    assert not notices.names


def test_a_verdict_that_is_null_is_left_to_the_verifier_and_said_so(tmp_path):
    notices = Notices()
    stored = GROUP | {"rollouts": [{"response": "x", "correct": None}]}
    (request,) = requests(read(tmp_path, stored, choices=Choices(outcome_field="correct"), notices=notices))
    assert request.rollouts[0].outcome is None
    assert "`correct` where it is null" in str(notices)


@pytest.mark.parametrize("value", [1.5, -0.1, "yes", [1], float("1e300")])
def test_a_field_that_holds_no_outcome_is_not_scored_as_one(tmp_path, value):
    stored = GROUP | {"rollouts": [{"response": "x", "correct": value}]}
    (item,) = read(tmp_path, stored, choices=Choices(outcome_field="correct"))
    assert isinstance(item, BadLine)
    assert "`correct`" in item.reason


def test_a_misspelled_outcome_field_does_not_fall_back_to_the_verifier(tmp_path):
    (item,) = read(tmp_path, GROUP, choices=Choices(outcome_field="corect"))
    assert isinstance(item, BadLine)


def test_an_outcome_inside_a_rewards_object_is_found(tmp_path):
    line = row("x", reward={"outcome_reward": 1, "rubric_reward": 0.5})
    (request,) = requests(read(tmp_path, line, choices=Choices(outcome_field="reward.outcome_reward")))
    assert request.rollouts[0].outcome == 1.0


def test_what_the_command_line_says_wins_over_what_is_stored(tmp_path):
    stored = GROUP | {"profile": "legacy"}
    (request,) = requests(read(tmp_path, stored, choices=Choices(overrides={"profile": "strict"})))
    assert request.profile == "strict"


# --- rows -------------------------------------------------------------------------------------------------


def test_a_row_of_longtracerl_becomes_a_group_of_one(tmp_path):
    (request,) = requests(read(tmp_path, row("RedOne did.")))
    assert request.question == "Who produced it?"
    assert request.answer.value == "RedOne"
    assert [entity.name for entity in request.rubric.entities] == ["RedOne", "Lady Gaga"]
    assert [rollout.response for rollout in request.rollouts] == ["RedOne did."]


def test_the_reward_info_of_an_evaluate_body_is_found_at_the_top(tmp_path):
    line = {"label": "x", "extra_reward_info": {"question": "q", "rubrics": ["x"]}, "response": "x"}
    (request,) = requests(read(tmp_path, line))
    assert request.question == "q"


def test_a_stored_chat_is_read_as_messages(tmp_path):
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "RedOne"}]
    line = row("") | {"history": chat}
    del line["response"]
    (request,) = requests(read(tmp_path, line))
    assert [message.content for message in request.rollouts[0].messages] == ["q", "RedOne"]


def test_rows_of_one_question_and_group_are_scored_against_each_other(tmp_path):
    lines = [row(f"r{index}", group_index=index // 2) for index in range(4)]
    first, second = requests(read(tmp_path, *lines))
    assert [rollout.response for rollout in first.rollouts] == ["r0", "r1"]
    assert [rollout.response for rollout in second.rollouts] == ["r2", "r3"]


def test_rows_of_different_questions_never_share_a_group(tmp_path):
    items = read(tmp_path, row("a", group_index=0), row("b", group_index=0, question="Another?"))
    assert [len(request.rollouts) for request in requests(items)] == [1, 1]


def test_rows_without_a_group_stay_alone_even_when_they_are_equal(tmp_path):
    assert len(requests(read(tmp_path, row("a"), row("a")))) == 2


def test_a_group_that_was_torn_apart_is_not_normalized_in_two_halves(tmp_path):
    items = read(tmp_path, row("a", group_index=0), row("b", group_index=1), row("c", group_index=0))
    bad = [item for item in items if isinstance(item, BadLine)]
    assert [(item.place.line, "stand together" in item.reason) for item in bad] == [(3, True)]


def test_a_row_with_another_rubric_than_its_group_is_not_scored_with_the_wrong_one(tmp_path):
    items = read(tmp_path, row("a", group_index=0), row("b", group_index=0, rubrics=["Other"]))
    assert [item.place.line for item in items if isinstance(item, BadLine)] == [2]


def test_the_rows_own_settings_are_kept(tmp_path):
    info = {"rubric_reward_ratio": 0.5, "rubric_use_reasoning_content": True, "rubric_use_content": True}
    (request,) = requests(read(tmp_path, row("x", info=info)))
    assert request.scheme.eta == 0.5
    assert request.fields == ["reasoning", "content"]


def test_chunk_ids_are_not_looked_for_as_names(tmp_path):
    line = row("<useful_chunks><CHUNK_3></useful_chunks>", rubrics=[3, 5], info={"dataset_name": "longrlvr"})
    (request,) = requests(read(tmp_path, line))
    assert [(entity.name, entity.kind) for entity in request.rubric.entities] == [
        ("3", "chunk"),
        ("5", "chunk"),
    ]
    assert request.scheme.name == "longrlvr"


# --- dumps ------------------------------------------------------------------------------------------------


def test_a_dump_of_slime_is_grouped_by_its_group_index(tmp_path):
    samples = [sample(f"r{index}", group=index // 2, index=index) for index in range(4)]
    items = read(tmp_path, {"rollout_id": 7, "samples": samples})
    first, second = requests(items)
    assert [(item.id, item.place.line) for item in items] == [("7/0", 1), ("7/1", 1)]
    assert [rollout.id for rollout in first.rollouts] == ["0", "1"]
    assert [rollout.response for rollout in second.rollouts] == ["r2", "r3"]


def test_a_dump_printed_over_many_lines_is_one_value(tmp_path):
    samples = [sample("a", group=0, index=0), sample("b", group=0, index=1)]
    (request,) = requests(read(tmp_path, json.dumps({"rollout_id": 1, "samples": samples}, indent=2)))
    assert len(request.rollouts) == 2


def test_samples_line_by_line_are_grouped_too(tmp_path):
    lines = [sample("a", group=3, index=0), sample("b", group=3, index=1)]
    (request,) = requests(read(tmp_path, *lines))
    assert (request.id, len(request.rollouts)) == ("3", 2)


def test_samples_that_were_never_finished_are_not_read_as_completed(tmp_path):
    statuses = ["completed", "truncated", "aborted", "failed", "pending"]
    lines = [sample("a", group=0, index=index, status=each) for index, each in enumerate(statuses)]
    notices = Notices()
    (request,) = requests(read(tmp_path, *lines, notices=notices))
    seen = [rollout.status for rollout in request.rollouts]
    assert seen == ["completed", "truncated", "aborted", "aborted", "aborted"]
    assert "`failed` (read as `aborted`)" in str(notices)
    assert "`pending` (read as `aborted`)" in str(notices)


def test_samples_of_one_compact_rollout_do_not_lose_their_group_to_a_repeated_index(tmp_path):
    lines = [sample("a", group=0, index=5), sample("b", group=0, index=5)]
    (request,) = requests(read(tmp_path, *lines))
    assert [rollout.id for rollout in request.rollouts] == ["k0", "k1"]


def test_one_bad_sample_does_not_take_the_dump_along(tmp_path):
    samples = [sample("a", group=0, index=0), {"response": "no rubric"}, sample("b", group=0, index=2)]
    items = read(tmp_path, {"rollout_id": 1, "samples": samples})
    bad = [item for item in items if isinstance(item, BadLine)]
    assert [item.reason.split(":")[0] for item in bad] == ["sample 1"]
    assert [len(parse_score(item.body).rollouts) for item in items if isinstance(item, StoredGroup)] == [2]


def test_bookkeeping_of_a_sample_is_named_once(tmp_path):
    notices = Notices()
    read(tmp_path, sample("a", group=0, index=0), sample("b", group=0, index=1), notices=notices)
    assert str(notices).count("`tokens` of a row") == 1


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["{", "not json", "[1, 2]", "3", "{}", '{"a": NaN}', '{"question": "\\ud800"}', '{"response": "x"}'],
)
def test_a_bad_line_is_named_and_takes_nothing_along(tmp_path, line):
    before, bad, after = read(tmp_path, GROUP, line, GROUP | {"id": "g2"})
    assert (before.id, after.id) == ("g1", "g2")
    assert isinstance(bad, BadLine)
    assert str(bad.place).endswith("stored.jsonl:2")
    assert bad.reason


def test_the_reason_of_a_bad_line_does_not_repeat_its_text(tmp_path):
    (bad,) = read(tmp_path, '{"response": "secret", "label": "secret"')
    assert "secret" not in bad.reason


def test_a_line_that_is_not_text_takes_nothing_along(tmp_path):
    path = tmp_path / "stored.jsonl"
    path.write_bytes(b"\xff\xfe\x00\n" + json.dumps(GROUP).encode() + b"\n")
    assert [type(item) for item in read_groups(path)] == [BadLine, StoredGroup]


def test_a_last_line_without_a_line_break_is_read(tmp_path):
    path = tmp_path / "stored.jsonl"
    path.write_text(json.dumps(GROUP))
    assert len(list(read_groups(path))) == 1


def test_compressed_files_are_read(tmp_path):
    path = tmp_path / "stored.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(GROUP).encode() + b"\n"))
    (item,) = read_groups(path)
    assert (item.id, item.position) == ("g1", path.stat().st_size)


def test_a_compressed_file_that_ends_too_early_is_not_taken_as_complete(tmp_path):
    lines = b"".join(json.dumps(GROUP | {"id": f"g{index}"}).encode() + b"\n" for index in range(5000))
    path = tmp_path / "stored.jsonl.gz"
    whole = gzip.compress(lines)
    path.write_bytes(whole[: len(whole) // 2])
    *read_before, last = read_groups(path)
    assert read_before
    assert isinstance(last, BadLine)
    assert "too early" in last.reason


class Boom:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was loaded')",))


@pytest.mark.parametrize("name", ["rollout.pt", "rollout.jsonl"])
def test_a_pickle_is_never_loaded(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"samples": [Boom()]}))
    with pytest.raises(Unreadable, match="weights_only=True"):
        list(read_groups(path))


def test_a_torch_archive_is_refused_under_any_name(tmp_path):
    path = tmp_path / "rollout.json"
    path.write_bytes(b"PK\x03\x04" + b"\0" * 60)
    with pytest.raises(Unreadable, match=r"torch\.load"):
        list(read_groups(path))


def test_blank_lines_are_no_groups(tmp_path):
    assert len(read(tmp_path, "", GROUP, "   ", "")) == 1


def test_the_same_input_has_the_same_bytes_every_time(tmp_path):
    lines = [GROUP, row("a", group_index=0), {"rollout_id": 1, "samples": [sample("b", group=0, index=0)]}]
    assert read(tmp_path, *lines) == read(tmp_path, *lines)
