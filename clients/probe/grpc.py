"""A unary gRPC call from outside, by h2: one connection, one stream, an empty message.

h2 shows what is on the wire. A gRPC library answers with a status of its own making wherever the call fails, so that a
gateway's 403, a reset and a status that was really sent cannot be told apart. URL: `grpc(s)://host/package.Service/Method`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

from clients.model.outcome import Outcome, OutcomeKind
from clients.probe import curl, dial
from clients.probe.curl import MAX_BODY_BYTES, Request
from clients.probe.failures import BrokenOffError, failed

_PREFIX = 5
"""Bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2, Length-Prefixed-Message)."""
_EMPTY_MESSAGE = bytes(_PREFIX)
_HEADERS = (("content-type", "application/grpc"), ("te", "trailers"))
_STREAM = 1


def send(request: Request, to: tuple[str, int], roots: str = "") -> Outcome:
    """One call on a fresh connection to `to`; its headers and trailers are the outcome's headers, its message the body.

    The message is kept as the text in it: protobuf's strings are readable as they are.
    """
    began = time.monotonic()
    where = f"{to[0]}:{to[1]}"
    try:
        with dial.connection(request, to, roots, ["h2"]) as connected:
            call = _Call(request)
            dial.converse(connected, request, call.connection.data_to_send, call.received)
            local = connected.getsockname()
    except Exception as error:
        return failed(request, error, where, time.monotonic() - began)
    return Outcome(
        kind=OutcomeKind.STATUS,
        request_id=request.request_id,
        status=int(call.headers[":status"][0]),
        exit_code=0,
        body=bytes(call.body[_PREFIX:MAX_BODY_BYTES]).decode(errors="replace"),
        headers={name: values for name, values in call.headers.items() if not name.startswith(":")},
        remote_address=where,
        local_address=f"{local[0]}:{local[1]}",
        total_s=time.monotonic() - began,
    )


def command(request: Request) -> str:
    """The call as a command that a person could repeat. Not redacted."""
    encrypted = request.url.startswith("grpcs")
    url = f"http{'s' if encrypted else ''}://{request.url.partition('://')[2]}"
    same = replace(request, method="GET", url=url, headers=(*_HEADERS, *request.headers))
    version = "--http2" if encrypted else "--http2-prior-knowledge"
    return r"printf '\0\0\0\0\0' | " + curl.command(same, "-X", "POST", version, "--data-binary", "@-")


@dataclass
class _Call:
    """The call as a state of h2's."""

    request: Request
    connection: H2Connection = field(default_factory=lambda: H2Connection(H2Configuration(header_encoding="utf-8")))
    headers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        scheme, _, rest = self.request.url.partition("://")
        authority, slash, path = rest.partition("/")
        head = [
            (":method", "POST"),
            (":scheme", "https" if scheme == "grpcs" else "http"),
            (":path", slash + path),
            (":authority", authority),
            *_HEADERS,
            ("user-agent", self.request.user_agent),
            ("x-request-id", self.request.request_id),
            *((name.lower(), value) for name, value in self.request.headers),
        ]
        self.connection.initiate_connection()
        self.connection.send_headers(_STREAM, head)
        self.connection.send_data(_STREAM, _EMPTY_MESSAGE, end_stream=True)

    def received(self, data: bytes) -> bool:
        """Take in what came; whether the answer is whole."""
        return any(self._over(event) for event in self.connection.receive_data(data))

    def _over(self, event: Event) -> bool:
        if isinstance(event, (ResponseReceived, TrailersReceived)):
            for name, value in event.headers or ():
                self.headers[str(name)] = (*self.headers.get(str(name), ()), str(value))
        elif isinstance(event, DataReceived):
            self.body += event.data or b""
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, _STREAM)
        elif isinstance(event, (StreamReset, ConnectionTerminated)):
            raise BrokenOffError(f"the call was ended by HTTP/2 error {event.error_code}")
        return isinstance(event, StreamEnded)
