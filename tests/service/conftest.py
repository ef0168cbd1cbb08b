from __future__ import annotations

import pytest

from tests.service.serving import running


@pytest.fixture(scope="session")
def server():
    """One server for every test that does not need settings of its own."""
    with running(
        workers=2, log_level="info", limit_body_bytes=4_000_000, labels="source:longqa|musique,policy:*"
    ) as it:
        yield it


@pytest.fixture
def client(server):
    with server.client() as it:
        yield it
