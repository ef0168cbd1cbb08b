"""One process does not make a service's trouble worse, whatever its calls want."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainer_client.protocol import Next, Trouble
from trainer_client.throttle import RETRIES_AT_ONCE, Throttle

DOWN = Trouble("unreachable", "d", down=True)
BUSY = Trouble("queue_full", "d", down=True, busy=True, after_s=1.0)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def throttle(limit=32):
    clock = Clock()
    return Throttle(limit=limit, clock=clock), clock


def fill(it, *, again=False):
    """Let in as many as get in."""
    count = 0
    while it.enter(again=again) == 0.0:
        count += 1
    return count


def test_no_more_than_the_limit_are_under_way():
    it, clock = throttle()
    assert fill(it) == 32
    it.leave(None, started=clock.now)
    assert fill(it) == 1


def test_a_service_that_answers_nobody_is_asked_by_one_attempt_at_a_time_and_less_and_less():
    it, clock = throttle()
    asked = fill(it)
    for _ in range(asked):
        it.leave(DOWN, started=clock.now)
    pauses = []
    for _ in range(12):
        clock.now += 0.01
        while (wait := it.enter(again=False)) != 0.0:
            clock.now += wait
        asked += 1 + fill(it)
        started, clock.now = clock.now, clock.now + 0.01
        while it._under_way:
            it.leave(DOWN, started=started)
        pauses.append(it.enter(again=False))
    assert asked <= 32 + 16 + 12
    assert 4 * pauses[0] < pauses[-1]
    assert max(pauses) <= 5.0


def test_it_is_asked_by_all_again_soon_after_it_answers():
    it, clock = throttle()
    for _ in range(5):
        clock.now += 10
        assert it.enter(again=False) == 0.0
        it.leave(DOWN, started=clock.now)
    assert it.trouble == DOWN
    clock.now += 10
    for _ in range(32):
        assert it.enter(again=False) == 0.0
        it.leave(None, started=clock.now)
    assert it.trouble is None
    assert fill(it) == 32


def test_one_failure_among_many_successes_holds_nobody_up():
    it, clock = throttle()
    fill(it)
    it.leave(DOWN, started=clock.now)
    for _ in range(31):
        it.leave(None, started=clock.now)
    assert fill(it) == 32


def test_a_busy_service_is_not_pushed_to_its_limit_again_at_once():
    it, clock = throttle()
    fill(it)
    it.leave(BUSY, started=clock.now)
    for _ in range(31):
        it.leave(None, started=clock.now)
    assert 16 <= fill(it) <= 20


def test_where_nobody_gets_through_all_wait_for_as_long_as_the_service_asks():
    it, clock = throttle()
    for _ in range(2):
        clock.now += 0.1
        it.enter(again=False)
        it.leave(Trouble("draining", "d", down=True, after_s=7.0), started=clock.now)
    assert it.enter(again=False) == 7.0


def test_one_answer_does_not_stop_a_process_for_an_hour():
    it, clock = throttle()
    for _ in range(2):
        clock.now += 0.1
        it.enter(again=False)
        it.leave(Trouble("http_503", "d", down=True, after_s=3600.0), started=clock.now)
    assert it.enter(again=False) <= 30.0


def test_what_is_wrong_with_a_request_slows_no_other():
    it, clock = throttle()
    for _ in range(9):
        assert it.enter(again=False) == 0.0
        it.leave(Trouble("invalid_request", "d", Next.FIX), started=clock.now)
        assert it.enter(again=False) == 0.0
        it.leave(Trouble("internal", "d"), started=clock.now)
    assert fill(it) == 32


def test_a_caller_who_goes_away_gives_its_place_back():
    it, _ = throttle(limit=1)
    fill(it)
    it.abandon()
    assert fill(it) == 1


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([None, DOWN, BUSY])), max_size=800))
def test_attempts_stay_within_the_budget_whatever_happens(events):
    it, clock = throttle(limit=4)
    begun = clock.now
    first = further = 0
    for again, trouble in events:
        clock.now += 0.05
        if it.enter(again=again) == 0.0:
            first, further = first + (not again), further + again
            it.leave(trouble, started=clock.now)
    assert further <= RETRIES_AT_ONCE + 0.1 * first + 0.25 * (clock.now - begun) + 1e-6


def test_an_empty_budget_ends_a_call_and_time_fills_it():
    it, clock = throttle(limit=1000)
    assert fill(it, again=True) == RETRIES_AT_ONCE
    assert it.enter(again=True) is None
    assert it.enter(again=False) == 0.0
    clock.now += 4
    assert it.enter(again=True) == 0.0
