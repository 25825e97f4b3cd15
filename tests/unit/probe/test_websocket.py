"""The WebSocket from outside, against the library's own server on loopback."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import faulty_servers
import pytest
from faulty_servers import Behaviour, closes, request_of, resets, resets_before_reading, says
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.server import Server, ServerConnection, serve
from websockets.utils import accept_key

from clients.model.expect import body_contains, status
from clients.model.outcome import OutcomeKind
from clients.probe import outside, websocket
from clients.probe.request import Request
from clients.probe.websocket import MESSAGE

pytestmark = pytest.mark.unit


def upgrade(timeout_s: float = 2.0) -> Request:
    headers = (("Authorization", "Bearer a.b.c"),)
    agent = "meshproof/X mp-r1-1"
    return Request("GET", "ws://shop.example.com/echo?x=1", headers, "mp-r1-1", agent, timeout_s, 1.0)


@contextmanager
def serving(handler: Callable[[ServerConnection], None], **how: Any) -> Iterator[tuple[str, int]]:
    with serve(handler, "127.0.0.1", 0, **how) as server:
        assert isinstance(server, Server)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield "127.0.0.1", server.socket.getsockname()[1]
    thread.join()


def test_the_message_comes_back():
    seen: list[Any] = []

    def echo(peer: ServerConnection) -> None:
        seen.append(peer.request)
        for message in peer:
            peer.send(message)

    with serving(echo) as where:
        [outcome] = outside.send([upgrade()], where)
    assert (outcome.status, outcome.exit_code, outcome.body) == (101, 0, websocket.MESSAGE)
    assert outcome.headers["upgrade"] == ("websocket",)
    assert status(101, body_contains(websocket.MESSAGE)).problem(outcome) is None
    [request] = seen
    assert request.path == "/echo?x=1"
    assert request.headers.get_all("User-Agent") == ["meshproof/X mp-r1-1"]
    assert (request.headers["Host"], request.headers["x-request-id"]) == ("shop.example.com", "mp-r1-1")
    assert request.headers["Authorization"] == "Bearer a.b.c"


def test_a_refused_upgrade_is_the_outcome():
    def refuse(peer: ServerConnection, _: Any) -> Any:
        response = peer.respond(HTTPStatus.FORBIDDEN, "RBAC: access denied")
        response.headers["X-Twice"] = "a"
        response.headers["X-Twice"] = "b"
        return response

    with serving(lambda _: None, process_request=refuse) as where:
        [outcome] = outside.send([upgrade()], where)
    assert (outcome.kind, outcome.status, outcome.body) == (OutcomeKind.STATUS, 403, "RBAC: access denied")
    assert outcome.headers["x-twice"] == ("a", "b")


def test_a_message_that_does_not_come_back_is_no_success():
    def swallow(peer: ServerConnection) -> None:
        peer.recv()
        peer.recv(timeout=0.5)

    def other(peer: ServerConnection) -> None:
        peer.recv()
        peer.send("something else")
        with pytest.raises(ConnectionClosed):
            peer.recv()

    with serving(swallow) as where:
        [late] = outside.send([upgrade(timeout_s=0.2)], where)
    with serving(other) as where:
        [wrong] = outside.send([upgrade()], where)
    assert (late.kind, late.exit_code, late.status) == (OutcomeKind.ANSWER_TIMEOUT, 28, 101)
    assert (wrong.status, wrong.body) == (101, "something else")


def agreeing(frames: bytes, then: Callable[[socket.socket], None] = lambda _: None, key: str = "") -> Behaviour:
    """Agrees to the upgrade, by the client's key or another, and sends these frames at once."""

    def behave(peer: socket.socket) -> None:
        found = re.search(rb"Sec-WebSocket-Key: (\S+)", request_of(peer))
        assert found
        accepted = accept_key(key or found[1].decode())
        head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
        peer.sendall(head.encode() + frames)
        then(peer)

    return behave


def server_frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


CLOSE = server_frame(Opcode.CLOSE, b"\x03\xe8")


@pytest.mark.parametrize(
    ("behaviour", "summary", "body"),
    [
        (says(b"gibberish\r\n\r\n"), "000 not_http (1)", ""),
        (closes, "000 empty_reply (52)", ""),
        (resets_before_reading, "000 reset (56)", ""),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "200", "ok"),
        (says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\nRBAC"), "403 partial (18)", "RBAC"),
        (agreeing(server_frame(Opcode.TEXT, b"x" * 300) + CLOSE), "101", "x" * 300),
        (
            agreeing(server_frame(Opcode.TEXT, b"there ", fin=False) + server_frame(Opcode.CONT, b"and back") + CLOSE),
            "101",
            MESSAGE,
        ),
        (agreeing(server_frame(Opcode.PING, b"?") + server_frame(Opcode.TEXT, b"hi") + CLOSE), "101", "hi"),
        (agreeing(CLOSE), "101", ""),
        (agreeing(b""), "101 empty_reply (52)", ""),
        (agreeing(b"", lambda peer: (time.sleep(0.1), resets(peer))), "101 reset (56)", ""),
        (agreeing(server_frame(Opcode.TEXT, b"hi") + CLOSE, key="b3RoZXI="), "101 other (8)", ""),
    ],
    ids=[
        "no HTTP",
        "closed",
        "reset",
        "another answer",
        "short refusal",
        "long message",
        "fragments",
        "ping",
        "closed at once",
        "gone at once",
        "reset at once",
        "another key",
    ],
)
def test_how_it_ends(behaviour: Behaviour, summary: str, body: str):
    with faulty_servers.serving(behaviour) as where:
        [outcome] = outside.send([upgrade()], where)
    assert (outcome.summary, outcome.body) == (summary, body)
    assert (status(101, body_contains(MESSAGE)).problem(outcome) is None) == (body == MESSAGE)


def test_the_command_can_be_repeated():
    command = outside.command(upgrade())
    assert command.startswith("curl -i -N --http1.1 ")
    assert "Upgrade: websocket" in command
    assert command.endswith(" 'http://shop.example.com/echo?x=1'")
