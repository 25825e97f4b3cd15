"""Shells in client pods, each opened when it is first used, and the source ports of the requests that they send."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from clients.kube.cluster import Cluster
from clients.kube.exec import ExecSession
from clients.kube.pods import Pod
from clients.probe import ordinary
from clients.probe.session import SHELL, ProbeSession

PORTS = range(20_000, 32_752)
"""Client ports of pods, each request from another one. For TCP the access log has no request id, so the port is the
only key. The kernel itself takes one port for several servers, and for two ports of one server, of which netfilter
changes one where both are redirected to a proxy. Above what listens in a pod; below the ephemeral ports, with the ones
after it that curl tries."""
SHELLS = 8
"""Number of shells that work in parallel in a client container without a proxy."""


@dataclass(frozen=True)
class Ports:
    """Source ports of one pod, whose containers share them. Never restarted: the kernel still remembers recent ones."""

    marked: Iterator[int]
    ordinary: Iterator[int]


def open_session(cluster: Cluster, pod: Pod, container: str, ports: Ports) -> ProbeSession:
    """A session that opens its shell in the pod's container when it is first used."""
    return ProbeSession(lambda: ExecSession(cluster, pod, container, SHELL), ports.marked, ports.ordinary)


class ShellOfThread(threading.local):
    """Gives each thread one of the shells, in turn."""

    _next = itertools.count()

    def __init__(self) -> None:
        self.mine = next(ShellOfThread._next) % SHELLS


class ClientSessions:
    """One session for each client container with a sidecar; for one without, a session for each of `SHELLS` shells.

    For several threads.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sessions: dict[tuple[str, str, int], ProbeSession] = {}
        self._ports: dict[str, Ports] = {}
        self._lock = threading.RLock()
        self._shell = ShellOfThread()

    def of(self, pod: Pod, container: str) -> ProbeSession:
        """The session of the calling thread in a pod's container."""
        key = (str(pod), container, 0 if pod.injected else self._shell.mine)
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = open_session(self._cluster, pod, container, self._ports_of(pod))
            return self._sessions[key]

    def _ports_of(self, pod: Pod) -> Ports:
        if str(pod) not in self._ports:
            like_users = ordinary.WITH_SIDECAR if pod.injected else ordinary.PORTS
            self._ports[str(pod)] = Ports(ordinary.ports(PORTS), ordinary.ports(like_users))
        return self._ports[str(pod)]

    def close(self) -> None:
        """Close all of them; one that is needed again is opened again, with the next ports of its pod."""
        for session in self._sessions.values():
            session.close()
        self._sessions = {}
