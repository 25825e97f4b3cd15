"""How a request from outside failed, told by the exit code that curl(1) would have ended with."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable

import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.ssl_match_hostname import CertificateError

from clients.model.outcome import KIND_OF_EXIT_CODE, Outcome, OutcomeKind, infrastructure
from clients.probe.curl import Request


class NoReplyError(Exception):
    """The server closed the connection in good order, and had not answered."""


class BrokenOffError(Exception):
    """The server began to answer, or took the request, and then ended it without an answer that is whole."""


def failed(request: Request, error: Exception, where: str, took_s: float) -> Outcome:
    """The failure by curl's exit code; one that is of no known kind did not come from the network."""
    code = _exit_code(error)
    if code is None:
        return infrastructure(request.request_id, f"the request could not be sent: {error}")
    return Outcome(
        kind=KIND_OF_EXIT_CODE.get(code, OutcomeKind.OTHER),
        request_id=request.request_id,
        exit_code=code,
        error=str(error)[:300],
        remote_address=where,
        total_s=took_s,
    )


def _exit_code(error: Exception) -> int | None:
    """What curl(1) would have ended with."""
    causes = list(_causes(error))
    if isinstance(error, (requests.exceptions.Timeout, TimeoutError)):
        return 28
    for cause in causes:
        if code := _code_of(cause):
            return code
    if any(isinstance(cause, (NewConnectionError, ConnectionRefusedError)) for cause in causes):
        return 7
    return 56 if isinstance(error, requests.exceptions.ConnectionError) else None


def _code_of(cause: BaseException) -> int | None:
    if isinstance(cause, (ssl.SSLCertVerificationError, CertificateError)):
        return 60
    if isinstance(cause, ssl.SSLError):
        return 35
    if isinstance(cause, (NameResolutionError, socket.gaierror)):
        return 6
    if isinstance(cause, NoReplyError) or type(cause).__name__ == "RemoteDisconnected":
        return 52
    lost = isinstance(cause, OSError) and cause.errno in {errno.ECONNRESET, errno.EPIPE}
    return 56 if lost or isinstance(cause, BrokenOffError) else None


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    """An error and what it came from: by cause, context, or as its argument (urllib3 wraps so)."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return seen
