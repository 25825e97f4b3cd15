"""A proxy in front of the API server that is too busy now and then: it answers 429, and ends watches with 410."""

from __future__ import annotations

import contextlib
import itertools
import re
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import yaml

from clients.kube.cluster import Cluster

RETRY_AFTER_S = 1
_HEAD_END = b"\r\n\r\n"
_WATCH = re.compile(rb"^GET \S*[?&]watch=(1|true)", re.IGNORECASE)
_CHUNK = 65536


def _refusal(status: str, code: int, reason: str, *headers: str) -> bytes:
    body = f'{{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "{reason}", "code": {code}}}'
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", body]).encode()


BUSY = _refusal("429 Too Many Requests", 429, "TooManyRequests", f"Retry-After: {RETRY_AFTER_S}")
GONE = _refusal("410 Gone", 410, "Expired")


class BusyApi:
    """Passes connections on to the API server; every few requests it answers itself.

    Args:
        cluster: the connection whose server it stands in front of, and whose client certificate it shows.
        every: one in so many requests is answered 429, and one in so many watches 410.

    Attributes:
        refused: how many requests it refused so far.
    """

    def __init__(self, cluster: Cluster, every: int) -> None:
        configuration = cluster.api.configuration
        host, _, port = configuration.host.removeprefix("https://").partition(":")
        self._to = (host, int(port or 443))
        self._tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        self._tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        self._every = every
        self._count, self._watches = itertools.count(1), itertools.count(1)
        self.refused = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that leads here."""
        host, port = self._listening.getsockname()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "busy",
            "clusters": [{"name": "busy", "cluster": {"server": f"http://{host}:{port}"}}],
            "users": [{"name": "busy", "user": {}}],
            "contexts": [{"name": "busy", "context": {"cluster": "busy", "user": "busy"}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            received = b""
            while _HEAD_END not in received:
                if not (data := peer.recv(_CHUNK)):
                    return
                received += data
            if answer := self._own_answer(received):
                self.refused += 1
                peer.sendall(answer)
                return
            with self._tls.wrap_socket(socket.create_connection(self._to), server_hostname=self._to[0]) as server:
                server.sendall(_one_request_only(received))
                _splice(peer, server)

    def _own_answer(self, head: bytes) -> bytes:
        if _WATCH.match(head):
            return GONE if next(self._watches) % self._every == 0 else b""
        return BUSY if next(self._count) % self._every == 0 else b""


def _one_request_only(received: bytes) -> bytes:
    """The request, which the server closes the connection after, unless it is upgraded."""
    head, _, rest = received.partition(_HEAD_END)
    if re.search(rb"^upgrade:", head, re.IGNORECASE | re.MULTILINE):
        return received
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + _HEAD_END + rest


def _splice(one: socket.socket, other: ssl.SSLSocket) -> None:
    """Copy both ways until either side closes."""
    while True:
        ready = [other] if other.pending() else select.select([one, other], [], [])[0]
        for source in ready:
            data = source.recv(_CHUNK)
            if not data:
                return
            (other if source is one else one).sendall(data)


@contextlib.contextmanager
def busy_api(cluster: Cluster, every: int) -> Iterator[BusyApi]:
    """Serve in the context."""
    made = BusyApi(cluster, every)
    try:
        yield made
    finally:
        made.close()
