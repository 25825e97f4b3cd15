from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from faulty_servers import HOST, LoopbackAuthority, Where, refusing, request_of, says, serving

from clients.identity.certificates import foreign_authority
from clients.model.client_certificate import ClientCertificate
from clients.model.outcome import OutcomeKind
from clients.probe import outside
from clients.probe.answer import MAX_BODY_BYTES
from clients.probe.request import Request

pytestmark = pytest.mark.unit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class EchoServer(ThreadingHTTPServer):
    request_queue_size = 64


class EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.path} {self.headers['Host']} {self.headers['x-request-id']}".encode()
        self.send_response(200)
        self.send_header("X-Twice", "a")
        self.send_header("X-Twice", "b")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def echo() -> Iterator[Where]:
    server = EchoServer(("127.0.0.1", 0), EchoHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield "127.0.0.1", server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def request(path: str = "/ip", scheme: str = "http", request_id: str = "mp-r1-1", timeout_s: float = 2.0) -> Request:
    return Request("GET", f"{scheme}://{HOST}{path}", (), request_id, f"meshproof/X {request_id}", timeout_s, 1.0)


@pytest.mark.parametrize(
    "path", ["/a/../b", "//a", "/a%2e%2E/b", "/a\\b", "/a?x=%7e#", "/a;b/./c", "/%2F", "?only=query"]
)
def test_a_path_goes_out_as_it_was_written(echo: Where, path: str) -> None:
    [outcome] = outside.send([request(path)], echo)
    assert (outcome.status, outcome.exit_code) == (200, 0)
    wanted = path if path.startswith("/") else f"/{path}"
    # http.server itself folds leading slashes (CVE-2021-28861)
    assert outcome.body == f"{wanted.replace('//', '/')} {HOST} mp-r1-1"
    assert outcome.headers["x-twice"] == ("a", "b")


@pytest.mark.parametrize("parallel", [False, True])
def test_outcomes_come_in_the_order_of_the_requests(echo: Where, parallel: bool) -> None:
    requests = [request(request_id=f"mp-r1-{number}") for number in range(20)]
    outcomes = outside.send(requests, echo, parallel=parallel)
    assert [outcome.request_id for outcome in outcomes] == [one.request_id for one in requests]
    assert [outcome.body.split()[-1] for outcome in outcomes] == [one.request_id for one in requests]


@contextmanager
def keeping(answer: bytes, times: int = 1) -> Iterator[tuple[list[bytes], Where]]:
    """A server that keeps the requests, and gives each of them this answer."""
    seen: list[bytes] = []

    def behave(peer: socket.socket) -> None:
        seen.append(request_of(peer))
        peer.sendall(answer)

    with serving(behave, times) as where:
        yield seen, where


def test_environment_variables_have_no_effect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text(f"machine {HOST} login a password b\n")
    (tmp_path / ".curlrc").write_text('header = "X-Of-The-User: yes"\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    with refusing() as (_, port):
        for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        with keeping(OK) as (seen, where):
            [outcome] = outside.send([request()], where)
    assert outcome.status == 200
    assert seen == [
        f"GET /ip HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: meshproof/X mp-r1-1\r\nAccept: */*\r\n"
        "x-request-id: mp-r1-1\r\nConnection: close\r\n\r\n".encode()
    ]


@pytest.mark.parametrize("host", [f"{HOST}:80", f"{HOST}:8080", HOST])
def test_the_host_goes_out_as_it_was_written(host: str) -> None:
    with keeping(OK) as (seen, where):
        outside.send([replace(request(), url=f"http://{host}/ip")], where)
    assert seen[0].split(b"\r\n")[:2] == [b"GET /ip HTTP/1.1", f"Host: {host}".encode()]


def test_a_host_that_the_probe_states_goes_out() -> None:
    with keeping(OK) as (seen, where):
        outside.send([replace(request(), url=f"http://{HOST}:80/ip", headers=(("host", "other"),))], where)
    assert [line for line in seen[0].lower().split(b"\r\n") if line.startswith(b"host")] == [b"host: other"]


def test_no_redirect_is_followed_and_no_cookie_comes_back() -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: http://{HOST}/other\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    with keeping(moved.encode(), 2) as (seen, where):
        outcomes = outside.send([request(), request()], where)
    assert [(one.status, one.headers["set-cookie"]) for one in outcomes] == [(302, ("a=b",))] * 2
    assert len(seen) == 2
    assert not any(b"ookie" in one for one in seen)


def test_a_server_that_keeps_the_connection_gets_a_fresh_one_for_each_probe(echo: Where) -> None:
    outcomes = outside.send([request(request_id=f"mp-r1-{number}") for number in range(5)], echo)
    assert len({one.local_address for one in outcomes}) == 5


def test_the_final_answer_counts_with_its_trailers() -> None:
    answer = (
        b"HTTP/1.1 103 Early Hints\r\nX-A: hint\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
    )
    with keeping(answer + b"2\r\nab\r\n0\r\nX-A: c\r\n\r\n") as (_, where):
        [outcome] = outside.send([request()], where)
    assert (outcome.status, outcome.body, outcome.headers["x-a"]) == (200, "ab", ("b", "c"))


def test_a_long_body_is_cut_and_still_an_answer() -> None:
    body = "é".encode() * 50_000
    with keeping(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)) as (_, where):
        [outcome] = outside.send([request()], where)
    assert (outcome.summary, outcome.exit_code) == ("200", 0)
    assert outcome.body == "é" * (MAX_BODY_BYTES // 2)


def test_probes_that_time_out_do_so_in_parallel() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        began = time.monotonic()
        late = outside.send([request(timeout_s=0.5)] * 16, silent.getsockname(), parallel=True)
    assert {one.summary for one in late} == {"000 answer_timeout (28)"}
    assert time.monotonic() - began < 4  # one after the other: 8 s


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Request("GET", f"http://{HOST}/", (("X-A", "b\r\nX-B: c"),), "mp-r1-1", "x"), "control character"),
        (Request("GET", f"http://{HOST}/a b", (), "mp-r1-1", "x"), "exit code 3"),
        (Request("GET", f"gopher://{HOST}/", (), "mp-r1-1", "x"), "exit code 1"),
    ],
)
def test_what_cannot_be_sent_is_no_denial(bad: Request, why: str) -> None:
    with refusing() as where:
        [outcome] = outside.send([bad], where)
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert why in outcome.error


def test_roots_that_are_none_are_no_denial() -> None:
    with serving(LoopbackAuthority().over_tls(says(OK))) as where:
        [outcome] = outside.send([request(scheme="https")], where, roots="no certificate")
    assert (outcome.kind, outcome.exit_code) == (OutcomeKind.INFRASTRUCTURE, None)


def test_the_certificate_must_be_of_the_urls_host_unless_insecure() -> None:
    authority = LoopbackAuthority()
    with serving(authority.over_tls(says(OK), "other.example.com"), 2) as where:
        asked = request(scheme="https")
        outcomes = outside.send([asked, replace(asked, insecure=True)], where, roots=authority.roots)
    assert [one.summary for one in outcomes] == ["000 certificate (60)", "200"]


IMPOSTOR = foreign_authority().impostor("spiffe://cluster.local/ns/shop/sa/web")


def test_a_client_shows_its_certificate() -> None:
    shown: list[bytes | None] = []
    authority = LoopbackAuthority()
    server = authority.over_tls(says(OK), clients_of=foreign_authority().roots, shown=shown.append)
    asked = replace(request(scheme="https"), certificate=IMPOSTOR)
    with serving(server, 2) as where:
        outcomes = outside.send([asked, replace(asked, certificate=None)], where, roots=authority.roots)
    assert outcomes[0].summary == "200"
    assert outcomes[1].status is None
    assert [x509.load_der_x509_certificate(one or b"") for one in shown] == [
        x509.load_pem_x509_certificate(IMPOSTOR.pem.encode())
    ]


@pytest.mark.filterwarnings("ignore:.*TLSv1:DeprecationWarning")
@pytest.mark.parametrize(
    ("newest", "saw"),
    [(ssl.TLSVersion.TLSv1, "200"), (ssl.TLSVersion.TLSv1_1, "200"), (ssl.TLSVersion.TLSv1_3, "000 tls_error (35)")],
)
def test_only_old_versions_of_tls_are_offered(newest: ssl.TLSVersion, saw: str) -> None:
    authority = LoopbackAuthority()
    with serving(authority.over_tls(says(OK), newest=newest)) as where:
        [outcome] = outside.send([replace(request(scheme="https"), tls_max="1.1")], where, roots=authority.roots)
    assert outcome.summary == saw
    assert "alert protocol version" in outcome.error or saw == "200"


def test_a_certificate_that_cannot_be_read_is_no_denial() -> None:
    asked = replace(request(scheme="https"), certificate=ClientCertificate("spiffe://a", "no certificate"))
    with serving(LoopbackAuthority().over_tls(says(OK))) as where:
        [outcome] = outside.send([asked], where)
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert "exit code 58" in outcome.error


def test_the_command_of_an_impostor_holds_no_secret_and_can_be_repeated() -> None:
    command = outside.command(replace(request(scheme="https"), certificate=IMPOSTOR))
    made, _, sent = command.partition(" && ")
    assert made.startswith("openssl req -x509 ")
    assert made.endswith(f"-keyout foreign.key -out foreign.pem -addext subjectAltName=URI:{IMPOSTOR.identity}")
    assert "--cert foreign.pem --key foreign.key" in sent
    assert "PRIVATE" not in command + repr(IMPOSTOR)


def test_an_unknown_address_of_this_machine_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert outside.own_address("127.0.0.1") == "127.0.0.1"
    assert outside.own_address("::1", "", "127.0.0.1") == "127.0.0.1", "the first that can be reached by IPv4"
    assert outside.own_address("::1") == "::1", "by IPv6 where none can be reached by IPv4"
    monkeypatch.setattr(socket.socket, "connect", unknown)
    assert outside.own_address("behind-a-proxy.example") == ""


@pytest.mark.parametrize(("scheme", "agent"), [("http", "curl/"), ("grpc", "grpc-go/"), ("ws", "curl/")])
def test_an_ordinary_request_shows_no_harness(scheme: str, agent: str) -> None:
    heads: list[bytes] = []

    def listen(peer: socket.socket) -> None:
        heads.append(peer.recv(65536))
        peer.sendall(OK)

    with serving(listen) as where:
        outside.send([replace(request(scheme=scheme), user_agent="", ordinary=True, headers=(("x-a", "b"),))], where)
    sent = heads[0]
    assert b"meshproof" not in sent
    assert b"close" not in sent
    if scheme != "grpc":  # HTTP/2 compresses its headers
        assert agent.encode() in sent
        assert sent.index(b"x-a: b") < sent.index(b"x-request-id")
