"""The gRPC call from outside, against servers of h2 on loopback. How a call fails is in `test_like_curl`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import faulty_servers
import pytest
from faulty_servers import LoopbackAuthority, says, speaks_http2
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

from clients.model import expect
from clients.model.outcome import OutcomeKind
from clients.probe import outside
from clients.probe.request import Request

pytestmark = pytest.mark.unit

PATH = "/hipstershop.CartService/GetCart"
Answer = Callable[[H2Connection, int], None]


def call(timeout_s: float = 2.0, scheme: str = "grpc") -> Request:
    url, agent = f"{scheme}://shop.example.com{PATH}", "meshproof/X mp-r1-1"
    return Request("POST", url, (("Authorization", "Bearer a.b.c"),), "mp-r1-1", agent, timeout_s, 1.0)


class GrpcServer:
    """Takes one call, keeps what it was, and answers it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.headers: dict[str, str] = {}
        self.body = b""

    def serve(self, listening: socket.socket) -> None:
        peer, _ = listening.accept()
        with peer:
            http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
            http.initiate_connection()
            peer.sendall(http.data_to_send())
            while data := peer.recv(65536):
                for event in http.receive_data(data):
                    if isinstance(event, RequestReceived):
                        self.headers = {str(name): str(value) for name, value in event.headers or ()}
                    self.body += getattr(event, "data", None) or b""
                    if isinstance(event, StreamEnded):
                        self._answer(http, event.stream_id or 0)
                peer.sendall(http.data_to_send())


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[GrpcServer, tuple[str, int]]]:
    server = GrpcServer(answer)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.serve, args=(listening,))
        thread.start()
        yield server, ("127.0.0.1", listening.getsockname()[1])
        thread.join()


def answers(http: H2Connection, stream: int) -> None:
    http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc"), ("x-twice", "a")])
    http.send_data(stream, b"\0\0\0\0\5hello")
    http.send_headers(stream, [("grpc-status", "0"), ("x-twice", "b")], end_stream=True)


def refuses(http: H2Connection, stream: int) -> None:
    """As Envoy refuses a call: headers alone."""
    head = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "7"), ("grpc-message", "no")]
    http.send_headers(stream, head, end_stream=True)


def test_a_call_carries_the_request_and_an_empty_message():
    with serving(answers) as (server, where):
        [outcome] = outside.send([call()], where)
    assert server.body == bytes(5)
    assert {":method": "POST", ":path": PATH, ":authority": "shop.example.com", "te": "trailers"}.items() <= (
        server.headers.items()
    )
    assert server.headers["content-type"] == "application/grpc"
    assert server.headers["authorization"] == "Bearer a.b.c"
    assert (server.headers["x-request-id"], server.headers["user-agent"]) == ("mp-r1-1", "meshproof/X mp-r1-1")
    assert (outcome.kind, outcome.status, outcome.grpc_status, outcome.body) == (OutcomeKind.STATUS, 200, 0, "hello")
    assert outcome.headers["x-twice"] == ("a", "b")
    assert outcome.local_address.startswith("127.0.0.1:")


def test_a_refusal_has_the_status_of_the_call():
    with serving(refuses) as (_, where):
        [outcome] = outside.send([call()], where)
    assert (outcome.summary, outcome.exit_code) == ("200 PERMISSION_DENIED (7)", 0)
    denied = expect.grpc(7, expect.has_header("grpc-message", "no"))
    assert denied.problem(outcome) is None
    assert denied.refuses
    assert denied.text == "200 PERMISSION_DENIED (7), header grpc-message no"
    for other in (expect.status(200), expect.grpc(0), expect.grpc(16)):
        assert other.problem(outcome)


def test_an_answer_of_http_alone_is_no_answer_of_grpc():
    def forbids(http: H2Connection, stream: int) -> None:
        http.send_headers(stream, [(":status", "403")], end_stream=True)

    with serving(forbids) as (_, where):
        [outcome] = outside.send([call()], where)
    assert (outcome.summary, outcome.grpc_status) == ("403", None)
    assert expect.grpc(7).problem(outcome)


def test_over_tls_nothing_but_http2_is_offered():
    authority = LoopbackAuthority()
    for alpn, summary in ((("h2",), "200 OK (0)"), (("http/1.1",), "000 http2_error (16)")):
        behaviour = speaks_http2(answers) if alpn == ("h2",) else says(b"HTTP/1.1 200 OK\r\n\r\n")
        with faulty_servers.serving(authority.over_tls(behaviour, alpn=alpn)) as where:
            [outcome] = outside.send([call(scheme="grpcs")], where, roots=authority.roots)
        assert outcome.summary == summary


def test_a_path_goes_out_as_it_was_written():
    with serving(refuses) as (server, where):
        url = "grpc://shop.example.com:80/a/../b%2e%2E/GetCart"
        outside.send([replace(call(), url=url)], where)
    assert (server.headers[":authority"], server.headers[":path"]) == ("shop.example.com:80", "/a/../b%2e%2E/GetCart")


def test_the_command_can_be_repeated():
    command = outside.command(call())
    assert command.startswith(r"printf '\0\0\0\0\0' | curl -i -X POST --http2-prior-knowledge --data-binary @- ")
    assert command.endswith(f" http://shop.example.com{PATH}")
    assert "te: trailers" in command
    assert outside.command(call(scheme="grpcs")).endswith(f" https://shop.example.com{PATH}")
