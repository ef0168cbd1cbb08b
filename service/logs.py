"""Logs are events with fields, on stderr: JSON lines, or colors in a terminal. Never a rollout's text."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

_SHARED: tuple[Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def start_logs(*, level: str) -> None:
    """Send the events of the service and of its web server the same way; called once, before serving."""
    colored = sys.stderr.isatty()
    number = logging.getLevelNamesMapping()[level.upper()]
    render: list[Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if colored:
        render = [structlog.dev.ConsoleRenderer()]
    structlog.configure(
        processors=[*_SHARED, *render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=list(_SHARED), processors=[drop_meta, *render])
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
