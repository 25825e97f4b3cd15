"""The exec transport: frames that are torn, connections that are lost, and the ways in which an exit code comes."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.stream.ws_client import WSClient

from clients.kube import exec as transport
from clients.kube.pods import Pod
from clients.model.errors import InfrastructureError

pytestmark = pytest.mark.unit

POD = Pod("mtls-client", "sleep-1")
Frame = tuple[int, bytes] | None
OK = b'{"metadata":{},"status":"Success"}'


class Socket(WSClient):
    """The library's own client whose connection delivers prepared frames.

    Args:
        frames: what arrives at each update: (channel, data) or a list of them. None closes the connection, as does the
            end of the frames.
    """

    def __init__(self, *frames: Frame | list[Frame] | None) -> None:
        self.frames = list(frames)
        self.open = True
        self.written = b""
        self.binary = True
        self._channels, self._closed_channels = {}, set()
        self.sock = SimpleNamespace(settimeout=lambda _: None, shutdown=lambda: None)

    def is_open(self) -> bool:
        return self.open

    def update(self, timeout: float = 0) -> None:
        if not self.open:
            return
        arrived = self.frames.pop(0) if self.frames else None
        for frame in arrived if isinstance(arrived, list) else [arrived]:
            if frame is None:
                self.open = False
            else:
                self._channels[frame[0]] = self._channels.get(frame[0], b"") + frame[1]

    def write_stdin(self, data: bytes) -> None:
        self.written += data

    def close(self, **_: Any) -> None:
        self.open = False


def cluster_with(socket: Any) -> Any:
    asked: list[Any] = []

    def websocket(path: str, query: list[tuple[str, str]]) -> Any:
        asked.append((path, query))
        if isinstance(socket, BaseException):
            raise socket
        return socket

    return SimpleNamespace(api=SimpleNamespace(websocket=websocket), asked=asked)


def test_text_is_put_together_across_frames_and_characters():
    euro = "€".encode()
    cluster = cluster_with(Socket((1, b"a" + euro[:1]), (1, euro[1:] + b" EN"), (1, b"D\n")))
    session = transport.ExecSession(cluster, POD, "sleep", ["sh"])
    assert session.read_until(lambda text: "END" in text, 1.0) == "a€ END\n"


def test_each_answer_starts_where_the_last_one_ended():
    quiet: list[Any] = [[]] * 2  # while the other two channels are read
    session = transport.ExecSession(cluster_with(Socket((1, b"one;"), *quiet, (1, b"two;"))), POD, "sleep", ["sh"])
    assert session.read_until(lambda text: ";" in text, 1.0) == "one;"
    assert session.read_until(lambda text: ";" in text, 1.0) == "two;"


@pytest.mark.parametrize("late", [1, 2, 3, 4])
def test_what_arrives_with_the_close_is_not_lost(late: int):
    """The library receives while a channel is read: the rest may come when its own channel has been read already."""
    frames: list[Any] = [(2, b"e")] * late
    whole = [(1, b"the rest"), (3, OK), None]
    result = transport.exec_once(cluster_with(Socket(*frames, whole)), POD, "sleep", ["true"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "the rest", "e" * late)
    session = transport.ExecSession(cluster_with(Socket(*frames, whole)), POD, "sleep", ["sh"])
    assert session.read_until(lambda text: "rest" in text, 1.0) == "the rest"


def test_an_end_before_the_answer_is_an_infrastructure_error_and_says_what_was_said():
    session = transport.ExecSession(
        cluster_with(Socket((1, b"half"), (2, b"sh: curl: not found"))), POD, "sleep", ["sh"]
    )
    with pytest.raises(InfrastructureError, match=r"mtls-client/sleep-1.*ended before.*curl: not found"):
        session.read_until(lambda text: "END" in text, 1.0)


def test_no_answer_in_time_is_an_infrastructure_error():
    session = transport.ExecSession(cluster_with(Socket((1, b"x"))), POD, "sleep", ["sh"])
    with pytest.raises(InfrastructureError, match="within 0 s"):
        session.read_until(lambda text: "END" in text, 0.0)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (OK, 0),
        (
            json.dumps({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}).encode(),
            7,
        ),
    ],
)
def test_the_exit_code_is_read_off_the_status(status: bytes, code: int):
    cluster = cluster_with(Socket((1, b"out"), (2, b"err"), (3, status)))
    assert transport.exec_once(cluster, POD, "sleep", ["true"]) == transport.ExecResult(code, "out", "err")
    [(path, query)] = cluster.asked
    assert path == "/api/v1/namespaces/mtls-client/pods/sleep-1/exec"
    assert ("command", "true") in query
    assert ("stdin", "false") in query


@pytest.mark.parametrize(
    "status",
    [
        b"",
        b'{"status":"Failure","message":"container not found","details":{"causes":[]}}',
        b'{"status":"Failure","message":"oci error"}',
        b'{"status":"Failure","details":{"causes":[{"reason":"Other","message":"0"}]}}',
    ],
)
def test_an_end_without_an_exit_code_is_an_infrastructure_error(status: bytes):
    with pytest.raises(InfrastructureError):
        transport.exec_once(cluster_with(Socket((3, status))), POD, "sleep", ["true"])


def test_a_refused_exec_says_why():
    refusal = Exception()
    refusal.reason = "Handshake status 403 Forbidden"
    with pytest.raises(InfrastructureError, match="403 Forbidden"):
        transport.ExecSession(cluster_with(refusal), POD, "sleep", ["sh"])


def test_a_connection_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.05)
    never = threading.Event()
    cluster = SimpleNamespace(api=SimpleNamespace(websocket=lambda *_: never.wait(5)))
    with pytest.raises(InfrastructureError, match="no connection within"):
        transport.ExecSession(cluster, POD, "sleep", ["sh"])
    never.set()


def test_long_input_goes_in_pieces():
    socket = Socket()
    transport.ExecSession(cluster_with(socket), POD, "sleep", ["sh"]).write("x" * 40_000)
    assert socket.written == b"x" * 40_000


class Patient(Socket):
    """A connection that would let its caller wait for good where there is nothing to wait for."""

    def update(self, timeout: float = 0) -> None:
        if not self.frames and timeout > 0:
            raise AssertionError("it waits for an answer that has come")
        if self.frames:
            super().update(timeout)


def test_an_answer_that_comes_while_another_channel_is_read_is_not_waited_for() -> None:
    """It was found only when the next frame came, or after the whole time limit; no probe of the pod went on."""
    socket = Patient((2, b"warning"), (2, b" more"), (1, b"the answer\n"))
    session = transport.ExecSession(cluster_with(socket), POD, "curl", ["sh"])
    assert session.read_until(lambda text: text.endswith("\n"), 5.0) == "the answer\n"
