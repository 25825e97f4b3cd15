"""The WebSocket from outside, against the library's own server on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from clients.model.expect import body_contains, status
from clients.model.outcome import OutcomeKind
from clients.probe import outside, websocket
from clients.probe.curl import Request

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


def test_a_refused_upgrade_is_told_as_it_is():
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
    assert (late.kind, late.exit_code, late.status) == (OutcomeKind.TIMEOUT, 28, None)
    assert (wrong.status, wrong.body) == (101, "something else")


def test_what_is_no_http_breaks_off():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def gibberish() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"gibberish\r\n\r\n")
                peer.recv(4096)

        thread = threading.Thread(target=gibberish)
        thread.start()
        [outcome] = outside.send([upgrade()], ("127.0.0.1", listening.getsockname()[1]))
        thread.join()
    assert (outcome.kind, outcome.exit_code) == (OutcomeKind.RESET, 56)


def test_the_command_can_be_repeated():
    told = outside.command(upgrade())
    assert told.startswith("curl -i -N --http1.1 ")
    assert "Upgrade: websocket" in told
    assert told.endswith(" 'http://shop.example.com/echo?x=1'")
