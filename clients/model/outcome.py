"""What one probe saw. The kinds follow curl's exit codes (curl(1), section EXIT CODES)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OutcomeKind(StrEnum):
    """Named kinds of answer and of failure."""

    STATUS = "status"
    RECEIVED = "received"
    """Raw TCP, or UDP: bytes came back."""
    CLOSED = "closed"
    """Raw TCP: the connection ended in order, and no byte came back."""
    RESET = "reset"
    REFUSED = "refused"
    TLS_ERROR = "tls_error"
    """The handshake failed."""
    CERTIFICATE = "certificate"
    """The server's certificate could not be verified."""
    DNS = "dns"
    """The name was not resolved: it does not exist, or no name server answered in time. Never a network's denial."""
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_TIMEOUT = "tls_timeout"
    ANSWER_TIMEOUT = "answer_timeout"
    """Connected, and the answer did not come, or not all of it. UDP: no answer came, as there are no connections."""
    TIMEOUT = "timeout"
    """Only in evidence of earlier versions, which did not tell the phases of a timeout apart."""
    EMPTY_REPLY = "empty_reply"
    SEND_ERROR = "send_error"
    NOT_HTTP = "not_http"
    PARTIAL = "partial"
    HTTP2_ERROR = "http2_error"
    OTHER = "other"
    INFRASTRUCTURE = "infrastructure"
    LOOK = "look"
    """No request at all: a look at the state of the cluster, which has been taken."""


TIMED_OUT = 28
"""curl's exit code for every timeout, whatever it waited for."""

TIMEOUTS = frozenset({OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.TLS_TIMEOUT, OutcomeKind.ANSWER_TIMEOUT})
"""Timeouts of a name that was resolved."""

_PHASES = (
    frozenset({OutcomeKind.DNS}),
    frozenset({OutcomeKind.REFUSED, OutcomeKind.CONNECT_TIMEOUT}),
    frozenset({OutcomeKind.TLS_ERROR, OutcomeKind.CERTIFICATE, OutcomeKind.TLS_TIMEOUT}),
)


def phase_of(kind: OutcomeKind) -> int:
    """How far a request of this outcome came: 0 resolving, 1 connecting, 2 the handshake, 3 beyond it."""
    return next((number for number, kinds in enumerate(_PHASES) if kind in kinds), len(_PHASES))


KIND_OF_EXIT_CODE: Mapping[int, OutcomeKind] = {
    1: OutcomeKind.NOT_HTTP,
    6: OutcomeKind.DNS,
    7: OutcomeKind.REFUSED,
    16: OutcomeKind.HTTP2_ERROR,
    18: OutcomeKind.PARTIAL,
    35: OutcomeKind.TLS_ERROR,
    52: OutcomeKind.EMPTY_REPLY,
    55: OutcomeKind.SEND_ERROR,
    56: OutcomeKind.RESET,
    60: OutcomeKind.CERTIFICATE,
    92: OutcomeKind.HTTP2_ERROR,
}
"""curl exit code → kind, except for `TIMED_OUT`, whose kind is that of the phase (`clients.probe.answer`). An exit code
that is not listed is `OTHER`, and no expectation matches it by accident."""


def exit_codes(kind: OutcomeKind) -> tuple[int, ...]:
    """Exit codes of curl for a kind of missing reply, in ascending order; empty for any other kind."""
    timed_out = (TIMED_OUT,) if kind in {*TIMEOUTS, OutcomeKind.DNS} else ()
    ended = (0,) if kind is OutcomeKind.CLOSED else ()
    return (*ended, *(code for code, known in sorted(KIND_OF_EXIT_CODE.items()) if known is kind), *timed_out)


GRPC_STATUS: Mapping[int, str] = {
    0: "OK",
    7: "PERMISSION_DENIED",
    12: "UNIMPLEMENTED",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}
"""Status codes of gRPC that gateways and servers give here (gRPC, Status codes and their use)."""


@dataclass(frozen=True)
class Outcome:
    """One probe's answer.

    Attributes:
        kind: the named kind.
        request_id: the `x-request-id` that the probe carried, by which every log shows it.
        status: HTTP status, or None when no response came (curl prints `000`).
        exit_code: curl's exit code; None when curl did not run (`INFRASTRUCTURE`).
        error: curl's error message, or why the probe did not run.
        body: response body as text, at most 16 KiB.
        headers: response headers, names in lower case, every value in order.
        remote_address: `ip:port` that curl connected to; empty when it never connected.
        local_address: `ip:port` that it connected from.
        certificates: the server's certificates as curl shows them, PEM among other text; empty without TLS.
        protocol: of the answer (`HTTP/2`); empty where none came, or where it was no HTTP.
        total_s: seconds from start to end of the transfer, as curl measured them.
        reused: it was sent on the connection of the request before it, as it was meant to be.
        ordinary: nothing in the request distinguished it from a user's (see `clients.probe.ordinary`).
    """

    kind: OutcomeKind
    request_id: str
    status: int | None = None
    exit_code: int | None = None
    error: str = ""
    body: str = ""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remote_address: str = ""
    local_address: str = ""
    certificates: str = ""
    protocol: str = ""
    total_s: float = 0.0
    reused: bool = False
    ordinary: bool = False

    @property
    def grpc_status(self) -> int | None:
        """Status of a gRPC call, from the trailers, or from the headers of an answer without a message; else None."""
        values = self.headers.get("grpc-status", ())
        return int(values[-1]) if values and values[-1].isdecimal() else None

    @property
    def summary(self) -> str:
        """Short form for tables: `403`, `200 PERMISSION_DENIED (7)`, `000 reset (56)`, `infrastructure: pod gone`."""
        if self.kind is OutcomeKind.STATUS:
            return answered(self.status, self.grpc_status)
        if self.kind is OutcomeKind.INFRASTRUCTURE:
            return f"infrastructure: {self.error}"
        if self.kind is OutcomeKind.RECEIVED:
            return f"received {len(self.body.encode())} bytes"
        # A transfer that broke after its status line shows both; `000` is kept for "no response came".
        return f"{self.status or '000'} {self.kind} ({self.exit_code})"


def answered(status: int | None, grpc_status: int | None) -> str:
    """An answer in short: its HTTP status, and that of the gRPC call where it is one."""
    if grpc_status is None:
        return str(status)
    return f"{status} {GRPC_STATUS.get(grpc_status, 'gRPC')} ({grpc_status})"


def infrastructure(request_id: str, why: str) -> Outcome:
    """The outcome of a probe that did not run."""
    return Outcome(OutcomeKind.INFRASTRUCTURE, request_id, error=why)
