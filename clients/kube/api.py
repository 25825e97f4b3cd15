"""Plain JSON requests to an API server, with errors that a user can read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import ws_client
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError

from clients.kube import forwarded, no_answer, passing
from clients.kube.logged_in import LoggedInClient
from clients.kube.no_answer import one_line
from clients.kube.passing import UNKNOWN
from clients.model.errors import AccessError, ClusterError, NoTimeError
from clients.model.redact import redact

Json = dict[str, Any]
Timeouts = tuple[float, float]
TIMEOUTS_S: Timeouts = (5.0, 30.0)
"""Connect and read timeout of one request."""
RIDE_OUT_S = 20.0
"""How long a request is tried again while the API server limits requests, or restarts, after it has answered once."""
_AGAIN_S = 0.5
"""Pause before it is, where the server states none."""
NOT_FOUND = 404
CONFLICT = 409
_REFUSED = (UNKNOWN, 403)


class RequestError(ClusterError):
    """The API server answered a request with an error.

    Args:
        status: the HTTP status.
        detail: the server's own message.
        retry_after: its header of that name.
    """

    def __init__(self, what: str, status: int, detail: str, retry_after: str = "") -> None:
        super().__init__(f"{what}: {detail}", passing.OVERLOADED if passing.is_passing("GET", status, detail) else "")
        self.status = status
        self.detail = self.body = detail
        self.headers = {"Retry-After": retry_after}

    @property
    def of_the_server(self) -> bool:
        """Whether it says nothing about what was sent: the server is busy, restarts or has an error of its own."""
        return passing.is_of_the_server(self.status, self.detail)


class Api:
    """One API server. Safe to share between threads.

    Args:
        configuration: a `kubernetes.client.Configuration`.
    """

    def __init__(self, configuration: Any) -> None:
        self.configuration = configuration
        self._login = LoggedInClient(configuration)
        self._has_answered = False
        self.lost_at = 0.0  # monotonic seconds: when nothing listened there any more

    @property
    def server(self) -> str:
        """Its address."""
        return str(self.configuration.host)

    @property
    def client(self) -> Any:
        """The library's own client of this server.

        Raises:
            ClusterError: it cannot be made; what its proxy is, above all, is looked at here.
        """
        try:
            return self._login.client
        except Exception as error:
            raise self.unreachable(error) from None

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Iterable[tuple[str, str]] = (),
        content_type: str = "application/json",
        timeouts: Timeouts = TIMEOUTS_S,
        ride_out: bool = True,
    ) -> Json:
        """One request with a JSON answer.

        Args:
            ride_out: try again for `RIDE_OUT_S` where the server is busy or restarts; if not, the caller knows at once.

        Raises:
            AccessError: 401 or 403.
            RequestError: another error status.
            ClusterError: no answer, or none of an API server.
        """
        sent = self._send(method, path, body, query, content_type, timeouts, ride_out)
        try:
            answer: Json = json.loads(sent.data or b"{}")
        except ValueError:
            raise self.foreign(method, path, sent.data) from None
        if not isinstance(answer, dict):
            raise self.foreign(method, path, sent.data)
        return answer

    def text(self, path: str, query: Iterable[tuple[str, str]] = ()) -> str:
        """A GET request with a text answer. Raises as `json` does."""
        return self._send("GET", path, None, query, "application/json").data.decode("utf-8", "replace")

    def stream(
        self,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        *,
        timeouts: Timeouts = TIMEOUTS_S,
        ride_out: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        """A GET request whose answer the caller reads as it comes, and closes. Arguments and errors as of `json`."""
        return self._send("GET", path, None, query, "application/json", timeouts, ride_out)

    def websocket(self, path: str, query: Iterable[tuple[str, str]]) -> Any:
        """An open `WSClient` with binary channels, for an exec.

        It does not use `kubernetes.stream.stream`, which replaces `call_api` on its client and so breaks requests of
        other threads (kubernetes-client/python issue 928), and which needs the typed API: seconds to import.

        Raises:
            ApiException: it could not be opened; `reason` has the cause.
        """
        options = {"_preload_content": False, "capture_all": False, "binary": True}
        return self._login.opened(ws_client.websocket_call, path, query, **options)

    def port_forward(self, namespace: str, pod: str, port: int) -> Any:
        """An open WebSocket to a port of a pod, for `forwarded.carry`; ApiException where it is refused."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        return self._login.opened(forwarded.opened, path, [("ports", str(port))])

    def time(self, *, timeouts: Timeouts = TIMEOUTS_S, ride_out: bool = True) -> float:
        """The server's clock, in seconds since 1970 (its `Date` header, whole seconds). Raises as `json` does."""
        answer = self._send("GET", "/version", None, (), "", timeouts, ride_out)
        try:
            return parsedate_to_datetime(answer.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            raise NoTimeError(f"cluster {self.server} states no time", "see what is between: it drops `Date`") from None

    def riding_out(self, read: Callable[[], passing.Read]) -> passing.Read:
        """What GET requests by the client library's own ways return, tried again as `json` is; its last error stays."""

        def once() -> passing.Read:
            used = self._login.credentials
            try:
                return read()
            except ApiException as error:
                if error.status != UNKNOWN or not self._login.again(used):
                    raise
                return read()

        return passing.ride_out(once, partial(self._again_s, "GET"), RIDE_OUT_S)

    def close(self) -> None:
        """Close idle connections."""
        self.client.rest_client.pool_manager.clear()

    def unreachable(self, error: BaseException) -> ClusterError:
        """The error for the user when no answer came, or when the library raised for one."""
        status = getattr(error, "status", None)
        if isinstance(error, ClusterError):
            return error
        if isinstance(status, int) and status:
            return self._refusal("GET", self.server, status, getattr(error, "body", b"") or b"")
        cause, hint = no_answer.why(error)
        return ClusterError(f"cluster {self.server} does not answer: {cause}", hint)

    def foreign(self, method: str, path: str, body: bytes) -> ClusterError:
        """The error for an answer that no API server gives."""
        shown = one_line(redact(body.decode("utf-8", "replace")))[:80]
        hint = "see that the server of the kubeconfig is the API server's address, and that no login page is before it"
        return ClusterError(f"{self.server} does not answer {method} {path} as an API server: {shown}", hint)

    def _send(
        self,
        method: str,
        path: str,
        body: Json | None,
        query: Iterable[tuple[str, str]],
        content_type: str,
        timeouts: Timeouts = TIMEOUTS_S,
        ride_out: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json, */*", "Content-Type": content_type}
        query = list(query)
        try:
            used = self._login.credentials
            request = self._login.serialized(method, path, query, headers, body)
        except Exception as error:
            raise self.unreachable(error) from None

        def once() -> urllib3.BaseHTTPResponse:
            response: urllib3.BaseHTTPResponse = self.client.call_api(*request, _request_timeout=timeouts).response
            self._has_answered = True
            if response.status == UNKNOWN and self._login.again(used):
                again = self._login.serialized(method, path, query, headers, body)
                response = self.client.call_api(*again, _request_timeout=timeouts).response
            if 200 <= response.status <= 299:
                return response
            raise self._refusal(method, path, response.status, response.data, response.headers.get("Retry-After", ""))

        try:
            return passing.ride_out(once, partial(self._again_s, method), RIDE_OUT_S if ride_out else 0.0)
        except Exception as error:
            raise self.unreachable(error) from None

    def _refusal(self, method: str, path: str, status: int, data: bytes | str, retry_after: str = "") -> ClusterError:
        try:
            detail = one_line(json.loads(data)["message"])
        except (ValueError, KeyError, TypeError):
            detail = f"HTTP {status}"
        if status not in _REFUSED:
            return RequestError(f"{method} {path}", status, detail, retry_after)
        if b"<html" in (data.encode() if isinstance(data, str) else data).lower():
            other = self.foreign(method, path, detail.encode())
            return AccessError(other.message, other.hint)
        renewal = self._login.why_not_renewed if status == UNKNOWN else ""
        why = f"{detail} (they were not renewed: {renewal})" if renewal else detail
        return AccessError(f"the cluster refuses {method} {path}: {why}", passing.hint(status, detail))

    def _again_s(self, method: str, error: Exception) -> float:
        """Seconds until it is worth another try; 0 where it is not. A connection is, to a server that answered once."""
        cause = no_answer.innermost(error)
        if isinstance(cause, HTTPError):
            lost = self._has_answered and method in passing.REPEATABLE and not isinstance(cause, SSLError)
            self.lost_at = time.monotonic() if lost and isinstance(cause, NewConnectionError) else self.lost_at
            return _AGAIN_S if lost else 0.0
        return passing.pause_s(method, error, _AGAIN_S)
