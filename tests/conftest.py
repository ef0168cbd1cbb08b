from __future__ import annotations

import os

import pytest
from hypothesis import settings

# The suite says the same on every machine and on every run; `deep` is for looking for new faults by hand:
#   HYPOTHESIS_PROFILE=deep .venv/bin/python -m pytest tests/rubric
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("deep", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on the loop that the service runs on."""
    return "asyncio"
