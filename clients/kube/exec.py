"""The only transport into a container: a command that runs to its end, or one that is fed by stdin while it runs.

Every error here is an `InfrastructureError`: it is no statement about the mesh.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.pods import Pod
from clients.model.errors import InfrastructureError

CONNECT_TIMEOUT_S = 10.0
_CHUNK_BYTES = 16 * 1024
_STDOUT, _STDERR, _ERROR = 1, 2, 3
"""Channels of the remote command protocol (v4.channel.k8s.io, v5.channel.k8s.io)."""


@dataclass(frozen=True)
class ExecResult:
    """Exit code, as the kubelet reports it, and output of a command."""

    exit_code: int
    stdout: str
    stderr: str


class ExecSession:
    """A command running in a container. Only one thread may use it.

    Args:
        command: must not hold a secret, as the pod's process list shows it.

    Raises:
        InfrastructureError: the exec could not be started.
    """

    def __init__(
        self, cluster: Cluster, pod: Pod, container: str, command: Sequence[str], *, stdin: bool = True
    ) -> None:
        self.where = f"exec in {pod} ({container})"
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._error = bytearray()
        self._socket = self._connect(cluster, _path(pod), _query(container, command, stdin))
        self._socket.sock.settimeout(CONNECT_TIMEOUT_S)

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, by what has been received so far."""
        return bool(self._socket.is_open())

    @property
    def stderr(self) -> str:
        """What the command wrote to stderr so far."""
        return self._stderr.decode("utf-8", "replace")

    def write(self, text: str) -> None:
        """Send text to the command's stdin.

        Raises:
            InfrastructureError: the connection is lost.
        """
        data = text.encode()
        try:
            for start in range(0, len(data), _CHUNK_BYTES):
                self._socket.write_stdin(data[start : start + _CHUNK_BYTES])
        except Exception as error:
            raise self._lost(error) from None

    def read_until(self, complete: Callable[[str], bool], timeout_s: float) -> str:
        """Everything written to stdout since the last call, as soon as `complete` is true of it.

        Raises:
            InfrastructureError: the command ended, the connection is lost, or `timeout_s` passed before that.
        """
        deadline = time.monotonic() + timeout_s
        while not complete(text := self._stdout.decode("utf-8", "replace")):
            left = deadline - time.monotonic()
            if left <= 0:
                raise InfrastructureError(f"{self.where}: no complete answer within {timeout_s:g} s{self._output()}")
            if not self.is_open:
                raise InfrastructureError(f"{self.where}: ended before its answer was complete{self._output()}")
            self._update(left)
        self._stdout.clear()
        return text

    def wait(self, timeout_s: float) -> ExecResult:
        """Wait for the command's end.

        Raises:
            InfrastructureError: it did not end in time, or ended without a status.
        """
        deadline = time.monotonic() + timeout_s
        while self.is_open and (left := deadline - time.monotonic()) > 0:
            self._update(left)
        if self.is_open:
            raise InfrastructureError(f"{self.where}: still running after {timeout_s:g} s")
        return ExecResult(self._exit_code(), self._stdout.decode("utf-8", "replace"), self.stderr)

    def close(self) -> None:
        """Drop the connection; the command sees the end of its stdin. Never raises."""
        try:
            self._socket.close(timeout=0)
            # When the other side closed first, `close` leaves the socket itself open.
            self._socket.sock.shutdown()
        except Exception:
            return

    def _connect(self, cluster: Cluster, path: str, query: list[tuple[str, str]]) -> Any:
        """Open the websocket within a time limit; the client library has none for this."""
        outcome: list[Any] = []

        def connect() -> None:
            try:
                outcome.append(cluster.api.websocket(path, query))
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=connect, name="exec-connect", daemon=True)
        thread.start()
        thread.join(CONNECT_TIMEOUT_S)
        if not outcome:
            raise InfrastructureError(f"{self.where}: no connection within {CONNECT_TIMEOUT_S:g} s")
        if isinstance(outcome[0], BaseException):
            raise self._lost(outcome[0])
        return outcome[0]

    def _update(self, timeout_s: float) -> None:
        try:
            self._socket.update(timeout=timeout_s)
            # Not by `read_channel`, which receives too: a frame of a channel that has just been read would stay in its
            # buffer, and the next `update` would wait for one more.
            for channel, kept in ((_STDOUT, self._stdout), (_STDERR, self._stderr), (_ERROR, self._error)):
                kept += self._socket._channels.pop(channel, b"")
        except Exception as error:
            self.close()
            raise self._lost(error) from None

    def _exit_code(self) -> int:
        """Exit code in the status on the error channel. The library's `returncode` fails on several forms of it."""
        status = self._status()
        if not status:
            raise InfrastructureError(f"{self.where}: ended without a status{self._output()}")
        if status.get("status") == "Success":
            return 0
        causes = (status.get("details") or {}).get("causes") or []
        for cause in causes:
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
        raise InfrastructureError(f"{self.where}: {status.get('message', 'failed without a reason')}")

    def _status(self) -> dict[str, Any]:
        """The status object of the error channel; empty while there is none."""
        try:
            status: dict[str, Any] = json.loads(self._error.decode("utf-8", "replace"))
        except ValueError:
            return {}
        return status

    def _output(self) -> str:
        printed = " ".join(f"{self.stderr} {self._status().get('message', '')}".split())
        return f"; its output: {printed[:300]}" if printed else ""

    def _lost(self, error: BaseException) -> InfrastructureError:
        reason = " ".join(str(getattr(error, "reason", "") or error).split()) or type(error).__name__
        return InfrastructureError(f"{self.where}: {reason[:300]}")


def _path(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/exec"


def _query(container: str, command: Sequence[str], stdin: bool) -> list[tuple[str, str]]:
    streams = [("stdin", str(stdin).lower()), ("stdout", "true"), ("stderr", "true")]
    return [("container", container), *streams, *(("command", word) for word in command)]


def exec_once(
    cluster: Cluster, pod: Pod, container: str, command: Sequence[str], *, timeout_s: float = 30.0
) -> ExecResult:
    """Run a command to its end, without stdin.

    Raises:
        InfrastructureError: it did not run, or not to its end.
    """
    session = ExecSession(cluster, pod, container, command, stdin=False)
    try:
        return session.wait(timeout_s)
    finally:
        session.close()
