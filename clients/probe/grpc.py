"""A unary gRPC call from outside: an empty message over HTTP/2. URL: `grpc(s)://host/package.Service/Method`.

libcurl shows what is on the wire. A gRPC library reports a status of its own for every failure, so that a gateway's
403, a reset and a status that was really sent would look alike.
"""

from __future__ import annotations

from dataclasses import replace

import pycurl

from clients.model.outcome import Outcome
from clients.probe import curl
from clients.probe.libcurl import Exchange, Options
from clients.probe.request import Request

_PREFIX = 5
"""Bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2, Length-Prefixed-Message)."""
_EMPTY_MESSAGE = bytes(_PREFIX)
_USER_AGENT = "grpc-go/1.76.0"
"""Of an ordinary call: it would not be one with curl's."""
_HEADERS = (("content-type", "application/grpc"), ("te", "trailers"))


def send(request: Request, to: tuple[str, int], roots: str = "") -> Outcome:
    """One call on a fresh connection to `to`; its headers and trailers are the outcome's headers, its message the body.

    The message is kept as the text in it: protobuf's strings are readable as they are.
    """
    return _Call(_as_http(request), to, roots).run()


def command(request: Request) -> str:
    """The call as a command that a person could repeat. Not redacted."""
    version = "--http2" if request.url.startswith("grpcs") else "--http2-prior-knowledge"
    same = replace(_as_http(request), method="GET", headers=(*_HEADERS, *request.headers))
    return r"printf '\0\0\0\0\0' | " + curl.command(same, "-X", "POST", version, "--data-binary", "@-")


def _as_http(request: Request) -> Request:
    scheme, _, rest = request.url.partition("://")
    return replace(request, url=f"http{'s' if scheme == 'grpcs' else ''}://{rest}", method="POST")


class _Call(Exchange):
    """The call as a transfer of HTTP/2."""

    def options(self) -> Options:
        """HTTP/2 only: over TLS no other protocol is offered."""
        return {
            **super().options(),
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
            pycurl.POSTFIELDS: _EMPTY_MESSAGE,
        }

    def headers(self) -> list[tuple[str, str]]:
        """Those of a gRPC call; HTTP/2 has no `Connection`."""
        return [*_HEADERS, *self.stated()]

    def own_user_agent(self) -> str:
        """That of a client by a library of gRPC."""
        return _USER_AGENT

    def text(self) -> bytes:
        """The message alone."""
        return bytes(self.body[_PREFIX:])
