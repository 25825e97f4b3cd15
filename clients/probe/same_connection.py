"""Two requests of the client outside the cluster on one connection: who was let in once must not stay let in.

Every other probe has a connection of its own, and so cannot see a gateway that remembers, for a connection, what the
first request on it has shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pycurl

from clients.model.outcome import Outcome
from clients.probe import outside
from clients.probe.answer import Transfer
from clients.probe.libcurl import Exchange, Options
from clients.probe.request import Request

_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True)
class Exchanges:
    """The outcomes of two requests.

    Attributes:
        reused: the second one was sent on the connection of the first, which the server had left open.
    """

    first: Outcome
    second: Outcome
    reused: bool


def possible(first: Request, second: Request) -> bool:
    """Whether both are HTTP/1.1 to the same host and port, by the same certificate: only such share a connection."""
    both = (first, second)
    ways = [(one.url.partition("://")[0], urlsplit(one.url).netloc, one.connect_to, one.certificate) for one in both]
    plain = not any(one.http2 or one.insecure or one.tls_max for one in both)
    return plain and ways[0] == ways[1] and ways[0][0] in _SCHEMES


def send(first: Request, second: Request, to: tuple[str, int], roots: str = "") -> Exchanges:
    """Both in turn, to `to`. They must be ordinary: others ask the server to close the connection."""
    with pycurl.Curl() as handle:
        before = _Lasting(outside.with_port(first), to, roots, handle=handle).perform()
        handle.reset()  # its connections stay
        exchange = _Lasting(outside.with_port(second), to, roots, handle=handle)
        after = exchange.perform()
    return Exchanges(before, after, exchange.reused)


@dataclass
class _Lasting(Exchange):
    """An exchange that leaves its connection open, and uses an open one."""

    reused: bool = field(default=False, init=False)

    def options(self) -> Options:
        return {**super().options(), pycurl.FRESH_CONNECT: 0, pycurl.FORBID_REUSE: 0, pycurl.LOCALPORT: 0}

    def transfer(self, exit_code: int, message: str) -> Transfer:
        found = super().transfer(exit_code, message)
        self.reused = found.num_connects == 0 and found.http_code > 0
        return replace(found, num_connects=1) if self.reused else found  # here an open connection is meant to be used
