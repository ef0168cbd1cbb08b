"""A device that fails at every step makes the pod unlive; nothing else does."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from starlette.testclient import TestClient

from service.app import assemble
from service.bootstrap import build_parts
from service.settings import Settings
from service.vitals import STICKS, Vitals


@dataclass(frozen=True)
class Step:
    texts: int
    broken: int


LOST, SPOILED, GOOD = Step(texts=4, broken=4), Step(texts=4, broken=1), Step(texts=4, broken=0)


@pytest.mark.parametrize(
    ("steps", "stuck"),
    [
        ([LOST] * (STICKS - 1), False),
        ([LOST] * STICKS, True),
        ([LOST] * (STICKS - 1) + [GOOD] + [LOST] * (STICKS - 1), False),
        ([SPOILED] * 100, False),
        ([LOST] * STICKS + [GOOD], False),
    ],
)
def test_only_steps_that_lost_all_of_their_texts_in_a_row_count(steps, stuck):
    vitals = Vitals(elsewhere=False)
    for step in steps:
        vitals.stepped(step)
    assert vitals.stuck == stuck


def test_no_restart_heals_the_model_of_another_server():
    vitals = Vitals(elsewhere=True)
    for _ in range(100):
        vitals.stepped(LOST)
    assert not vitals.stuck


def test_the_pod_of_a_stuck_device_is_unlive_and_lives_again_when_the_device_does():
    settings = Settings(workers=0)
    parts = build_parts(settings)
    client = TestClient(assemble(parts, settings=settings))
    assert client.get("/healthz").status_code == 200
    for _ in range(STICKS):
        parts.vitals.stepped(LOST)
    reply = client.get("/healthz")
    assert (reply.status_code, reply.json()["type"]) == (503, "urn:cairn:problem:device_stuck")
    parts.vitals.stepped(GOOD)
    assert client.get("/healthz").status_code == 200
