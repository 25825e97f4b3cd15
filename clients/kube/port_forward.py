"""Ports of pods on this machine, forwarded by the API server: the way to a pod that no network path leads to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.pods import Pod

HERE = "127.0.0.1"
_BYTES = 64 * 1024


class PortForward:
    """A port of this machine that leads to a port of a pod, until `close`.

    Every connection is a request to the API server of its own, as `kubectl port-forward` would make it. It ends in the
    pod's own network namespace: the pod sees a client at 127.0.0.1, and no NetworkPolicy and no rule of redirection
    applies. So it shows what a gateway itself decides, and nothing else.
    """

    def __init__(self, cluster: Cluster, pod: Pod, port: int) -> None:
        self._cluster, self._pod, self._port = cluster, pod, port
        self._server = socket.create_server((HERE, 0), backlog=64)
        threading.Thread(target=self._serve, name=f"port-forward-{pod}", daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.getsockname()[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Accept no further connection. Never raises."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._connect, args=(client,), name="port-forward", daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        """Carry one connection; where the API server refuses it, the client sees it end without an answer."""
        with client, suppress(OSError):
            try:
                forward: Any = self._cluster.api.port_forward(self._pod.namespace, self._pod.name, self._port)
            except Exception:
                return  # the client library's own errors have no common class
            pod = forward.socket(self._port)
            back = threading.Thread(target=_copy, args=(pod, client), name="port-forward-back", daemon=True)
            back.start()
            _copy(client, pod)
            back.join()
            forward.close()


def _copy(source: Any, target: Any) -> None:
    """Copy until the source ends, then end the target's input."""
    with suppress(OSError):
        while data := source.recv(_BYTES):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
