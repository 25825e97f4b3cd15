"""Ports of pods on this machine, forwarded by the API server: the way to a pod that no network path leads to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from clients.kube import forwarded
from clients.kube.cluster import Cluster
from clients.kube.no_answer import one_line
from clients.kube.pods import Pod
from clients.model.addresses import joined
from clients.model.redact import redact

HERE = "127.0.0.1"
LINGER_S = 2.0
"""How long a client may take to close its side, once it has all that comes."""
_BYTES = 64 * 1024


class PortForward:
    """A port of this machine that leads to a port of a pod, until `close`.

    Every connection is a request to the API server of its own, as `kubectl port-forward` would make it. It ends in the
    pod's own network namespace: the pod sees a client at 127.0.0.1, and no NetworkPolicy and no rule of redirection
    applies. So it shows what a gateway itself decides, and nothing else.
    """

    def __init__(self, cluster: Cluster, pod: Pod, port: int) -> None:
        self._cluster, self._pod, self._port = cluster, pod, port
        self._failures: dict[str, str] = {}
        self._server = socket.create_server((HERE, 0), backlog=64)
        threading.Thread(target=self._serve, name=f"port-forward-{pod}", daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.getsockname()[:2]
        return str(host), int(port)

    def failure(self, client: str) -> str:
        """Why the newest connection of a client at this address (`ip:port`) did not reach the pod; empty if it did."""
        return self._failures.get(client, "")

    def close(self) -> None:
        """Accept no further connection. Never raises."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, peer = self._server.accept()
            except OSError:
                return  # closed
            arguments = (client, joined(*peer[:2]))
            threading.Thread(target=self._connect, args=arguments, name="port-forward", daemon=True).start()

    def _connect(self, client: socket.socket, address: str) -> None:
        """Carry one connection; where it does not reach the pod, or breaks, the client sees it end at once."""
        with client, suppress(OSError):
            self._failures.pop(address, None)
            try:
                websocket: Any = self._cluster.api.port_forward(self._pod.namespace, self._pod.name, self._port)
            except Exception as error:  # the client library's own errors have no common class
                self._failed(address, getattr(error, "reason", "") or error)
                return
            if why := forwarded.carry(websocket, client):
                self._failed(address, why)
            _end(client)

    def _failed(self, address: str, why: object) -> None:
        """Note it, before the client sees the end."""
        self._failures[address] = f"port {self._port} of {self._pod} is not forwarded: {one_line(redact(str(why)))}"


def _end(client: socket.socket) -> None:
    """Let the client read to the end: a close while bytes of its own are unread would be a reset, and lose the rest."""
    client.shutdown(socket.SHUT_WR)
    client.settimeout(LINGER_S)
    while client.recv(_BYTES):
        pass
