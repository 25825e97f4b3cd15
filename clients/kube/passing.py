"""Which error answers of an API server, or of what is before it, say nothing about the request itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from clients.kube.refusals import ADMISSION, DEMANDED, DENIED

OVERLOADED = "the API server, or what is before it, is too busy or restarts: see its health, and run again later"
UNKNOWN = 401
_ANONYMOUS = "system:anonymous"
"""Kubernetes' name of a user without credentials (Authenticating, Anonymous requests)."""
BUSY = frozenset({429, 503})
"""Statuses of a request that the server has not begun to process (API priority and fairness; a server that starts)."""
_BETWEEN = frozenset({502, 504})
"""Statuses of a load balancer whose API server went away or did not answer; 504 is also the server's own time limit."""
_STORE = (
    "etcdserver: leader changed",
    "etcdserver: no leader",
    "etcdserver: request timed out",
    "etcdserver: too many requests",
    "rpc error: code = Unavailable",
)
"""Texts of a status 500 whose cause is etcd while it elects a leader or restarts (etcd, api/v3rpc/rpctypes/error.go).
A request that is too large, and a database that is full, are none of these."""
_NOT_OF_ITS_TYPE = "failed to create typed patch object"
"""In the answer to a server-side apply of an unknown field or a wrong type (Kubernetes), whose status is 500."""
REPEATABLE = frozenset({"GET", "PATCH", "DELETE"})
"""Methods that may be sent twice, as the first may have been processed already. `PATCH` is server-side apply."""


Read = TypeVar("Read")


def ride_out(read: Callable[[], Read], again_s: Callable[[Exception], float], limit_s: float) -> Read:
    """What `read` returns, called again for `limit_s` seconds while its errors are ones that pass.

    Args:
        again_s: seconds after which it is worth another try after an error; 0 where it is not.
    """
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return read()
        except Exception as error:
            pause = again_s(error)
            if not pause or time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)


def is_passing(method: str, status: int, text: str) -> bool:
    """Whether the same request may well succeed in a moment, and does no harm if the first one was processed."""
    if status in BUSY:
        return True
    return method in REPEATABLE and (status in _BETWEEN or (status == 500 and any(one in text for one in _STORE)))


def pause_s(method: str, error: Exception, least_s: float) -> float:
    """Seconds to wait before the request is sent again, as the server asks; 0 where the error will not pass.

    Args:
        error: with `status`, `body` and `headers`, as the client library's; others never pass.
        least_s: the pause where the server states none.
    """
    body: Any = getattr(error, "body", None) or b""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    if not is_passing(method, getattr(error, "status", None) or 0, text):
        return 0.0
    stated = (getattr(error, "headers", None) or {}).get("Retry-After") or ""
    return max(float(stated), least_s) if stated.isdigit() else least_s


def is_of_the_server(status: int, text: str) -> bool:
    """Whether the answer is about the server, and so none about what was sent: it has not been looked at to the end."""
    about_what_was_sent = DENIED in text or _NOT_OF_ITS_TYPE in text
    return (status >= 500 or status in {408, *BUSY}) and not about_what_was_sent


def hint(status: int, text: str) -> str:
    """What to do about a refusal: of credentials, of rights, or by a policy of the cluster about objects."""
    if status == UNKNOWN:
        return "log in again: the API server does not accept the credentials"
    if f'"{_ANONYMOUS}"' in text:
        return "log in: the kubeconfig gives no credentials"
    return DEMANDED if any(one.text in text for one in ADMISSION) else "use an identity with this permission"
