"""The outcome of a transfer, from what curl reports: the program in a pod, or libcurl outside. Pure; no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clients.model.outcome import KIND_OF_EXIT_CODE, TIMED_OUT, Outcome, OutcomeKind, infrastructure

MAX_BODY_BYTES = 16 * 1024
"""Bytes of a response body that an outcome keeps."""

MAX_TRANSFER_BYTES = 1024 * 1024
"""curl gives up a longer body when its length is announced (exit 63); the status is known by then."""

_NOT_RUN = frozenset({2, 3, 4, 23, 26, 27, 41, 43, 45, 48, 58, 77})
"""Exit codes of a request that curl could not even try: bad option, bad URL, no memory, cannot write, local port
taken, unreadable certificate of the client, unreadable roots (curl(1))."""

_NO_VERSION = "no protocols available"
"""Part of OpenSSL's message where the client itself knows no version of TLS that it may offer. No server causes it."""

_UNSUPPORTED_PROTOCOL = 1
"""Without a connection: a URL that curl does not support. With one: an answer that is no HTTP."""

_AFTER_CONNECT = frozenset({18, 52, 55, 56})
"""Exit codes of a transfer that had a connection."""

_FILE_SIZE_EXCEEDED = 63

_NO_ANSWER_BY_HTTP2 = frozenset({52, 92})
"""Exit codes of curl 7 where an answer by HTTP/2, and the server's wish for no more of the body (RFC 9113, section
8.1), come before the body is sent: curl drops the answer. Most are seen on a busy machine."""

_DROPS_ANSWERS = re.compile(r"(?:lib)?curl/7\.")

RAW = "tcp"
"""Scheme of a request that is raw bytes: `tcp://host:port`."""
DATAGRAM = "udp"
"""Scheme of one by UDP: `udp://host:port`."""


@dataclass(frozen=True)
class Transfer:
    """What curl reports about one transfer, by the names of its write-out variables (curl(1)).

    Attributes:
        exitcode: 0 where the transfer is complete.
        http_code: status of the final response; 0 where none came.
        num_connects: new connections that were made.
        remote: `ip:port` that it connected to; empty when it never connected.
        local: `ip:port` that it connected from.
        http_version: `1.1`, `2`; empty or `0` where no answer of HTTP came.
        scheme: of the URL; `tcp` where the request is raw bytes, `udp` where it is a datagram.
        time_namelookup, time_connect, time_appconnect: seconds until the name was resolved, the connection was there,
            and the TLS handshake was complete; 0 where it never was.
        time_total: seconds.
        curl_version: of the library: `libcurl/7.88.1 OpenSSL/3.0.19 …`.
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
    http_version: str = ""
    scheme: str = "http"
    time_namelookup: float = 0.0
    time_connect: float = 0.0
    time_appconnect: float = 0.0
    time_total: float = 0.0
    curl_version: str = ""


def outcome(
    request_id: str,
    method: str,
    transfer: Transfer,
    *,
    http2: bool = False,
    with_body: bool = False,
    continues: bool = False,
) -> Outcome:
    """The outcome of one request.

    A request that curl could not try, that used an old connection and was not meant to, or whose answer curl may have
    dropped, is an infrastructure outcome. A transfer that broke after its status line keeps both: kind by the exit
    code, and status.

    Args:
        request_id: of the request.
        method: of the request; the answer to HEAD has no body.
        transfer: what curl reports.
        http2: the request had to be HTTP/2; an answer of another version is an error of HTTP/2.
        with_body: the request had a body.
        continues: the request was meant to use the connection of the one before it.
    """
    if _not_run(transfer):
        why = f"curl could not try: {transfer.errormsg} (exit code {transfer.exitcode})"
        return infrastructure(request_id, why)
    reused = _reused(transfer)
    if reused and not continues:
        return infrastructure(request_id, "the probe was sent on an old connection")
    if http2 and with_body and _may_be_dropped(transfer):
        why = "curl 7 drops an answer by HTTP/2 that comes before the body is sent, and has none here"
        return infrastructure(request_id, f"{why} (exit code {transfer.exitcode})")
    answered, kind, error = transfer.http_code > 0, _kind(transfer), transfer.errormsg
    if http2 and answered and transfer.http_version != "2":
        kind, error = OutcomeKind.HTTP2_ERROR, f"the answer came by HTTP/{transfer.http_version}, not by HTTP/2"
    has_body = (answered and method != "HEAD") or kind is OutcomeKind.RECEIVED
    return Outcome(
        kind=kind,
        request_id=request_id,
        status=transfer.http_code or None,
        exit_code=transfer.exitcode,
        error=error,
        body=_cut(transfer.body) if has_body else "",
        headers=transfer.headers if answered else {},
        remote_address=transfer.remote,
        local_address=transfer.local,
        certificates=transfer.certs,
        protocol=f"HTTP/{transfer.http_version}" if answered and transfer.http_version else "",
        total_s=transfer.time_total,
        reused=reused,
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


def _not_run(transfer: Transfer) -> bool:
    never_tried = transfer.exitcode == _UNSUPPORTED_PROTOCOL and not transfer.num_connects
    return never_tried or transfer.exitcode in _NOT_RUN or _NO_VERSION in (transfer.errormsg or "")


def _reused(transfer: Transfer) -> bool:
    return transfer.num_connects < 1 and (transfer.http_code > 0 or transfer.exitcode in _AFTER_CONNECT)


def _may_be_dropped(transfer: Transfer) -> bool:
    """Whether there was an answer for all that is known. A later curl keeps it, and is believed."""
    without = not transfer.http_code and transfer.exitcode in _NO_ANSWER_BY_HTTP2
    return without and bool(_DROPS_ANSWERS.match(transfer.curl_version))


def _kind(transfer: Transfer) -> OutcomeKind:
    if transfer.scheme in (RAW, DATAGRAM) and transfer.exitcode in (0, TIMED_OUT, _FILE_SIZE_EXCEEDED):
        if transfer.body:
            return OutcomeKind.RECEIVED
        if not transfer.exitcode:
            return OutcomeKind.CLOSED
    if transfer.http_code and transfer.exitcode in (0, _FILE_SIZE_EXCEEDED):
        return OutcomeKind.STATUS
    if transfer.exitcode == TIMED_OUT:
        return _timeout(transfer)
    return KIND_OF_EXIT_CODE.get(transfer.exitcode, OutcomeKind.OTHER)


def _timeout(transfer: Transfer) -> OutcomeKind:
    """What curl waited for: by its own words where the name was not resolved, and by what it had come to.

    A program older than 8 notes the time of the connection only after the handshake: there its address shows it.
    """
    if transfer.time_connect or (transfer.num_connects and transfer.remote):
        handshakes = transfer.scheme == "https" and not transfer.time_appconnect
        return OutcomeKind.TLS_TIMEOUT if handshakes else OutcomeKind.ANSWER_TIMEOUT
    if not transfer.time_namelookup or transfer.errormsg.startswith("Resolving timed out"):
        return OutcomeKind.DNS
    return OutcomeKind.CONNECT_TIMEOUT


def _cut(body: str) -> str:
    return body.encode()[:MAX_BODY_BYTES].decode(errors="ignore") if len(body) > MAX_BODY_BYTES // 4 else body
