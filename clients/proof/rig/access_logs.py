"""Whether sidecars write the access log that proofs look for: as the mesh says, or as a sidecar itself shows."""

from __future__ import annotations

import time
from collections.abc import Iterable

from clients.kube.cluster import Cluster
from clients.kube.pods import Pod
from clients.mesh import sidecar
from clients.mesh.access_logs import log_format
from clients.mesh.discovery import MeshInfo
from clients.model.errors import MeshproofError
from clients.model.polling import poll

SPREAD_S = 10.0
"""Seconds for a Telemetry to reach a sidecar."""
_POLL_S = 0.5
_LISTENERS = "config_dump?resource=dynamic_listeners"
_STDOUT = ("/dev/stdout", "StdoutAccessLog")
"""What Envoy's configuration of a log to standard output has (Envoy's API, `FileAccessLog`, `StdoutAccessLog`)."""


class AccessLogs:
    """Where a Telemetry of the run turns the log on, one sidecar is looked at, once: a mesh may ignore it."""

    def __init__(self, cluster: Cluster, mesh: MeshInfo) -> None:
        self._cluster = cluster
        self._known = not mesh.log_provider
        self.written = mesh.writes_access_log

    def look(self, namespaces: Iterable[str]) -> None:
        """Look at a sidecar of these namespaces, if that is still to do; without one, nothing is known yet."""
        if self._known or not (pods := self._injected(namespaces)):
            return
        deadline = time.monotonic() + SPREAD_S
        self._known = True
        self.written = poll(lambda: any(self._writes(pod) for pod in pods[:1]), deadline, pause_s=_POLL_S)

    def _injected(self, namespaces: Iterable[str]) -> list[Pod]:
        return [pod for name in sorted(namespaces) for pod in self._cluster.pods(name) if pod.injected and pod.ready]

    def _writes(self, pod: Pod) -> bool:
        try:
            text = sidecar.admin(self._cluster, pod, _LISTENERS)
        except MeshproofError:
            return False
        return any(mark in text for mark in _STDOUT) and log_format.is_known(text)
