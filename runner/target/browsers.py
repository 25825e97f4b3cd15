"""Which browser a run uses: the one on the PATH, or else the testbed's own, built when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clients.model.errors import MeshproofError
from clients.probe import browser

Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A browser, or why there is none.

    Attributes:
        program: its executable; empty where there is none.
        why_not: the reason in one line, with a hint.
    """

    program: str = ""
    why_not: str = ""


HINT = "apt-get install chromium"
UNWANTED = "no selected control needs a browser, as far as was known"


def find_or_install(wanted: Callable[[], bool], say: Say) -> Found:
    """The browser; built if necessary.

    Args:
        wanted: whether a selected control needs one; called only where a browser would have to be built.
    """
    if installed := browser.installed():
        return Found(installed)
    from testbed import api  # loaded only here: not needed with a browser on the PATH

    if problem := api.browser_problem():
        return Found(why_not=f"none is on the PATH, and {problem}; {HINT}")
    if not api.browser_built() and not wanted():
        return Found(why_not=UNWANTED)
    try:
        return Found(str(api.make_browser(say)))
    except MeshproofError as error:
        say(f"no browser: {error.message}")
        return Found(why_not=f"none is on the PATH, and none could be built: {error.message.splitlines()[0]}; {HINT}")


def describe() -> tuple[bool, str]:
    """Whether a run has a browser or can build one; and which, or why not."""
    if installed := browser.installed():
        return True, installed
    from testbed import api

    if problem := api.browser_problem():
        return False, f"none is on the PATH, and {problem}"
    return True, "the testbed's own" + ("" if api.browser_built() else ", built when it is first needed (about 100 MB)")
