"""Logs of the pods behind a Service, read until they are known to be complete up to some request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clients.kube.cluster import Cluster
from clients.kube.pods import SIDECAR, Pod
from clients.mesh import accesslog, sidecar

SILENT_S = 4.0
"""Seconds to wait for a sidecar's log once the application's shows the request: Envoy flushes its log every second."""
PRINTED_S = 1.0
"""Seconds to wait for an application's log once the sidecar's shows the request: it prints earlier, as it answers."""
_POLL_S = 0.1


@dataclass(frozen=True)
class LogSource:
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

    lines: dict[LogSource, list[str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def places(self) -> list[str]:
        """Names of the logs that were read."""
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
    access_log: bool,
) -> Reading:
    """Read the application's and the sidecar's log of each pod until it shows a request that was sent just now.

    A log that shows a request shows every earlier one, because it is written in order. A log that shows none (of an
    application that logs nothing, or of a mesh without access log) is left out after a while if another log of the pod
    shows one. It is left out at once if the sidecar and an application of the pod both show one: then the request went
    to no other container.

    Args:
        passing: sends requests that reach the pods, and returns their ids; called again while a pod shows none.
        since_s: how far back to read, in seconds.
        budget_s: limit of the whole wait, in seconds.
        access_log: whether sidecars write one.

    Raises:
        InfrastructureError: a log cannot be read.
    """
    known = set(passing())
    deadline = time.monotonic() + budget_s
    waiting = [LogSource(pod, name) for pod in pods for name in _expected(pod, access_log)]
    shown: dict[LogSource, list[str]] = {}
    while True:
        for one in waiting:
            lines = sidecar.log_lines(cluster, one.pod, one.container, since_s=since_s())
            if any(accesslog.mentions(lines, request_id) for request_id in known):
                shown[one] = lines
        waiting = [one for one in waiting if one not in shown and not _enough(one, shown)]
        missing = [pod for pod in pods if all(source.pod != pod for source in shown)]
        if missing:
            known |= set(passing())
        elif waiting:
            sidecars = any(one.container == SIDECAR for one in waiting)
            deadline = min(deadline, time.monotonic() + (SILENT_S if sidecars else PRINTED_S))
        if not waiting or time.monotonic() >= deadline:
            return Reading(shown, tuple(map(str, missing)))
        time.sleep(_POLL_S)


def _enough(waiting: LogSource, shown: dict[LogSource, list[str]]) -> bool:
    """Whether the sidecar and an application of the same pod show the request, so that no other container had it."""
    there = {source.container for source in shown if source.pod == waiting.pod}
    return SIDECAR in there and len(there) > 1


def _expected(pod: Pod, access_log: bool) -> list[str]:
    return [name for name in sidecar.containers_that_log(pod) if name != SIDECAR or access_log]


def _reached(source: LogSource, lines: list[str]) -> bool:
    if source.container != SIDECAR:
        return bool(lines)
    return any(accesslog.forwarded(entry) for entry in accesslog.parse(lines))
