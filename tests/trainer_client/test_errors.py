"""Errors are raised in one process and read in another, and the public face is a list."""

from __future__ import annotations

import copy
import pickle

import pytest

import trainer_client
from rubric.errors import Fault
from trainer_client import ClientError, FixRequest, NotScored, StopRun, TryLater


@pytest.mark.parametrize("kind", [FixRequest, TryLater, StopRun])
def test_an_error_survives_the_way_to_another_process(kind):
    error = kind("invalid_rubric", "no", faults=(Fault("$.rubric", "m"),))
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301 - our own
        assert type(twin) is kind
        assert (twin.kind, twin.detail, twin.faults) == (error.kind, error.detail, error.faults)
        assert str(twin) == str(error) == "invalid_rubric: no"


def test_an_error_is_caught_by_what_the_caller_does_next():
    assert issubclass(FixRequest, NotScored)
    assert issubclass(TryLater, NotScored)
    assert not issubclass(StopRun, NotScored)
    assert issubclass(StopRun, ClientError)


def test_nothing_is_promised_by_accident():
    assert sorted(trainer_client.__all__) == [
        "AsyncRewardClient",
        "ClientError",
        "FixRequest",
        "Group",
        "NotScored",
        "RewardClient",
        "Scored",
        "Settings",
        "StopRun",
        "TryLater",
    ]
    assert all(hasattr(trainer_client, name) for name in trainer_client.__all__)
