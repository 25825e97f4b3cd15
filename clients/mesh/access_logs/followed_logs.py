"""Follows the logs of containers of a cluster."""

from __future__ import annotations

import threading
import time

from clients.kube.cluster import Cluster
from clients.kube.log_follower import LogFollower
from clients.mesh.access_logs.log_lines import LogLines
from clients.mesh.access_logs.logs import LogSource

MARGIN_S = 3
"""Seconds more than needed that a log is read from: clocks of nodes differ a little, and Kubernetes rounds."""


class FollowedLogs:
    """Follows each log from the first time that it is needed until `close`. For several threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._followed: dict[tuple[str, str, str], tuple[LogFollower, LogLines]] = {}
        self._changes = 0
        self._changed = threading.Condition()

    def of(self, source: LogSource, since: float) -> LogLines:
        """See `Logs.of`."""
        key = _key(source)
        with self._changed:
            follower, lines = self._followed.get(key, (None, None))
            if follower and lines and (lines.complete_since(since) or since < lines.lost_before):
                return lines  # no other follower would find what is lost
            if follower:
                follower.close()
            lines = LogLines(f"log of {source}", since, self._notify)
            since_s = max(0, int(time.monotonic() - since)) + 1 + MARGIN_S
            follower = LogFollower(self._cluster, source.pod, source.container, since_s, lines)
            self._followed[key] = follower, lines
            return lines

    def seen(self) -> int:
        """See `Logs.seen`."""
        return self._changes

    def wait(self, seen: int, timeout_s: float) -> None:
        """See `Logs.wait`."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, timeout_s)

    def refresh(self, source: LogSource) -> None:
        """See `Logs.refresh`."""
        with self._changed:
            found = self._followed.get(_key(source))
        if found:
            found[0].refresh()

    def close(self) -> None:
        """See `Logs.close`."""
        with self._changed:
            followed, self._followed = self._followed, {}
        for follower, _ in followed.values():
            follower.close()

    def _notify(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()


def _key(source: LogSource) -> tuple[str, str, str]:
    """A later pod of the same name, as a StatefulSet makes it, has a log of its own."""
    return str(source.pod), source.pod.uid, source.container
