"""What is worked on at once is bounded in requests and in bytes; who is refused is told when to come back."""

from __future__ import annotations

from contextlib import suppress

import pytest

from service.admission import Admission, Turn, Waits
from service.errors import Refused


def admission(**options):
    return Admission(**{"places": 2, "most_bytes": 100, "judge_places": 1, **options})


def full(enter, *args, **kwargs):
    with pytest.raises(Refused) as caught:
        enter(*args, **kwargs)
    assert caught.value.kind == "queue_full"
    return caught.value


def inside(one, waits=Waits.MATCHING):
    pool = one.pools[waits]
    return pool.taken, pool.bytes


def test_the_third_of_two_is_refused_until_one_leaves():
    one = admission()
    first, _ = one.enter(announced=10), one.enter(announced=10)
    full(one.enter, announced=1)
    first.leave()
    one.enter(announced=10)
    assert inside(one) == (2, 20)


def test_bytes_are_counted_as_they_turn_out_and_given_back():
    one = admission()
    first, second = one.enter(announced=60), one.enter(announced=30)
    first.hold(10)
    assert inside(one) == (2, 40)
    second.hold(95)
    assert inside(one) == (2, 105)
    second.leave()
    assert inside(one) == (1, 10)


def test_a_large_body_gets_in_beside_small_ones_and_then_nobody_does_until_it_leaves():
    one = admission(places=9)
    small, large = one.enter(announced=60), one.enter(announced=1000)
    full(one.enter, announced=1)
    full(small.hold, 61)
    large.hold(2000)
    large.leave()
    small.hold(99)
    assert inside(one) == (1, 99)
    one.enter(announced=0)


def test_bodies_that_grow_while_they_come_exceed_the_bytes_by_one_of_them_at_most():
    one = admission(places=9)
    growing = [one.enter(announced=0) for _ in range(5)]
    for size in range(10, 90, 10):
        for each in growing:
            with suppress(Refused):
                each.hold(size)
    pool = one.pools[Waits.MATCHING]
    assert 100 <= pool.bytes < 100 + 80


def test_who_waits_for_the_judge_alone_takes_no_place_of_the_others():
    one = admission()
    places = [one.enter(announced=50), one.enter(announced=50)]
    places[0].to_judge()
    assert (inside(one), inside(one, Waits.JUDGE)) == ((1, 50), (1, 50))
    full(places[1].check_judge)
    full(places[1].to_judge)
    assert inside(one) == (1, 50)
    third = one.enter(announced=50)
    for place in (*places, third):
        place.leave()
    assert inside(one) == inside(one, Waits.JUDGE) == (0, 0)


def test_those_who_are_refused_together_do_not_come_back_together():
    one = admission(places=1)
    one.enter(announced=1)
    assert len({full(one.enter, announced=1).retry_after for _ in range(200)}) > 1


def test_work_of_the_server_itself_needs_no_place():
    turn = Turn(1.0)
    turn.hold(10**12)
    turn.check_judge()
    turn.to_judge()
