"""Times of held traffic that no process has observed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from clients.hold.account import Page
from clients.hold.flows import SERVER

HOLE_S = 3.0
"""Longest time in seconds between two writings of a process; what is longer was not observed."""


@dataclass(frozen=True)
class Hole:
    """A time in which nothing is known of a client's flows: its process had died, and no other had begun."""

    by: str
    start: float
    end: float


def holes(pages: Iterable[Page], since: float, now: float, alive: Collection[tuple[str, float]] = ()) -> list[Hole]:
    """Times that no process of a client has observed, from a moment on until now. Servers only confirm.

    What a process has seen after its last writing is unknown, unless it was asked to end: then it writes once more.

    Args:
        since: when the accounts began, in seconds since 1970, by the API server's clock; so is `now`.
        alive: processes that have just written, whatever the clock of their node says.
    """
    of: dict[str, list[Page]] = {}
    for page in pages:
        if page.by != SERVER:
            of.setdefault(page.by, []).append(page)
    found = []
    for by, own in of.items():
        covered = sorted((*_covered(page, now, alive), page.ended or page.process in alive) for page in own)
        until, whole = since, True
        for began, written, to_its_end in covered:
            if began - until > (HOLE_S if whole else 0.0):
                found.append(Hole(by, until, began))
            if written >= until:
                until, whole = written, to_its_end
        if now - until > HOLE_S:
            found.append(Hole(by, until, now))
    return found


def _covered(page: Page, now: float, alive: Collection[tuple[str, float]]) -> tuple[float, float]:
    """From when to when a process observed; what it wrote in the future shows by how much its node's clock is ahead."""
    ahead = max(page.written - now, 0.0)
    return page.began - ahead, now if page.process in alive else page.written - ahead
