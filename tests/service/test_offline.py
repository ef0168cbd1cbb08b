"""An output that was left at any byte is gone on with, without a gap, a double or a line of another run."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

import pytest

from rubric.errors import InvalidInput
from rubric.intake import parse_score
from rubric.score import score_group
from service.bootstrap import build_parts
from service.offline import Journal, OtherRun, score_items
from service.scorers import Here, Refusal, Scored
from service.settings import Settings
from service.stored import BadLine, Place, StoredGroup
from service.workers import InThread
from tests.service.serving import children


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


def in_process(body):
    """The pure core alone."""
    try:
        return Scored(score_group(parse_score(body)).model_dump_json().encode())
    except InvalidInput as error:
        return Scored(None, Refusal(error.kind, str(error)))


class Inline:
    """Scores at once, in this process, and counts how often it was asked."""

    width = 3

    def __init__(self, work=None):
        self.asked = 0
        self._work = work or in_process

    def submit(self, body):
        self.asked += 1
        done = Future()
        done.set_result(self._work(body))
        return done

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


@contextmanager
def here(workers):
    scorer = Here(build_parts(Settings(workers=workers)))
    try:
        yield scorer
    finally:
        scorer.close()


def test_workers_and_one_process_write_the_same_lines(tmp_path):
    alone, pooled, pure = tmp_path / "alone.jsonl", tmp_path / "pooled.jsonl", tmp_path / "pure.jsonl"
    run(pure, items(20))
    for path, workers in ((alone, 0), (pooled, 2)):
        with here(workers) as scorer:
            run(path, items(20), scorer=scorer)
    assert pooled.read_bytes() == alone.read_bytes() == pure.read_bytes()


def test_workers_that_are_killed_cost_no_group_and_no_number(tmp_path):
    calm, shot = tmp_path / "calm.jsonl", tmp_path / "shot.jsonl"
    stored = [group(number, response=f"RedOne did {number}. " * 20_000) for number in range(1, 9)]
    run(calm, stored)
    with here(2) as scorer, Journal(shot, settings="s1") as journal:
        for step in score_items(stored, scorer=scorer, journal=journal):
            if step.place.line == 2:
                kill_workers()
    assert shot.read_bytes() == calm.read_bytes()


def kill_workers():
    """Of this process: what its fork server has forked."""
    for server in children(os.getpid()):
        for worker in children(server):
            os.kill(worker, signal.SIGKILL)


def test_what_cannot_start_says_so():
    class Broken(InThread):
        async def start(self):
            raise OSError("no room")

    parts = replace(build_parts(Settings(workers=0)), workers=Broken(prepare=lambda: None))
    with pytest.raises(OSError, match="no room"):
        Here(parts)
