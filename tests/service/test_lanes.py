"""Everybody is served in turn, everything once, and what nobody waits for is gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Refused
from service.lanes import Key, Lanes

VECTOR = np.ones(2, dtype=np.float32)


def keys(*names, tokens=4):
    return [Key(name.encode().ljust(tokens * 4)) for name in names]


def names(pieces):
    return [piece.key.input.strip().decode() for piece in pieces]


def test_a_small_request_is_not_held_up_by_a_large_one():
    lanes = Lanes(1_000_000)
    lanes.enter(keys(*(f"large {number}" for number in range(1000))))
    lanes.enter(keys("small"))
    assert "small" in names(lanes.take(40))


def test_a_step_is_shared_by_tokens_and_not_by_texts():
    lanes = Lanes(1_000_000)
    lanes.enter(keys(*(f"long {number}" for number in range(50)), tokens=100))
    lanes.enter(keys(*(f"short {number}" for number in range(500)), tokens=4))
    taken = lanes.take(1000)
    costs = {kind: sum(each.cost for each in taken if kind in names([each])[0]) for kind in ("long", "short")}
    assert costs == {"long": 500, "short": 500}


def test_requests_take_turns_where_a_step_has_no_room_for_all():
    lanes = Lanes(1_000_000)
    for request in range(10):
        lanes.enter(keys(f"{request} first", f"{request} second"))
    steps = [names(lanes.take(8)) for _ in range(5)]
    assert [name for step in steps for name in step] == [f"{request} first" for request in range(10)]


def test_a_long_piece_is_not_passed_over_for_ever():
    lanes = Lanes(1_000_000)
    lanes.enter(keys(*(f"short {number}" for number in range(100))))
    lanes.enter(keys("long", tokens=90))
    assert "long" in names(lanes.take(100)) + names(lanes.take(100))


def test_a_piece_larger_than_any_step_is_taken_by_itself():
    lanes = Lanes(1_000_000)
    lanes.enter(keys("huge", tokens=500))
    lanes.enter(keys("small"))
    assert names(lanes.take(100)) == ["huge"]
    assert names(lanes.take(100)) == ["small"]


def test_what_two_requests_wait_for_is_taken_once_and_told_to_both():
    lanes = Lanes(1_000_000)
    first, second = lanes.enter(keys("same", "one")), lanes.enter(keys("same"))
    pieces = {names([piece])[0]: piece for piece in lanes.take(100)}
    assert sorted(pieces) == ["one", "same"]
    assert lanes.settle(pieces["same"], VECTOR) == [second]
    assert lanes.settle(pieces["one"], VECTOR) == [first]


def test_a_piece_that_is_being_computed_can_still_be_joined():
    lanes = Lanes(1_000_000)
    lanes.enter(keys("same"))
    (piece,) = lanes.take(100)
    late = lanes.enter(keys("same"))
    assert lanes.take(100) == []
    assert late in lanes.settle(piece, VECTOR)


def test_what_everybody_has_left_never_reaches_the_device():
    lanes = Lanes(1_000_000)
    first, second = lanes.enter(keys("both", "only first")), lanes.enter(keys("both"))
    lanes.leave(first)
    assert lanes.tokens == 4
    assert names(lanes.take(100)) == ["both"]
    lanes.leave(second)
    assert lanes.tokens == 0


def test_a_full_queue_refuses_and_loses_nothing():
    lanes = Lanes(10)
    lanes.enter(keys("one", "two"))
    with pytest.raises(Refused) as refused:
        lanes.enter(keys("three"))
    assert refused.value.kind == "queue_full"
    assert names(lanes.take(100)) == ["one", "two"]


def test_a_request_over_the_bound_is_served_where_nobody_else_waits():
    lanes = Lanes(10)
    lanes.enter(keys("one", "two", "three"))
    assert names(lanes.take(100)) == ["one", "two", "three"]


def test_waiting_for_what_waits_already_fills_no_queue():
    lanes = Lanes(8)
    lanes.enter(keys("one", "two"))
    lanes.enter(keys("one", "two"))
    assert lanes.tokens == 8


REQUESTS = st.lists(st.sets(st.integers(0, 12), min_size=1, max_size=6), max_size=8)
ACTIONS = st.lists(st.tuples(st.sampled_from(["take", "leave", "settle"]), st.integers(0, 7)), max_size=30)


@given(REQUESTS, ACTIONS)
def test_nobody_is_forgotten_and_nothing_is_left_over(requests, actions):
    lanes = Lanes(1_000_000)
    tickets = [lanes.enter(keys(*map(str, sorted(each)), tokens=3 + len(each))) for each in requests]
    computing, gone, told = [], set(), set()
    for action, number in actions:
        if action == "take":
            computing += lanes.take(number * 5 + 1)
        elif action == "leave" and number < len(tickets):
            gone.add(tickets[number])
            lanes.leave(tickets[number])
        elif action == "settle" and computing:
            told |= set(lanes.settle(computing.pop(), VECTOR))
    while computing := computing + lanes.take(7):
        told |= set(lanes.settle(computing.pop(), VECTOR))
    assert told >= {ticket for ticket in tickets if ticket not in gone}
    assert lanes.tokens == 0
    assert lanes._pieces == {}
