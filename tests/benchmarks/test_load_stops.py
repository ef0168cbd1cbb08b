"""A request that a stop loses is not taken for one that was turned away."""

from __future__ import annotations

import pytest
from bench_stops import Reply, stop_of
from load_lines import Broken
from load_mix import Held

SIGNAL = 10.0


def stop(reply, *logged):
    events = [
        {"event": "request", "route": "/score", "request_id": name, "status": status}
        for name, status in logged
    ]
    return stop_of(
        [reply],
        [*events, {"event": "stopping"}],
        signaled=SIGNAL,
        under_way={"a"},
        exit_code=0,
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("reply", "logged", "lost", "turned_away"),
    [
        (Reply("a", 9.0, 200, Held.RIGHT), [("a", 200)], 0, 0),
        (Reply("a", 9.0, Broken.CUT, None), [("a", 200)], 1, 0),  # scored, and the answer did not arrive
        (Reply("a", 9.0, Broken.CUT, None), [], 1, 0),  # sent before, and the server knows nothing of it
        (Reply("a", 11.0, Broken.CUT, None), [("a", 200)], 1, 0),
        (Reply("a", 11.0, Broken.CUT, None), [], 0, 1),
        (Reply("a", 11.0, Broken.UNREACHABLE, None), [], 0, 1),
        (Reply("a", 11.0, 503, None), [("a", 503)], 0, 0),
        (Reply("a", 9.0, 503, None), [("a", 200)], 1, 0),  # somebody else's answer
    ],
)
def test_a_lost_request_is_counted(reply, logged, lost, turned_away):
    found = stop(reply, *logged)
    assert (found.lost, found.turned_away) == (lost, turned_away)


def test_an_answer_with_another_reward_is_wrong():
    assert stop(Reply("a", 9.0, 200, Held.WRONG), ("a", 200)).wrong == 1
    found = stop(Reply("a", 9.0, 200, Held.RIGHT), ("a", 200))
    assert (found.wrong, found.under_way_right) == (0, 1)


def test_another_status_is_told():
    assert stop(Reply("a", 9.0, 500, None), ("a", 500)).statuses == {"500": 1}
