"""Logs of the pods behind a Service, followed, and read until they are known to be complete up to some request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.log_lines import LogLines

SILENT_S = 4.0
"""Seconds to wait for a sidecar's log once the application's shows the request: Envoy flushes its log every second."""
PRINTED_S = 1.0
"""Seconds to wait for an application's log once the sidecar's shows the request: it prints earlier, as it answers."""
AGAIN_S = 0.5
"""Seconds after which requests are sent again to replicas whose logs show none."""
DEAD_S = 5.0
"""Seconds of waiting after which the connection to a log is opened again: it may be dead without having said so."""


@dataclass(frozen=True)
class LogSource:
    """One container's log."""

    pod: Pod
    container: str

    def __str__(self) -> str:
        return f"{self.pod} ({self.container})"


def in_words(sources: Iterable[LogSource]) -> str:
    """`a/web-1 (web, istio-proxy), a/web-2 (web)`: each pod once, in order."""
    containers: dict[str, list[str]] = {}
    for one in sorted(sources, key=lambda one: (str(one.pod), one.container == SIDECAR, one.container)):
        containers.setdefault(str(one.pod), []).append(one.container)
    return ", ".join(f"{pod} ({', '.join(names)})" for pod, names in containers.items())


class Logs(Protocol):
    """Logs of containers, as far as they have come."""

    def of(self, source: LogSource, since: float) -> LogLines:
        """The log of a container, complete since a monotonic time at least (see `LogLines.check`)."""

    def seen(self) -> int:
        """A number that is another one after each change of any log; take it before looking."""

    def wait(self, seen: int, timeout_s: float) -> None:
        """Wait until a log has changed since `seen` was taken, for at most so many seconds."""

    def refresh(self, source: LogSource) -> None:
        """Read this log by a new connection."""

    def close(self) -> None:
        """Follow no log any more; one that is needed again is followed again."""


@dataclass(frozen=True)
class Reading:
    """Logs that are complete up to a known request.

    Attributes:
        lines: every log that shows one of the known requests.
        missing: pods none of whose logs does, and why, where that is known.
        since: monotonic time from which on the logs are complete.
    """

    lines: dict[LogSource, LogLines] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    since: float = 0.0

    @property
    def places(self) -> str:
        """The logs that were read, in words."""
        return in_words(self.lines)

    def reached(self, ids: set[str]) -> set[str]:
        """Those of the request ids that reached the application: named in its log, or sent on by its sidecar.

        Raises:
            InfrastructureError: a log has a gap, so that an absence proves nothing.
        """
        found = {
            request_id
            for source, lines in self.lines.items()
            for request_id in ids
            if _reached(source, lines.mentioning(request_id))
        }
        for lines in self.lines.values():
            lines.check(self.since)
        return found


def read_up_to(
    logs: Logs,
    pods: list[Pod],
    passing: Callable[[], Iterable[str]],
    *,
    since: float,
    budget_s: float,
    access_log: bool,
) -> Reading:
    """Wait until the application's and the sidecar's log of each pod show a request that was sent just now.

    A log that shows a request shows every earlier one, because it is written in order. A log that shows none (of an
    application that logs nothing, or of a mesh without access log) is left out after a while if another log of the pod
    shows one. It is left out at once if the sidecar and an application of the pod both show one: then the request went
    to no other container.

    Args:
        passing: sends requests that reach the pods, and returns their ids; called again while a pod shows none.
        since: monotonic time from which on the logs matter, in seconds.
        budget_s: limit of the whole wait, in seconds.
        access_log: whether sidecars write one.

    Raises:
        InfrastructureError: a log cannot be read.
    """
    waiting = [LogSource(pod, name) for pod in pods for name in _expected(pod, access_log)]
    lines = {source: logs.of(source, since) for source in waiting}
    wait = _Wait(logs, budget_s)
    known, asked = set(passing()), time.monotonic()
    shown: dict[LogSource, LogLines] = {}
    while True:
        seen = logs.seen()
        shown |= {one: lines[one] for one in waiting if lines[one].mentions_any(known)}
        for one in waiting:
            lines[one].check(since)
        waiting = [one for one in waiting if one not in shown and not _enough(one, shown)]
        missing = [pod for pod in pods if all(source.pod != pod for source in shown)]
        if missing and time.monotonic() >= asked + AGAIN_S:
            known |= set(passing())
            asked = time.monotonic()
        elif waiting and not missing:
            sidecars = any(one.container == SIDECAR for one in waiting)
            wait.at_most(SILENT_S if sidecars else PRINTED_S)
        if not waiting or not wait.more(seen, waiting, AGAIN_S if missing else budget_s):
            troubles = {one.pod: lines[one].problem for one in waiting if lines[one].problem}
            return Reading(shown, tuple(_named(pod, troubles.get(pod, "")) for pod in missing), since)


T = TypeVar("T")


class _Wait:
    """Waits for changes of logs until a deadline, and opens connections again that may be dead."""

    def __init__(self, logs: Logs, budget_s: float) -> None:
        self._logs = logs
        self._began = time.monotonic()
        self._deadline = self._began + budget_s
        self._refreshed = False

    def at_most(self, seconds: float) -> None:
        """Shorten what is left, once: the first call counts."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def more(self, seen: int, waiting: Iterable[LogSource], at_most_s: float) -> bool:
        """Wait for a change; False once the time is over."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            return False
        if not self._refreshed and time.monotonic() >= self._began + DEAD_S:
            self._refreshed = True
            for source in waiting:
                self._logs.refresh(source)
        self._logs.wait(seen, min(left, at_most_s, DEAD_S))
        return True


def wait_for(
    logs: Logs,
    look: Callable[[], T],
    enough: Callable[[T], bool],
    sources: Iterable[LogSource],
    budget_s: float,
    pause_s: float | None = None,
) -> T:
    """What `look` returns as soon as that is enough, or when the time is over.

    Args:
        pause_s: it looks after so many seconds also where no log has changed; None for the whole budget.

    Raises:
        InfrastructureError: as `look` does.
    """
    wait = _Wait(logs, budget_s)
    while True:
        seen = logs.seen()
        found = look()
        if enough(found) or not wait.more(seen, sources, pause_s or budget_s):
            return found


def _named(pod: Pod, trouble: str) -> str:
    return f"{pod} ({trouble})" if trouble else str(pod)


def _enough(waiting: LogSource, shown: dict[LogSource, LogLines]) -> bool:
    """Whether the sidecar and an application of the same pod show the request, so that no other container had it."""
    there = {source.container for source in shown if source.pod == waiting.pod}
    return SIDECAR in there and len(there) > 1


def _expected(pod: Pod, access_log: bool) -> list[str]:
    return [name for name in sidecar.containers_that_log(pod) if name != SIDECAR or access_log]


def _reached(source: LogSource, lines: list[str]) -> bool:
    if source.container != SIDECAR:
        return bool(lines)
    return any(accesslog.forwarded(entry) for entry in accesslog.parse(lines))
