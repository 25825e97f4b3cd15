"""Logs of the pods behind a Service, read until they are known to be complete up to some request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clients import accesslog, mesh
from clients.cluster import Cluster
from clients.pods import SIDECAR, Pod

SILENT_S = 4.0
"""How long to wait for a log once another of the same pod shows the request: Envoy flushes its own every second."""
_POLL_S = 0.1


@dataclass(frozen=True)
class Source:
    """One container's log."""

    pod: Pod
    container: str

    def __str__(self) -> str:
        return f"{self.pod} ({self.container})"


@dataclass(frozen=True)
class Reading:
    """Logs that are complete up to a known request.

    Attributes:
        lines: of every log that shows one of the known requests.
        missing: pods none of whose logs does.
    """

    lines: dict[Source, list[str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def places(self) -> list[str]:
        """The logs that were read, for people."""
        return [str(source) for source in self.lines]

    def reached(self, ids: set[str]) -> set[str]:
        """Those of the request ids that reached the application: named in its log, or sent on by its sidecar."""
        return {
            request_id
            for source, lines in self.lines.items()
            for request_id in ids
            if _reached(source, accesslog.mentions(lines, request_id))
        }


def read_up_to(
    cluster: Cluster,
    pods: list[Pod],
    passing: Callable[[], Iterable[str]],
    *,
    since_s: Callable[[], int],
    budget_s: float,
    silent: set[Source] | None = None,
) -> Reading:
    """Read the application's and the sidecar's log of each pod until it shows a request that was sent just now.

    A log that shows a request shows every earlier one: each is written in order. One that shows none (an application
    that logs nothing, a mesh without access log) is left out after a while, as long as the pod has another that does.

    Args:
        passing: sends requests that reach the pods, and gives their ids; asked again while a pod has seen none.
        silent: logs that told nothing of such requests before: not waited for again. What is found so is added.

    Raises:
        InfrastructureError: a log cannot be read.
    """
    known = set(passing())
    deadline = time.monotonic() + budget_s
    silent = set() if silent is None else silent
    expected = [
        source for pod in pods for name in _expected(cluster, pod) if (source := Source(pod, name)) not in silent
    ]
    while True:
        lines = {one: mesh.log_lines(cluster, one.pod, one.container, since_s=since_s()) for one in expected}
        shown = {source: text for source, text in lines.items() if any(accesslog.mentions(text, one) for one in known)}
        missing = [pod for pod in pods if all(source.pod != pod for source in shown)]
        if missing:
            known |= set(passing())
        else:
            deadline = min(deadline, time.monotonic() + SILENT_S) if shown else deadline
        if len(shown) == len(expected) or time.monotonic() >= deadline:
            silent |= {
                source for source in expected if source not in shown and str(source.pod) not in map(str, missing)
            }
            return Reading(shown, tuple(map(str, missing)))
        time.sleep(_POLL_S)


def _expected(cluster: Cluster, pod: Pod) -> list[str]:
    logged = "access-log" in cluster.mesh.capabilities
    return [name for name in mesh.containers_that_log(pod) if name != SIDECAR or logged]


def _reached(source: Source, lines: list[str]) -> bool:
    if source.container != SIDECAR:
        return bool(lines)
    return any(accesslog.forwarded(entry) for entry in accesslog.parse(lines))
