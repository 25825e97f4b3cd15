from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clients.identity import certificates
from clients.model.errors import InfrastructureError
from clients.model.outcome import OutcomeKind
from clients.probe import outside
from clients.probe.curl import Request

pytestmark = pytest.mark.unit

HOST = "shop.example.com"


class Server(ThreadingHTTPServer):
    request_queue_size = 64


class Echo(BaseHTTPRequestHandler):
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
def echo() -> Iterator[tuple[str, int]]:
    server = Server(("127.0.0.1", 0), Echo)
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
def test_a_path_goes_out_as_it_was_written(echo: tuple[str, int], path: str) -> None:
    [outcome] = outside.send([request(path)], echo)
    assert (outcome.status, outcome.exit_code) == (200, 0)
    wanted = path if path.startswith("/") else f"/{path}"
    # http.server itself folds leading slashes (CVE-2021-28861)
    assert outcome.body == f"{wanted.replace('//', '/')} {HOST} mp-r1-1"
    assert outcome.headers["x-twice"] == ("a", "b")


@pytest.mark.parametrize("parallel", [False, True])
def test_outcomes_come_in_the_order_of_the_requests(echo: tuple[str, int], parallel: bool) -> None:
    requests = [request(request_id=f"mp-r1-{number}") for number in range(20)]
    outcomes = outside.send(requests, echo, parallel=parallel)
    assert [outcome.request_id for outcome in outcomes] == [one.request_id for one in requests]
    assert [outcome.body.split()[-1] for outcome in outcomes] == [one.request_id for one in requests]


@contextmanager
def listening(answer: bytes | None) -> Iterator[tuple[str, int]]:
    """A server that takes one connection: resets it (None), or sends this and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            if answer is None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            else:
                connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield "127.0.0.1", server.getsockname()[1]
        thread.join()


def test_failures_have_the_exit_codes_of_curl(echo: tuple[str, int]) -> None:
    with listening(None) as where:
        [reset] = outside.send([request()], where)
    with listening(b"") as where:
        [empty] = outside.send([request()], where)
    [refused] = outside.send([request()], where)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        [late] = outside.send([request(timeout_s=0.2)], ("127.0.0.1", silent.getsockname()[1]))
    [plain] = outside.send([request(scheme="https")], echo)
    [nameless] = outside.send([request()], ("no-such-host.invalid", 80))
    assert [(o.kind, o.exit_code, o.status) for o in (reset, empty, refused, late, plain, nameless)] == [
        (OutcomeKind.RESET, 56, None),
        (OutcomeKind.EMPTY_REPLY, 52, None),
        (OutcomeKind.REFUSED, 7, None),
        (OutcomeKind.TIMEOUT, 28, None),
        (OutcomeKind.TLS_ERROR, 35, None),
        (OutcomeKind.DNS, 6, None),
    ]


def test_the_certificate_must_be_of_the_urls_host(tmp_path: Path) -> None:
    made = certificates.issue([HOST])
    pem = tmp_path / "server.pem"
    pem.write_text(made.certificate + made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        where = ("127.0.0.1", server.server_port)
        [good] = outside.send([request(scheme="https")], where, roots=made.roots)
        [foreign] = outside.send([request(scheme="https")], where, roots=certificates.issue([HOST]).roots)
        other = Request("GET", "https://other.example.com/", (), "mp-r1-2", "x", 2.0, 1.0)
        [wrong] = outside.send([other], where, roots=made.roots)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert good.status == 200
    assert (foreign.exit_code, wrong.exit_code) == (60, 60)


class Services:
    def __init__(self, service: dict[str, object] | None) -> None:
        self.service = service

    def get(self, *_: str) -> dict[str, object] | None:
        return self.service

    def objects(self, *_: str) -> list[dict[str, object]]:
        return [{"status": {"addresses": [{"type": "InternalIP", "address": "198.18.0.2"}]}}]


PORTS = [{"port": 80, "nodePort": 30080}]


@pytest.mark.parametrize(
    ("service", "given", "where"),
    [
        (
            {"spec": {"ports": PORTS}, "status": {"loadBalancer": {"ingress": [{"ip": "198.18.0.129"}]}}},
            "",
            ("198.18.0.129", 80),
        ),
        (
            {"spec": {"ports": PORTS}, "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}},
            "",
            ("lb.example", 80),
        ),
        ({"spec": {"ports": PORTS}, "status": {"loadBalancer": {}}}, "", ("198.18.0.2", 30080)),
        (None, "192.168.7.7", ("192.168.7.7", 80)),
    ],
)
def test_the_address_of_a_gateway(service, given, where) -> None:
    assert outside.address(Services(service), "istio-ingress", "gke-system", 80, given=given) == where  # type: ignore[arg-type]


@pytest.mark.parametrize("service", [None, {"spec": {"ports": [{"port": 80}]}}])
def test_a_gateway_without_an_address_is_no_denial(service) -> None:
    with pytest.raises(InfrastructureError):
        outside.address(Services(service), "istio-ingress", "gke-system", 80)  # type: ignore[arg-type]


def test_an_address_of_our_own_that_cannot_be_told_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert outside.own_address("https://127.0.0.1:6443") == "127.0.0.1"
    monkeypatch.setattr(socket.socket, "connect", unknown)
    assert outside.own_address("https://behind-a-proxy.example:6443") == ""
