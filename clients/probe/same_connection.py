"""Two requests of one client on one connection: who was let in once must not stay let in.

Every other probe has a connection of its own, and so cannot see a proxy that remembers, for a connection, what the
first request on it has shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pycurl

from clients.model.outcome import Outcome
from clients.probe import outside
from clients.probe.libcurl import Exchange, Options
from clients.probe.request import Request
from clients.probe.session import ProbeSession

_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True)
class Exchanges:
    """The outcomes of two requests."""

    first: Outcome
    second: Outcome

    @property
    def reused(self) -> bool:
        """Whether the second one was sent on the connection of the first, which the server had left open."""
        return self.second.reused


def possible(first: Request, second: Request) -> bool:
    """Whether both are by one version of HTTP to the same host and port, by the same certificate: others share none."""
    plain = not any(one.insecure or one.tls_max for one in (first, second))
    return plain and _way(first) == _way(second) and urlsplit(first.url).scheme in _SCHEMES


def _way(request: Request) -> tuple[object, ...]:
    where = urlsplit(request.url)
    return where.scheme, where.netloc, request.connect_to, request.certificate, request.http2


def from_pod(session: ProbeSession, first: Request, second: Request) -> Exchanges:
    """Both in turn, from a client's pod. They must be ordinary: others ask the server to close the connection."""
    return Exchanges(*session.run([first, replace(second, continues=True)]))


def from_outside(first: Request, second: Request, to: tuple[str, int], roots: str = "") -> Exchanges:
    """Both in turn, from outside the cluster to `to`. They must be ordinary, as those of a pod."""
    with pycurl.Curl() as handle:
        before = _Lasting(outside.with_port(first), to, roots, handle=handle).perform()
        handle.reset()  # its connections stay
        after = _Lasting(outside.with_port(replace(second, continues=True)), to, roots, handle=handle).perform()
    return Exchanges(before, after)


class _Lasting(Exchange):
    """An exchange that leaves its connection open, and uses an open one."""

    def options(self) -> Options:
        return {**super().options(), pycurl.FRESH_CONNECT: 0, pycurl.FORBID_REUSE: 0, pycurl.LOCALPORT: 0}
