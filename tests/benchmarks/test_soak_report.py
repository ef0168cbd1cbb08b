"""Nothing that went wrong in a soak is counted as something else."""

from __future__ import annotations

import pytest
from load_memory import Look
from soak_report import lives_of, report_of
from soak_server import End
from soak_traffic import Ended, Way

STOP = End(told=100.0, ready=110.0, code=0)


def report(*ended, begun=None, seen=()):
    return report_of(
        ended,
        begun=len(ended) if begun is None else begun,
        thrown=[],
        stops=[STOP],
        seen=seen,
        minutes=30,
    )


@pytest.mark.parametrize(
    ("way", "found", "at", "lost"),
    [
        (Way.BY_HAND, "cut", 50.0, 1),
        (Way.BY_HAND, "cut", 105.0, 0),  # nobody listens while the server starts again
        (Way.BY_HAND, "late", 50.0, 1),
        (Way.BY_HAND, "503", 50.0, 0),
        (Way.TRAINER, "right", 50.0, 0),
        (Way.TRAINER, "failed", 50.0, 0),
        (Way.TRAINER, "late", 105.0, 1),  # it asks again, and has had its time
        (Way.TRAINER, "raised", 105.0, 1),
        (Way.HANGS_UP, "gone", 50.0, 0),
        (Way.HANGS_UP, "raised", 105.0, 0),
        (Way.NONSENSE, "cut", 50.0, 1),
    ],
)
def test_a_reply_that_never_came_is_lost_unless_nobody_was_there_to_send_it(way, found, at, lost):
    made = report(Ended(way, found, (), at, at + 1))
    assert sum(made.lost.values()) == lost
    assert not made.wrong


def test_a_request_without_any_end_is_lost():
    assert report(Ended(Way.TRAINER, "right", (), 1.0, 2.0), begun=3).lost == {"lost: never ended": 2}


def test_another_status_than_those_of_the_wire_is_unforeseen():
    made = report(*(Ended(Way.BY_HAND, status, (), 1.0, 2.0) for status in ("429", "500", "502", "504")))
    assert made.unforeseen == {"unforeseen: 500": 1, "unforeseen: 502": 1}


def test_a_wrong_reward_and_each_type_of_failure_is_counted():
    made = report(
        Ended(Way.TRAINER, "wrong", (), 1.0, 2.0),
        Ended(Way.TRAINER, "failed", ("judge_failed", "timeout"), 1.0, 2.0),
        Ended(Way.BY_HAND, "failed", ("judge_failed",), 1.0, 2.0),
    )
    assert made.wrong == 1
    assert made.failures == {"judge_failed": 2, "timeout": 1}


def test_memory_of_a_fresh_server_is_no_part_of_the_slope():
    def looks(process, begin, end):
        return [Look(float(at), process, 100.0 + at, 200.0) for at in range(begin, end)]

    seen = [*looks(1, 0, 900), *looks(2, 900, 1800)]
    first, second = lives_of(seen, lambda each: each.server_mb, minutes=30)
    assert (first.minutes[0], first.minutes[-1]) == (5.5, 14.5)
    assert (second.minutes[0], second.minutes[-1]) == (17.5, 29.5)
    assert first.megabytes[0] == pytest.approx(100 + 329.5)
