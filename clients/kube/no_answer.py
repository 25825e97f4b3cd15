"""Why no answer came from an API server, in a user's words.

The client library wraps the cause in errors that name the path of the request, so that one cause had as many texts as
there are requests.
"""

from __future__ import annotations

import ssl

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from clients.model.redact import redact

NOT_THERE = "see that it runs and that the kubeconfig is its own"
_ANOTHER = "see that the kubeconfig is its own: another cluster, or a proxy that decrypts TLS, answers at its address"
_UNKNOWN_NAME = "see that the kubeconfig is its own, and that its name is known here"
_PROXY = "see HTTPS_PROXY and NO_PROXY, and whether the proxy runs"


def why(error: BaseException) -> tuple[str, str]:
    """The cause of an error in which no answer came, on one line, and what to do about it."""
    cause = innermost(error)
    if isinstance(cause, ProxyError):
        return f"the proxy before it fails: {why(cause.original_error)[0]}", _PROXY
    if isinstance(cause, SSLError):
        return _of_certificate(cause)
    if isinstance(cause, NameResolutionError):
        return "its name cannot be resolved", _UNKNOWN_NAME
    if isinstance(cause, NewConnectionError):
        refused = cause.__cause__
        text = refused.strerror if isinstance(refused, OSError) and refused.strerror else one_line(cause)
        return text[:1].lower() + text[1:], NOT_THERE
    if isinstance(cause, ConnectTimeoutError):
        return "no connection in time", NOT_THERE
    if isinstance(cause, ReadTimeoutError):
        return "connected, and no answer in time", NOT_THERE
    return one_line(cause), NOT_THERE


def innermost(error: BaseException) -> BaseException:
    """The error that the library gave up for after its own tries; the error itself where it is no such one."""
    return error.reason if isinstance(error, MaxRetryError) and isinstance(error.reason, HTTPError) else error


def one_line(error: object) -> str:
    """The text of an error on one line, of at most 400 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else text[:397] + "..."


def _of_certificate(error: SSLError) -> tuple[str, str]:
    inner = error.args[0] if error.args else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {redact(inner.verify_message)}", _ANOTHER
    return one_line(inner), NOT_THERE
