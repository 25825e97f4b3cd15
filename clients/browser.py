"""A headless Chromium, the one that the distribution packages, driven by Playwright. It knows only what it is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 15_000
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def program() -> str:
    """The browser on this machine; empty where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), "")


@dataclass
class Window:
    """One page, and what it asked for.

    Attributes:
        answers: (path, status) of every answer that it received, in order.
    """

    page: Page
    answers: list[tuple[str, int]] = field(default_factory=list)

    def text(self, element: str) -> str:
        """What the element of this id shows; empty where it shows nothing."""
        found = self.page.locator(f"#{element}")
        return found.inner_text().strip() if found.is_visible() else ""

    def shows(self, element: str) -> str:
        """The same, once it shows something."""
        self.page.wait_for_function(f"document.getElementById({element!r})?.innerText.trim()", timeout=TIMEOUT_MS)
        return self.text(element)

    def statuses(self, path: str) -> list[int]:
        """Of the answers to requests for this path."""
        return [status for asked, status in self.answers if asked == path]


@contextmanager
def window(hosts: Mapping[str, str], user_agent: str) -> Iterator[Window]:
    """A new, private window.

    Args:
        hosts: `name:port` → `address:port`; nothing else can be reached.
        user_agent: what it calls itself, so that its requests are found in logs.
    """
    rules = [f"MAP {name} {where}" for name, where in hosts.items()] + ["MAP * ~NOTFOUND"]
    options: dict[str, Any] = {
        "executable_path": program(),
        "args": [*_QUIET, f"--host-resolver-rules={','.join(rules)}"],
    }
    from playwright.sync_api import sync_playwright  # takes a while, and only this needs it

    with sync_playwright() as playwright:
        # the sandbox needs what root in a container has not
        browser = playwright.chromium.launch(**options, chromium_sandbox=False)
        try:
            page = browser.new_context(user_agent=user_agent).new_page()
            page.set_default_timeout(TIMEOUT_MS)
            made = Window(page)
            page.on("response", lambda reply: made.answers.append((_path(reply.url), reply.status)))
            yield made
        finally:
            browser.close()


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[-1].partition("/")[2].split("?", 1)[0].split("#", 1)[0]


def shot(made: Window, file: Path) -> None:
    """Keep a picture of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    made.page.screenshot(path=str(file), full_page=True)
