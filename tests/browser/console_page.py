"""The console in a browser's page, with an ear for its complaints."""

from __future__ import annotations

import re

from playwright.sync_api import ConsoleMessage, Error, Page

from patience import PATIENCE


class Console:
    """The console in a page of its own. What the page complains of fails the test, unless ``allow`` foresaw it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self._allowed: list[str] = []
        page.on("pageerror", self._on_error)
        page.on("console", self._on_message)
        page.set_default_timeout(1000 * PATIENCE)

    def open(self) -> Page:
        self.page.goto(self.url)
        return self.page

    def allow(self, pattern: str) -> None:
        self._allowed.append(pattern)

    def check(self) -> None:
        unforeseen = [text for text in self.complaints if not any(re.search(pattern, text) for pattern in self._allowed)]
        assert unforeseen == [], unforeseen

    def _on_error(self, error: Error) -> None:
        self.complaints.append(f"uncaught: {error}")

    def _on_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)
