"""The page in a real browser before a real server. A complaint of the browser fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.inspector.browser import MISSING, chromium, serving


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    with serving(keep=3, labels="source:longqa|musique") as url:
        yield url


@pytest.fixture(scope="package")
def browser():
    if MISSING:
        pytest.skip(f"the page is tested in a browser: no {' and no '.join(MISSING)}")
    with chromium() as it:
        yield it


@dataclass
class Complaints:
    """What a browser complained about. A refusal by the server that a test asks for is no complaint."""

    said: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def watch(self, page: Any) -> None:
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("dialog", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(f"{message.type}: {message.text}")

    def _asked(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def check(self) -> None:
        unexpected = [each for each in self.said if not any(word in each for word in self.expected)]
        assert not unexpected, unexpected


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def open_page(browser, complaints):
    """Opens the page in a window of its own. No test may end with a complaint of the browser."""
    contexts = []

    def opened(url: str, *, width: int = 1280, height: int = 900, **options: Any):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8_000)
        complaints.watch(page)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    complaints.check()


@pytest.fixture(scope="package")
def window(browser):
    """What most tests share; none of them leaves anything behind but closed pages."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture
def page(window, site, complaints):
    with window.new_page() as page:
        page.set_default_timeout(8_000)
        complaints.watch(page)
        page.goto(site)
        yield page
    complaints.check()
