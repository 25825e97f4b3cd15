"""The real curl and sh against a server on loopback: a batch, its bodies, its timeouts, its connections."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from curl_samples import request
from faulty_servers import LoopbackAuthority, says, serving

from clients.identity.certificates import foreign_authority
from clients.model.client_certificate import ClientCertificate
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe import curl, curl_output
from clients.probe.answer import MAX_BODY_BYTES
from clients.probe.request import Request

pytestmark = pytest.mark.unit


NO_SUCH_NAME = "x" * 64 + ".invalid"
"""A label of over 63 characters (RFC 1035, section 2.3.4): no name server is asked for it."""


REPLIES = {
    "/ok": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    "/denied": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 19\r\nConnection: close\r\n\r\nRBAC: access denied",
    "/headers": b'HTTP/1.1 200 OK\r\nVary: A\r\nX-Q: say "hi" \\\r\nvary: B\r\nReferrer: s\r\n'
    b"Vary: C\r\nReferrer: t\r\nX-Bin: caf\xe9\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "/binary": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n\x00\xff\xfe\r\n\n",
    "/kept": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/long": b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\nConnection: close\r\n\r\n" + b"x" * 50_000,
    "/huge": b"HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\nConnection: close\r\n\r\n",
    "/partial": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly",
    "/empty": b"",
    "/old": b"no header at all\n",
}
LINGER_OFF = struct.pack("ii", 1, 0)


class ScriptedServer:
    """Answers by path; `/reset` ends with RST, `/slow` never answers, `/echo` sends the request back.

    Attributes:
        most_waiting: the largest number of requests that waited at the same time for the answer of `/slow`.
    """

    def __init__(self) -> None:
        self.most_waiting = 0
        self._waiting = 0
        self._lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection:
            try:
                while self._answer(connection):
                    pass
            except OSError:
                pass

    def _answer(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            received = connection.recv(65_536)
            if not received:
                return False
            data += received
            if data.startswith(b"\x16"):  # a TLS hello
                connection.sendall(REPLIES["/ok"])
                return False
        path = data.split(b" ")[1].decode()
        if path == "/reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_OFF)
            return False
        if path == "/slow":
            return self._wait(connection)
        reply = REPLIES.get(path, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + data)
        connection.sendall(reply[:80] if data.startswith(b"HEAD") else reply)
        return path == "/kept"

    def _wait(self, connection: socket.socket) -> bool:
        with self._lock:
            self._waiting += 1
            self.most_waiting = max(self.most_waiting, self._waiting)
        try:
            return bool(connection.recv(1))
        finally:
            with self._lock:
                self._waiting -= 1


@pytest.fixture(scope="module")
def running() -> Iterator[ScriptedServer]:
    made = ScriptedServer()
    yield made
    made.socket.close()


@pytest.fixture(scope="module")
def server(running: ScriptedServer) -> str:
    return running.base


def execute(batch: Sequence[Request], *, parallel: bool = False, path: str | None = None) -> list[Outcome]:
    sentinel = curl.new_sentinel()
    environment = {"PATH": path or "/usr/local/bin:/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9", "HOME": "/"}
    done = subprocess.run(
        ["/bin/sh"],
        input=curl.script(batch, sentinel, parallel=parallel).encode(),
        capture_output=True,
        timeout=20,
        check=False,
        env=environment,
    )
    output = done.stdout.decode(errors="replace")
    assert curl_output.finished(output, sentinel)
    return curl_output.parse(output, batch, sentinel)


def usable_curl() -> bool:
    if not shutil.which("curl"):
        return False
    text = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, text.split()[1].split(".")[:2])) >= (7, 75)


real = pytest.mark.skipif(not usable_curl(), reason="needs curl 7.75 or newer")
both = pytest.mark.parametrize("parallel", [False, True], ids=["one-curl", "parallel"])


@real
@both
def test_every_kind_in_one_batch(server: str, parallel: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    urls = {
        f"{server}/ok": "200",
        f"{server}/reset": "000 reset (56)",
        f"{server}/denied": "403",
        refused: "000 refused (7)",
        f"{server}/empty": "000 empty_reply (52)",
        f"http://{NO_SUCH_NAME}/": "000 dns (6)",
        f"{server}/slow": "000 answer_timeout (28)",
        f"{server}/partial": "200 partial (18)",
        f"{server}/old": "000 not_http (1)",
        server.replace("http", "https") + "/ok": "000 tls_error (35)",
        "ftp://127.0.0.1/": 'infrastructure: curl could not try: Protocol "ftp" not supported or disabled in libcurl'
        " (exit code 1)",
        f"{server}/huge": "200",
        f"{server}/ok?last": "200",
    }
    batch = [request(number, url) for number, url in enumerate(urls)]
    outcomes = execute(batch, parallel=parallel)
    assert [o.summary for o in outcomes] == list(urls.values())
    assert [o.request_id for o in outcomes] == [asked.request_id for asked in batch]
    assert outcomes[0].body == "hello"
    assert outcomes[2].body == "RBAC: access denied"
    assert outcomes[1].body == ""
    assert outcomes[0].remote_address == server.removeprefix("http://")
    assert 0 < outcomes[0].total_s < 5
    assert outcomes[6].total_s >= 0.35


@real
@both
def test_bodies_and_headers_arrive_as_they_were_sent(server: str, parallel: bool) -> None:
    batch = [request(n, f"{server}{path}") for n, path in enumerate(["/binary", "/headers", "/long", "/ok"])]
    binary, headers, long, ok = execute(batch, parallel=parallel)
    assert binary.body == "\x00\ufffd\ufffd\r\n\n"
    assert headers.headers["vary"] == ("A", "B", "C")
    assert headers.headers["referrer"] == ("s", "t")
    assert headers.headers["x-q"] == ('say "hi" \\',)
    assert headers.headers["x-bin"] == ("caf\ufffd",)
    assert long.body == "x" * MAX_BODY_BYTES
    assert ok.body == "hello"


@real
def test_the_request_is_sent_as_it_was_written(server: str) -> None:
    tricky = 'q"uote \\back $HOME `id` {a,b} é'
    asked = request(7, f"{server}/a/../b/{{x,y}}[1-3]?q=%2e", headers=(("X-Tricky", tricky), ("X-Empty", "")))
    (outcome,) = execute([asked])
    lines = outcome.body.split("\r\n")
    assert lines[0] == "GET /a/../b/{x,y}[1-3]?q=%2e HTTP/1.1"
    assert f"X-Tricky: {tricky}" in lines
    assert "X-Empty:" in lines
    assert "x-request-id: mp-r1-7" in lines
    assert "User-Agent: meshproof/X mp-r1-7" in lines
    assert "Connection: close" in lines


@real
def test_methods(server: str) -> None:
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    batch = [request(n, f"{server}/method", method=method) for n, method in enumerate(methods)]
    outcomes = execute(batch)
    assert [o.status for o in outcomes] == [200] * 6
    assert outcomes[1].body == ""
    sent = [outcome.body.split(" ")[0] for outcome in outcomes if outcome.request_id != "mp-r1-1"]
    assert sent == ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
    assert "Content-Length: 0\r\n" in outcomes[2].body
    assert "Content-Length" not in outcomes[4].body


@real
def test_a_server_that_keeps_the_connection_is_detected(server: str) -> None:
    outcomes = execute([request(n, f"{server}/kept") for n in range(3)])
    assert outcomes[0].status == 200
    assert [o.kind for o in outcomes[1:]] == [OutcomeKind.INFRASTRUCTURE] * 2


@real
def test_a_server_that_closes_gets_a_fresh_connection_each(server: str) -> None:
    assert [o.status for o in execute([request(n, f"{server}/ok") for n in range(30)])] == [200] * 30


@real
def test_parallel_probes_time_out_together(running: ScriptedServer) -> None:
    running.most_waiting = 0
    batch = [replace(request(n, f"{running.base}/slow"), timeout_s=3.0) for n in range(16)]  # a busy machine connects
    assert {o.summary for o in execute(batch, parallel=True)} == {"000 answer_timeout (28)"}
    assert running.most_waiting > 1


def self_signed(folder: Path) -> ssl.SSLContext:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    today = datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, today, today + timedelta(days=36_500))
    pem = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


@real
def test_a_certificate_that_cannot_be_trusted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        context, port = self_signed(tmp_path), listener.getsockname()[1]

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
        (outcome,) = execute([request(0, f"https://127.0.0.1:{port}/")])
    assert outcome.summary == "000 certificate (60)"


@real
@both
def test_a_client_shows_its_certificate_and_others_of_the_batch_show_none(server: str, parallel: bool) -> None:
    impostor = foreign_authority().impostor("spiffe://cluster.local/ns/shop/sa/web")
    shown: list[bytes | None] = []
    tls = LoopbackAuthority().over_tls(says(REPLIES["/ok"]), clients_of=foreign_authority().roots, shown=shown.append)
    with serving(tls, 3) as (host, port):
        asked = request(0, f"https://{host}:{port}/", insecure=True)
        with_it = replace(asked, certificate=impostor)
        batch = [request(1, f"{server}/ok"), replace(with_it, request_id="mp-r1-2"), asked, with_it]
        outcomes = execute(batch, parallel=parallel)
    assert [one.status for one in outcomes] == [200, 200, None, 200]
    assert shown == [x509.load_pem_x509_certificate(impostor.pem.encode()).public_bytes(Encoding.DER)] * 2
    arguments = [line for line in curl.script([with_it], "mp").splitlines() if line.startswith("curl ")]
    assert arguments == ["curl --disable --config - 3<<'mp_EOF3' 4<<'mp_EOF4' <<'mp_EOF'"]


@real
def test_a_certificate_that_cannot_be_read_is_no_denial() -> None:
    with serving(LoopbackAuthority().over_tls(says(REPLIES["/ok"]))) as (host, port):
        shown = ClientCertificate("spiffe://a", "no certificate\n")
        (outcome,) = execute([request(0, f"https://{host}:{port}/", insecure=True, certificate=shown)])
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert "exit code 58" in outcome.error


@both
def test_no_curl_in_the_container(parallel: bool, tmp_path: Path) -> None:
    outcomes = execute([request(0), request(1)], parallel=parallel, path=str(tmp_path))
    assert {o.kind for o in outcomes} == {OutcomeKind.INFRASTRUCTURE}


LIKE_A_USERS = {"ordinary": True, "user_agent": "", "headers": (("x-a", "b"),)}


@real
@both
def test_an_ordinary_request_is_one_of_curls_own(server: str, parallel: bool) -> None:
    batch = [
        request(0, f"{server}/echo", headers=(("x-a", "b"),)),
        request(1, f"{server}/echo", local_port=41_000, **LIKE_A_USERS),
        request(2, f"{server}/echo", headers=(("x-a", "b"),)),
        request(3, f"{server}/echo", local_port=42_000, **LIKE_A_USERS),
    ]
    marked, user, _, second = execute(batch, parallel=parallel)
    assert "User-Agent: meshproof/X mp-r1-0" in marked.body
    assert re.search(r"Connection: close.*x-request-id: mp-r1-0.*x-a: b", marked.body, re.DOTALL)
    assert re.search(r"User-Agent: curl/[\d.]+\S*\r\nAccept: \*/\*\r\nx-a: b\r\nx-request-id: mp-r1-1\r\n", user.body)
    assert "Connection" not in user.body
    assert "meshproof" not in user.body
    assert int(user.local_address.rpartition(":")[2]) in range(41_000, 41_016)
    assert int(second.local_address.rpartition(":")[2]) in range(42_000, 42_016)


@real
def test_connections_that_ordinary_requests_leave_open_are_not_used_again(server: str) -> None:
    """`/kept` keeps its connection open: a request on an old one would be an infrastructure outcome."""

    def one(number: int) -> Request:
        if number % 3 == 1:
            return request(number, f"{server}/kept", local_port=43_000 + 100 * number, **LIKE_A_USERS)
        return request(number, f"{server}/ok")

    batch = [one(number) for number in range(12)]
    outcomes = execute(batch)
    assert [outcome.summary for outcome in outcomes] == ["200"] * 12
    assert [outcome.request_id for outcome in outcomes] == [f"mp-r1-{number}" for number in range(12)]
    assert len({outcome.local_address for outcome in outcomes}) == 12


@real
def test_a_port_that_is_taken_is_passed_over(server: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        [outcome] = execute([request(0, f"{server}/ok", local_port=port, **LIKE_A_USERS)])
    assert outcome.summary == "200"
    assert int(outcome.local_address.rpartition(":")[2]) in range(port + 1, port + 16)
