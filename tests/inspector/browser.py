"""A headless Chromium and a server for it: what the tests, the benchmark and the pictures share."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import uvicorn

from service.bootstrap import build_app
from service.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [
    name for name, there in (("playwright", find_spec("playwright")), ("chromium", CHROMIUM)) if not there
]


@contextmanager
def serving(*, keep: int = 0, **settings: Any) -> Iterator[str]:
    """The address of a server in this process, matching in a thread; it keeps the last `keep` groups."""
    app = build_app(Settings(**{"workers": 0, "log_level": "error", "inspector_keep": keep, **settings}))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive(), "no server"
            assert time.monotonic() < deadline, "no server"
            time.sleep(0.02)
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright, driving the Chromium of the machine; none is downloaded."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (only where it is installed)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()
