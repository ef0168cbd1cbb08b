"""An output that was left at any byte is gone on with, without a gap, a double or a line of another run."""

from __future__ import annotations

import json
import os
from concurrent.futures import Future

import pytest

from rubric.job import Defaults
from rubric.wire import Limits
from service.offline import Journal, OtherRun, score_items
from service.scorers import InProcess, Pool
from service.stored import BadLine, Place, StoredGroup


def items(count=5):
    return [group(number) for number in range(1, count + 1)]


def group(number, response="RedOne did."):
    body = {
        "id": f"g{number}",
        "question": "Who produced it?",
        "answer": {"value": "RedOne"},
        "rubric": {"entities": ["RedOne", "Lady Gaga"]},
        "rollouts": [{"response": response}, {"response": f"Somebody, {number}."}],
    }
    return StoredGroup(Place("in.jsonl", number), f"g{number}", json.dumps(body).encode(), 100 * number)


class Inline:
    """Scores at once, in this process, and counts how often it was asked."""

    width = 3

    def __init__(self, work=None):
        self.asked = 0
        self._work = work or InProcess(Defaults(), Limits())

    def submit(self, body):
        self.asked += 1
        done = Future()
        done.set_result(self._work(body))
        return done

    def again(self, body):
        return self._work(body)

    def close(self):
        pass


def run(path, stored, *, scorer=None, settings="s1", restart=False):
    with Journal(path, settings=settings, restart=restart) as journal:
        return list(score_items(stored, scorer=scorer or Inline(), journal=journal))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_replies_stand_in_the_order_of_the_input_with_their_source(tmp_path):
    out = tmp_path / "out.jsonl"
    run(out, items())
    assert [line["id"] for line in lines(out)] == ["g1", "g2", "g3", "g4", "g5"]
    assert [line["source"]["line"] for line in lines(out)] == [1, 2, 3, 4, 5]
    assert lines(out)[0]["rollouts"][0]["rubric"]["hits"] == 1


@pytest.mark.parametrize("cut", [0, 1, 20, 400, 1000, 2000, 2500, -1, -2, -300])
def test_an_output_torn_at_any_byte_becomes_what_an_undisturbed_run_writes(tmp_path, cut):
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    run(whole, items())
    torn.write_bytes(whole.read_bytes()[:cut])
    run(torn, items())
    assert torn.read_bytes() == whole.read_bytes()


def test_what_is_done_is_not_scored_again_and_still_counted(tmp_path):
    out = tmp_path / "out.jsonl"
    run(out, items(3))
    scorer = Inline()
    steps = run(out, items(5), scorer=scorer)
    assert scorer.asked == 2
    assert [step.resumed for step in steps] == [True, True, True, False, False]


def test_a_finished_output_is_left_as_it_is(tmp_path):
    out = tmp_path / "out.jsonl"
    run(out, items())
    before = out.read_bytes()
    scorer = Inline()
    run(out, items(), scorer=scorer)
    assert (scorer.asked, out.read_bytes()) == (0, before)


def test_scores_of_other_settings_are_not_mixed_into_one_file(tmp_path):
    out = tmp_path / "out.jsonl"
    run(out, items(2))
    before = out.read_bytes()
    with pytest.raises(OtherRun, match="other settings"):
        run(out, items(), settings="s2")
    assert out.read_bytes() == before


def test_restart_begins_again(tmp_path):
    out = tmp_path / "out.jsonl"
    run(out, items(2))
    run(out, items(), settings="s2", restart=True)
    assert [line["source"]["settings"] for line in lines(out)] == ["s2"] * 5


def test_a_changed_input_is_not_taken_for_the_one_that_was_scored(tmp_path):
    out = tmp_path / "out.jsonl"
    run(out, items(2))
    changed = [group(1), group(2, response="Another text."), group(3)]
    with pytest.raises(OtherRun, match=r"in\.jsonl:2"):
        run(out, changed)


def test_an_input_that_became_shorter_is_noticed(tmp_path):
    out = tmp_path / "out.jsonl"
    run(out, items(3))
    with pytest.raises(OtherRun, match="more groups"):
        run(out, items(2))


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("content", ['{"my": "results"}\n', "notes without a line break", '{"source": 1}\n'])
def test_a_file_that_is_not_ours_is_neither_cut_nor_overwritten(tmp_path, content, restart):
    out = tmp_path / "precious.jsonl"
    out.write_text(content)
    with pytest.raises(OtherRun, match="not written by this command"):
        run(out, items(), restart=restart)
    assert out.read_text() == content


def test_two_runs_do_not_write_one_file_at_once(tmp_path):
    out = tmp_path / "out.jsonl"
    with Journal(out, settings="s1"), pytest.raises(OtherRun, match="another run"):
        Journal(out, settings="s1")


def test_a_line_that_could_not_be_read_keeps_its_place_in_the_output(tmp_path):
    out = tmp_path / "out.jsonl"
    bad = BadLine(Place("in.jsonl", 2), "not JSON", b"digest", 200)
    stored = [group(1), bad, group(3)]
    run(out, stored)
    first, second, third = lines(out)
    assert second["error"] == {"type": "unreadable", "detail": "not JSON"}
    assert (first["error"], third["error"]) == (None, None)
    assert first.keys() == second.keys() == third.keys()
    before = out.read_bytes()
    run(out, stored)
    assert out.read_bytes() == before


def test_a_group_that_is_refused_takes_no_other_along(tmp_path):
    out = tmp_path / "out.jsonl"
    hopeless = StoredGroup(
        Place("in.jsonl", 2),
        "g2",
        b'{"rubric": {"entities": ["$$$"]}, "rollouts": [{"response": "x", "outcome": 1}]}',
        200,
    )
    run(out, [group(1), hopeless, group(3)])
    assert [line["error"] and line["error"]["type"] for line in lines(out)] == [None, "invalid_rubric", None]
    assert lines(out)[1]["id"] == "g2"


def test_nothing_is_written_when_no_output_is_wanted(tmp_path):
    steps = run(None, items())
    assert len(steps) == 5
    assert not list(tmp_path.iterdir())


def test_memory_is_bounded_by_what_is_under_way(tmp_path):
    taken = 0

    def stream():
        nonlocal taken
        for item in items(50):
            taken += 1
            yield item

    with Journal(tmp_path / "out.jsonl", settings="s1") as journal:
        steps = score_items(stream(), scorer=Inline(), journal=journal)
        next(steps)
        assert taken <= Inline.width + 1


# --- worker processes -------------------------------------------------------------------------------------


def die_of_poison(body):
    if b"poison" in body:
        os._exit(9)
    return InProcess(Defaults(), Limits())(body)


def test_workers_and_one_process_write_the_same_lines(tmp_path):
    alone, pooled = tmp_path / "alone.jsonl", tmp_path / "pooled.jsonl"
    run(alone, items(20))
    pool = Pool(InProcess(Defaults(), Limits()), workers=2)
    run(pooled, items(20), scorer=pool)
    pool.close()
    assert pooled.read_bytes() == alone.read_bytes()


def test_a_group_that_kills_its_worker_takes_no_other_along(tmp_path):
    out = tmp_path / "out.jsonl"
    stored = [*items(6), group(7, response="poison"), group(8), group(9)]
    pool = Pool(die_of_poison, workers=2)
    run(out, stored, scorer=pool)
    pool.close()
    assert [line["error"] and line["error"]["type"] for line in lines(out)] == [
        *[None] * 6,
        "worker_died",
        None,
        None,
    ]
    assert [line["source"]["line"] for line in lines(out)] == list(range(1, 10))
