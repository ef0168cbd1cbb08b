"""A run is stopped when too many rollouts have no reward, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.wire import Failure
from trainer_client import StopRun
from trainer_client.breaker import Breaker

BAD = Failure(type="unreachable", retryable=True, detail="no connection could be made")


def opens(breaker, failures):
    try:
        breaker.note(failures)
    except StopRun:
        return True
    return False


def test_the_message_says_why_the_run_was_stopped():
    breaker = Breaker(share=0.5, window=8)
    with pytest.raises(StopRun) as caught:
        breaker.note([None, BAD, BAD.model_copy(update={"type": "internal"}), BAD])
    assert caught.value.kind == "too_many_failures"
    for part in ("3 of the last 4", "2 x unreachable", "1 x internal", "0.5", "no connection could be made"):
        assert part in caught.value.detail


def test_once_open_it_stays_open():
    breaker = Breaker(share=0.5, window=4)
    assert opens(breaker, [BAD])
    with pytest.raises(StopRun):
        breaker.check()
    assert opens(breaker, [None] * 100)


def test_a_bad_start_is_not_yet_a_reason():
    breaker = Breaker(share=0.25, window=256)
    assert not opens(breaker, [BAD] * 63)
    assert opens(breaker, [BAD])


def test_it_can_be_told_never_to_stop():
    assert not opens(Breaker(share=1.0, window=4), [BAD] * 100)


def test_old_failures_are_forgotten():
    breaker = Breaker(share=0.5, window=4)
    for _ in range(50):
        assert not opens(breaker, [None, None, BAD, BAD])


@given(
    st.lists(st.booleans(), max_size=60),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]),
)
def test_it_opens_where_a_slow_count_says_so(failed, window, share):
    breaker = Breaker(share=share, window=window)
    expected = False
    for at, bad in enumerate(failed, 1):
        last = failed[max(0, at - window) : at]
        expected = expected or (len(last) >= max(1, window // 4) and sum(last) > share * len(last))
        assert opens(breaker, [BAD if bad else None]) == expected
