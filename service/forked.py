"""What the process that workers are forked from imports: by then, all that a worker needs is loaded."""

from __future__ import annotations

from service.matching import prepare_worker

prepare_worker()
