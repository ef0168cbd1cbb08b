from __future__ import annotations

import pytest

from rubric.errors import CannotScore
from service.judge.failures import CallFailed, Kind
from service.judge.limits import Breaker, Pace

DOWN = CallFailed(Kind.UNREACHABLE, "the judge answered 500", again=True, down=True)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_turns_are_spread_over_the_minute():
    clock = Clock()
    pace = Pace(30, clock=clock)
    waits = []
    for _ in range(4):
        waits.append(pace.wait())
        pace.take(1)
    assert waits == [0.0, 2.0, 4.0, 6.0]


def test_time_that_nobody_used_is_not_saved_up():
    clock = Clock()
    pace = Pace(60, clock=clock)
    clock.now += 3600
    pace.take(1)
    assert pace.wait() == pytest.approx(1.0)


def test_what_is_given_back_is_there_for_the_next():
    clock = Clock()
    pace = Pace(60, clock=clock)
    pace.take(10)
    pace.take(-8)
    assert pace.wait() == pytest.approx(2.0)


def test_no_limit_never_waits_but_is_put_off():
    clock = Clock()
    pace = Pace(None, clock=clock)
    pace.take(10**9)
    assert pace.wait() == 0.0
    pace.put_off(clock.now + 5)
    assert pace.wait() == 5.0


def test_the_breaker_opens_after_failures_in_a_row_alone():
    breaker = Breaker(failures=3, rest_s=5, clock=Clock())
    for error in (DOWN, DOWN, None, DOWN, DOWN):
        breaker.failed(error) if error else breaker.succeeded()
        breaker.admit()
    breaker.failed(DOWN)
    with pytest.raises(
        CannotScore, match="judge_unreachable: the judge answered 500; it is left alone"
    ) as it:
        breaker.admit()
    assert it.value.retryable


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.UNPARSABLE, Kind.UNREACHABLE])
def test_what_is_not_the_fault_of_the_endpoint_never_opens_the_breaker(kind):
    breaker = Breaker(failures=1, rest_s=5, clock=Clock())
    for _ in range(10):
        breaker.failed(CallFailed(kind, "x"))
        breaker.admit()


def test_one_is_let_through_after_the_rest_and_its_success_lets_all_in():
    clock = Clock()
    breaker = Breaker(failures=1, rest_s=5, clock=clock)
    breaker.failed(DOWN)
    clock.now += 5
    breaker.admit()
    with pytest.raises(CannotScore):
        breaker.admit()
    breaker.succeeded()
    breaker.admit()
    breaker.admit()


def test_a_failure_of_the_one_that_was_let_through_closes_the_door_again():
    clock = Clock()
    breaker = Breaker(failures=3, rest_s=5, clock=clock)
    for _ in range(3):
        breaker.failed(DOWN)
    clock.now += 5
    breaker.admit()
    clock.now += 4
    breaker.failed(DOWN)
    clock.now += 4
    with pytest.raises(CannotScore):
        breaker.admit()


def test_an_empty_account_opens_the_breaker_at_once_and_is_not_retryable():
    breaker = Breaker(failures=100, rest_s=5, clock=Clock())
    breaker.failed(CallFailed(Kind.QUOTA, "the judge answered 402", down=True))
    with pytest.raises(CannotScore) as it:
        breaker.admit()
    assert (it.value.kind, it.value.retryable) == ("judge_quota", False)
