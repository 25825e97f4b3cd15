"""A connection of one's own for protocols that `requests` does not speak: dialled, encrypted, with one time limit."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from clients.probe.curl import Request
from clients.probe.failures import NoReplyError

_CHUNK = 65536
_ENCRYPTED = frozenset({"grpcs", "wss"})


@contextmanager
def connection(
    request: Request, to: tuple[str, int], roots: str, protocols: Sequence[str] = ()
) -> Iterator[socket.socket]:
    """A fresh connection to `to`; over TLS, for the URL's host, where the URL's scheme means that.

    Args:
        roots: PEM of the authorities to trust; empty for the system's.
        protocols: what TLS offers the server to speak (ALPN).

    Raises:
        OSError: it does not come about (`ssl.SSLError` among them).
    """
    parts = urlsplit(request.url)
    with socket.create_connection(to, timeout=request.connect_timeout_s) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a request waits 40 ms behind the handshake
        if parts.scheme not in _ENCRYPTED:
            yield plain
            return
        context = ssl.create_default_context(cadata=roots or None)
        context.set_alpn_protocols(list(protocols))
        with context.wrap_socket(plain, server_hostname=parts.hostname) as encrypted:
            yield encrypted


def converse(
    connected: socket.socket, request: Request, sent: Callable[[], bytes], done: Callable[[bytes], bool]
) -> None:
    """Send what a protocol has to send and give it what comes, until it says that it is done.

    Raises:
        NoReplyError: the server closed the connection before that.
        TimeoutError: the request's time was over before that.
    """
    deadline = time.monotonic() + request.timeout_s
    over = False
    while True:
        if waiting := sent():
            connected.sendall(waiting)
        if over:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no answer within {request.timeout_s:g} s")
        connected.settimeout(left)
        received = connected.recv(_CHUNK)
        if not received:
            raise NoReplyError("the server closed the connection without an answer")
        over = done(received)
