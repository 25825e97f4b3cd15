"""Reads what the processes of held traffic have written: a ConfigMap each, which outlives process and pod."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from clients.hold.account import Page
from clients.kube.cluster import Cluster

ACCOUNTS = "meshproof.dev/hold=account"
"""Labels of the ConfigMaps."""
WRITTEN_S, POLL_S = 15.0, 0.5
"""How long a process that is alive may take to write, on a machine that has no time for it; time between two looks."""


@dataclass(frozen=True)
class Written:
    """What the processes have written.

    Attributes:
        unread: ConfigMaps that hold no account, each with its namespace.
        alive: the processes that were seen to write.
    """

    pages: tuple[Page, ...]
    unread: tuple[str, ...]
    alive: frozenset[tuple[str, float]] = frozenset()


def written(cluster: Cluster, namespaces: Iterable[str]) -> Written:
    """All of it."""
    pages: list[Page] = []
    unread: list[str] = []
    for namespace in namespaces:
        for one in cluster.objects("v1", "ConfigMap", namespace, ACCOUNTS):
            try:
                pages.append(Page.parse(str((one.get("data") or {}).get("account", ""))))
            except ValueError:
                unread.append(f"{namespace}/{one['metadata']['name']}")
    return Written(tuple(pages), tuple(unread))


def fresh(cluster: Cluster, namespaces: Collection[str], running: Collection[str]) -> Written:
    """All of it, of pods that run only what they wrote after this moment, as far as they do so in time.

    The clocks of nodes may differ from that of the API server. So a time alone shows nothing: a page is new if another
    was there when the look began, and of the second new one even the oldest part is.

    Args:
        running: names of the pods that are to write.
    """
    asked, deadline = cluster.api.time(), time.monotonic() + WRITTEN_S
    found = written(cluster, namespaces)
    last, changes = {page.process: page.written for page in found.pages}, Counter[tuple[str, float]]()
    while True:
        if all(_is_new(pod, found.pages, changes, asked) for pod in running) or time.monotonic() >= deadline:
            alive = frozenset(page.process for page in found.pages if changes[page.process] and not page.ended)
            return replace(found, alive=alive)
        time.sleep(POLL_S)
        found = written(cluster, namespaces)
        for page in found.pages:
            changes[page.process] += last.get(page.process) != page.written
            last[page.process] = page.written


def _is_new(pod: str, pages: Iterable[Page], changes: Counter[tuple[str, float]], asked: float) -> bool:
    """Whether what a pod wrote is new; it may have several pages, of which those of former processes do not change."""
    own = [page for page in pages if page.pod == pod]
    return bool(own) and (
        all(page.ended for page in own)
        or any(
            changes[page.process] > 1 or (changes[page.process] and page.written >= asked)
            for page in own
            if not page.ended
        )
    )
