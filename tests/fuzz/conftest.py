"""The server of the service's tests, for whoever sends it nonsense."""

from __future__ import annotations

from tests.service.conftest import server

__all__ = ["server"]
