"""Each fault of the proxy does what its name says; else the tests of this folder would prove nothing."""

from __future__ import annotations

import socket

import pytest

from tests.faults.proxy import BlackHole, Corrupt, Cut, Refuse, Reset, Slow, proxied
from tests.service.store.server import binaries, serving

ECHO = b"*2\r\n$4\r\nECHO\r\n$8\r\nabcdefgh\r\n"
ANSWER = b"$8\r\nabcdefgh\r\n"


@pytest.fixture(scope="module")
def proxy():
    with serving(next(iter(binaries().values()))) as server, proxied(server.port) as it:
        yield it


@pytest.fixture
def line(proxy):
    proxy.fault = None
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as it:
        assert asked(it) == ANSWER
        yield it


def asked(line):
    line.sendall(ECHO)
    return line.recv(100)


def test_what_is_well_is_passed_on(line):
    assert asked(line) == ANSWER


def test_a_slow_line_loses_nothing(proxy, line):
    proxy.fault = Slow(0.05)
    assert asked(line) == ANSWER


def test_a_refusal_ends_what_is_open_and_lets_nobody_in_until_it_is_over(proxy, line):
    proxy.fault = Refuse()
    with pytest.raises(ConnectionResetError):
        line.recv(100)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    proxy.fault = None
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        assert asked(again) == ANSWER


def test_a_black_hole_holds_everything_until_it_is_over(proxy, line):
    struck, proxy.fault = proxy.struck, BlackHole()
    line.settimeout(0.1)
    with pytest.raises(TimeoutError):
        asked(line)
    assert proxy.struck == struck + 1
    line.settimeout(5)
    proxy.fault = None
    assert line.recv(100) == ANSWER


def test_a_reset_comes_in_the_place_of_the_answer(proxy, line):
    proxy.fault = Reset()
    with pytest.raises(ConnectionResetError):
        asked(line)


@pytest.mark.parametrize("after", [0, 5, 13])
def test_a_cut_ends_the_connection_after_so_many_bytes(proxy, line, after):
    proxy.fault = Cut(after)
    line.sendall(ECHO)
    received = bytearray()
    while piece := line.recv(100):
        received += piece
    assert received == ANSWER[:after]


def test_a_cut_behind_the_answer_leaves_it_whole(proxy, line):
    proxy.fault = Cut(len(ANSWER))
    assert asked(line) == ANSWER


def test_every_so_many_bytes_one_is_wrong_however_the_answers_are_cut_up(proxy, line):
    proxy.fault = Corrupt(every=6)
    received = b"".join(asked(line) for _ in range(6))
    wrong = [at for at, (is_, was) in enumerate(zip(received, ANSWER * 6, strict=True)) if is_ != was]
    assert wrong == list(range(5, len(received), 6))


def test_wrong_bytes_of_questions_reach_the_server(proxy, line):
    proxy.fault = Corrupt(every=len(ECHO) - 2, questions=True)
    assert asked(line) not in {ANSWER, b""}
