"""A headless Chromium, as the distribution packages it, driven by Playwright. It reaches only given hosts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from clients.model.errors import InfrastructureError
from clients.model.redact import redact

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
TIMEOUT_MS = 15_000
SIZE = (800, 360)
"""Of a window, in pixels; a picture is as high as its page, and no lower than this."""
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def installed() -> str:
    """The browser on this machine's PATH; empty where there is none."""
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
        """What the element of this id shows, once it shows something; waits for at most `TIMEOUT_MS`."""
        self.page.wait_for_function(f"document.getElementById({element!r})?.innerText.trim()", timeout=TIMEOUT_MS)
        return self.text(element)

    def statuses(self, path: str) -> list[int]:
        """Statuses of the answers to requests for this path."""
        return [status for asked, status in self.answers if asked == path]


class Browser:
    """A running browser; a context manager. Not for several threads at once.

    Args:
        program: the executable.
        hosts: `name:port` → `address:port`; nothing else can be reached.
        folders: whose files it can open. The testbed's own browser sees no others; one on the PATH sees all.
    """

    def __init__(self, program: str, hosts: Mapping[str, str], folders: Sequence[Path] = ()) -> None:
        self._program = program
        rules = [f"MAP {name} {where}" for name, where in hosts.items()] + ["MAP * ~NOTFOUND"]
        shown = [f"--meshproof-shows={folder.resolve()}" for folder in folders]  # read by testbed/browser.sh
        self._arguments = [*_QUIET, *shown, f"--host-resolver-rules={','.join(rules)}"]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        from playwright.sync_api import sync_playwright  # takes a while, and only this needs it

        with ExitStack() as stack:
            playwright = stack.enter_context(sync_playwright())
            # the sandbox needs rights that root in a container does not have
            self._browser = playwright.chromium.launch(
                executable_path=self._program, args=self._arguments, chromium_sandbox=False
            )
            stack.callback(self._browser.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def window(self, user_agent: str) -> Iterator[Window]:
        """A new, private window, which shares nothing with others.

        Args:
            user_agent: its User-Agent header, by which its requests are found in logs.
        """
        context = self._browser.new_context(user_agent=user_agent, viewport={"width": SIZE[0], "height": SIZE[1]})
        try:
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            made = Window(page)
            page.on("response", lambda reply: made.answers.append((_path(reply.url), reply.status)))
            yield made
        finally:
            context.close()


@dataclass(frozen=True)
class Shot:
    """A picture of a whole page.

    Attributes:
        png: the file.
        text: the text of the page, and the content of its fields.
    """

    png: bytes
    text: str
    width: int
    height: int


_SEEN = """() => {
    const fields = [...document.querySelectorAll("input:not([type=hidden]):not([type=password]), textarea")]
    return [document.body.innerText, ...fields.map(field => field.value)].filter(Boolean).join("\\n")
}"""
_PNG_SIZE = slice(16, 24)
"""Width and height in the header chunk, four bytes each (PNG, section 11.2.1)."""


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[-1].partition("/")[2].split("?", 1)[0].split("#", 1)[0]


def shot(made: Window) -> Shot:
    """A picture of the window as it is now.

    Raises:
        InfrastructureError: the window shows a token or a key, and a picture cannot be redacted.
    """
    text = str(made.page.evaluate(_SEEN))
    if redact(text) != text:
        raise InfrastructureError("the window shows a token or a key, so that no picture of it may be kept")
    png = made.page.screenshot(full_page=True)
    size = png[_PNG_SIZE]
    return Shot(png, text, int.from_bytes(size[:4]), int.from_bytes(size[4:]))
