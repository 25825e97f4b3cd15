"""The outcome of a transfer, from what curl reports: the program in a pod, or libcurl outside. Pure; no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clients.model.outcome import KIND_OF_EXIT_CODE, Outcome, OutcomeKind, infrastructure

MAX_BODY_BYTES = 16 * 1024
"""Bytes of a response body that an outcome keeps."""

MAX_TRANSFER_BYTES = 1024 * 1024
"""curl gives up a longer body when its length is announced (exit 63); the status is known by then."""

_NOT_RUN = frozenset({2, 3, 4, 23, 26, 27, 41, 43, 45, 48, 77})
"""Exit codes of a request that curl could not even try: bad option, bad URL, no memory, cannot write, local port
taken, unreadable roots (curl(1))."""

_UNSUPPORTED_PROTOCOL = 1
"""Without a connection: a URL that curl does not support. With one: an answer that is no HTTP."""

_AFTER_CONNECT = frozenset({18, 52, 55, 56})
"""Exit codes of a transfer that had a connection."""

_FILE_SIZE_EXCEEDED = 63


@dataclass(frozen=True)
class Transfer:
    """What curl reports about one transfer, by the names of its write-out variables (curl(1)).

    Attributes:
        exitcode: 0 where the transfer is complete.
        http_code: status of the final response; 0 where none came.
        num_connects: new connections that were made.
        remote: `ip:port` that it connected to; empty when it never connected.
        local: `ip:port` that it connected from.
        time_total: seconds.
    """

    exitcode: int
    http_code: int
    num_connects: int
    errormsg: str = ""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: str = ""
    remote: str = ""
    local: str = ""
    certs: str = ""
    time_total: float = 0.0


def outcome(request_id: str, method: str, transfer: Transfer) -> Outcome:
    """The outcome of one request.

    A request that curl could not try, or that used an old connection, is an infrastructure outcome. A transfer that
    broke after its status line keeps both: kind by the exit code, and status.
    """
    if _not_run(transfer):
        why = f"curl could not try: {transfer.errormsg} (exit code {transfer.exitcode})"
        return infrastructure(request_id, why)
    if _reused(transfer):
        return infrastructure(request_id, "the probe was sent on an old connection")
    answered = transfer.http_code > 0
    return Outcome(
        kind=_kind(transfer),
        request_id=request_id,
        status=transfer.http_code or None,
        exit_code=transfer.exitcode,
        error=transfer.errormsg,
        body=_cut(transfer.body) if answered and method != "HEAD" else "",
        headers=transfer.headers if answered else {},
        remote_address=transfer.remote,
        local_address=transfer.local,
        certificates=transfer.certs,
        total_s=transfer.time_total,
    )


def headers_of(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Headers of the final response, and its trailers: names in lower case, every value in order.

    Args:
        lines: status lines and header lines as they came; those of interim responses (1xx) are dropped.
    """
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines:
        if re.match(r"HTTP/\S+ \d", line):
            headers = {}
            continue
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = (*headers.get(key, ()), value.strip())
    return headers


def socket_address(host: str, port: object) -> str:
    """`ip:port`, or `[ip]:port` for IPv6; empty without an address."""
    if not host:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _not_run(transfer: Transfer) -> bool:
    never_tried = transfer.exitcode == _UNSUPPORTED_PROTOCOL and not transfer.num_connects
    return never_tried or transfer.exitcode in _NOT_RUN


def _reused(transfer: Transfer) -> bool:
    return transfer.num_connects < 1 and (transfer.http_code > 0 or transfer.exitcode in _AFTER_CONNECT)


def _kind(transfer: Transfer) -> OutcomeKind:
    if transfer.http_code and transfer.exitcode in (0, _FILE_SIZE_EXCEEDED):
        return OutcomeKind.STATUS
    return KIND_OF_EXIT_CODE.get(transfer.exitcode, OutcomeKind.OTHER)


def _cut(body: str) -> str:
    return body.encode()[:MAX_BODY_BYTES].decode(errors="ignore") if len(body) > MAX_BODY_BYTES // 4 else body
