"""Two requests on one connection: a server that keeps it open, one that closes it, and one that remembers too much."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from typing import Any

import pytest
from faulty_servers import Answer, serving, speaks_http2
from h2.connection import H2Connection

from clients.model.client_certificate import ClientCertificate
from clients.model.outcome import OutcomeKind
from clients.probe import curl, ordinary, same_connection
from clients.probe.request import Request
from clients.probe.session import ProbeSession

pytestmark = pytest.mark.unit


class RememberingServer(BaseHTTPRequestHandler):
    """Lets in what has a token, and, if it is `sticky`, whatever comes later on the same connection."""

    protocol_version = "HTTP/1.1"
    sticky, closes = False, False
    known = False

    def do_GET(self) -> None:
        self.known = self.known or "Authorization" in self.headers
        allowed = "Authorization" in self.headers or (self.sticky and self.known)
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", "0")
        if self.closes:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def doors() -> Iterator[list[ThreadingHTTPServer]]:
    started: list[ThreadingHTTPServer] = []
    yield started
    for one in started:
        one.shutdown()
        one.server_close()


def door(doors: list[ThreadingHTTPServer], **kind: bool) -> tuple[str, int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Kind", (RememberingServer,), kind))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    doors.append(server)
    return "127.0.0.1", server.server_address[1]


def request(
    name: str, url: str = "http://shop.test/", headers: tuple[tuple[str, str], ...] = (), **more: Any
) -> Request:
    return Request("GET", url, headers, name, "", ordinary=True, **more)


def pair(to: tuple[str, int]) -> same_connection.Exchanges:
    with_token = request("1", headers=(("Authorization", "Bearer x"),))
    return same_connection.from_outside(with_token, request("2"), to)


def test_the_second_request_uses_the_connection_of_the_first(doors: list[ThreadingHTTPServer]) -> None:
    found = pair(door(doors))
    assert (found.first.status, found.second.status, found.reused) == (200, 403, True)
    assert found.first.local_address == found.second.local_address


def test_a_door_that_remembers_is_seen(doors: list[ThreadingHTTPServer]) -> None:
    found = pair(door(doors, sticky=True))
    assert (found.second.status, found.reused) == (200, True)


class LocalShell:
    """A shell of this machine in the place of a pod's: each batch has one of its own."""

    is_open = True
    _script = ""

    def write(self, text: str) -> None:
        self._script = text

    def read_until(self, complete: Callable[[str], bool], timeout_s: float) -> str:
        ran = subprocess.run(["sh"], input=self._script.encode(), capture_output=True, timeout=timeout_s, check=True)
        output = ran.stdout.decode()
        assert complete(output)
        return output

    def close(self) -> None:
        """Nothing is left to end."""


def pair_of_a_pod(to: tuple[str, int]) -> same_connection.Exchanges:
    url = f"http://127.0.0.1:{to[1]}/"
    session = ProbeSession(LocalShell, repeat(0), iter(ordinary.ports()))
    first = request("1", url, (("Authorization", "Bearer x"),))
    return same_connection.from_pod(session, first, request("2", url))


def test_a_pods_second_request_uses_the_connection_of_the_first(doors: list[ThreadingHTTPServer]) -> None:
    found = pair_of_a_pod(door(doors))
    assert (found.first.status, found.second.status, found.reused) == (200, 403, True)
    assert found.first.local_address == found.second.local_address


def test_a_pod_sees_a_server_that_remembers(doors: list[ThreadingHTTPServer]) -> None:
    found = pair_of_a_pod(door(doors, sticky=True))
    assert (found.second.status, found.reused) == (200, True)


def test_a_pods_second_request_gets_a_new_connection_where_the_server_closes_its_own(
    doors: list[ThreadingHTTPServer],
) -> None:
    found = pair_of_a_pod(door(doors, sticky=True, closes=True))
    assert (found.second.status, found.reused) == (403, False)


def second_stream_gets(status: str) -> Answer:
    """By HTTP/2: the first request of a connection has stream 1 (RFC 9113, section 5.1.1) and is let in."""

    def answer(http: H2Connection, stream: int) -> None:
        http.send_headers(stream, [(":status", "200" if stream == 1 else status)], end_stream=True)

    return answer


@pytest.mark.parametrize("status", [403, 200])
def test_the_second_stream_of_a_connection_of_http2_is_seen(status: int) -> None:
    with serving(speaks_http2(second_stream_gets(str(status)))) as where:
        first, second = (request(name, http2=True) for name in ("1", "2"))
        found = same_connection.from_outside(first, second, where)
    assert (found.first.status, found.second.status, found.reused) == (200, status, True)


def test_a_pods_pair_by_http2_is_of_one_process() -> None:
    """Debian's curl 7.88 sends nothing on such a connection a second time (exit 16), so that no answer shows it."""
    first, second = (request(name, http2=True) for name in ("1", "2"))
    alone = request("3", http2=True)
    batch = [request("0"), first, replace(second, continues=True), alone]
    processes = curl.script(batch, "mp0").split("curl --disable")[1:]
    assert [re.findall(r"x-request-id: (\d)", one) for one in processes] == [["0"], ["1", "2"], ["3"]]


def test_a_pair_that_shows_a_certificate_is_of_two_processes() -> None:
    """It can be read once from its descriptor."""
    first = request("1", "https://shop.test/", certificate=ClientCertificate("spiffe://a", "pem\n"))
    second = replace(first, request_id="2", continues=True)
    assert curl.script([first, second], "mp0").count("curl --disable") == 2


def test_any_other_request_must_not_use_an_open_connection(doors: list[ThreadingHTTPServer]) -> None:
    url = f"http://127.0.0.1:{door(doors)[1]}/"
    session = ProbeSession(LocalShell, repeat(0), repeat(0))
    found = session.run([request("1", url), request("2", url)])
    assert [one.kind for one in found] == [OutcomeKind.STATUS, OutcomeKind.INFRASTRUCTURE], "the same port: curl may"


def test_a_server_that_closes_the_connection_gets_a_new_one(doors: list[ThreadingHTTPServer]) -> None:
    found = pair(door(doors, sticky=True, closes=True))
    assert (found.second.status, found.reused) == (403, False)


def test_what_cannot_be_sent_is_no_answer() -> None:
    found = same_connection.from_outside(request("1"), request("2"), ("127.0.0.1", 1))
    assert found.second.kind is OutcomeKind.REFUSED
    assert not found.reused


@pytest.mark.parametrize(
    ("url", "more", "possible"),
    [
        ("http://shop.test/other", {}, True),
        ("http://shop.test:8080/", {}, False),
        ("http://other.test/", {}, False),
        ("https://shop.test/", {}, False),
        ("http://shop.test/", {"http2": True}, False),  # the first one is not
        ("http://shop.test/", {"certificate": ClientCertificate("spiffe://a", "")}, False),
    ],
)
def test_only_requests_of_one_host_and_port_share_one(url: str, more: dict[str, Any], possible: bool) -> None:
    assert same_connection.possible(request("1"), request("2", url, **more)) is possible
