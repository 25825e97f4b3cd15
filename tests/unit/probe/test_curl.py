"""The framing of a batch: by made-up output, and by the real curl and sh against a server on loopback."""

from __future__ import annotations

import contextlib
import json
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

from clients.model import expect
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe import curl, curl_output
from clients.probe.answer import MAX_BODY_BYTES
from clients.probe.request import Request

pytestmark = pytest.mark.unit

S = "mpfeed"
NO_SUCH_NAME = "x" * 64 + ".invalid"
"""A label of over 63 characters (RFC 1035, section 2.3.4): no name server is asked for it."""


def request(number: int = 0, url: str = "http://h/", **changes: object) -> Request:
    values: dict[str, object] = {
        "method": "GET",
        "url": url,
        "headers": (),
        "request_id": f"mp-r1-{number}",
        "user_agent": f"meshproof/X mp-r1-{number}",
        "timeout_s": 0.4 if url.endswith("/slow") else 10.0,  # a busy machine must not look like a timeout
        "connect_timeout_s": 10.0,
    }
    return Request(**{**values, **changes})  # type: ignore[arg-type]


def frame(index: int, **changes: object) -> str:
    info = {"exitcode": 0, "http_code": 200, "num_connects": 1, "errormsg": None, "remote_ip": "10.0.0.1"}
    return f"\n{S} {index} {json.dumps({**info, 'remote_port': 80, 'time_total': 0.01, **changes})}\n"


OK = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello\n"
BEGIN, END = f"\n{S} begin -\n", f"\n{S} end 0\n"


def parse_one(output: str, asked: Request | None = None) -> Outcome:
    (outcome,) = curl_output.parse(output, [asked or request()], S)
    return outcome


def test_a_response_with_headers_and_body() -> None:
    outcome = parse_one(f"{BEGIN}{OK}{frame(0)}{END}")
    assert outcome == Outcome(
        OutcomeKind.STATUS, "mp-r1-0", 200, 0, "", "hello\n", {"server": ("x",)}, "10.0.0.1:80", total_s=0.01
    )


def test_output_before_the_batch_is_not_its_body() -> None:
    assert parse_one(f"left over\n{BEGIN}{OK}{frame(0)}{END}").body == "hello\n"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (6, OutcomeKind.DNS),
        (7, OutcomeKind.REFUSED),
        (35, OutcomeKind.TLS_ERROR),
        (52, OutcomeKind.EMPTY_REPLY),
        (56, OutcomeKind.RESET),
        (60, OutcomeKind.CERTIFICATE),
        (1, OutcomeKind.NOT_HTTP),
        (18, OutcomeKind.PARTIAL),
        (55, OutcomeKind.SEND_ERROR),
        (92, OutcomeKind.HTTP2_ERROR),
    ],
)
def test_failures_by_exit_code(code: int, kind: OutcomeKind) -> None:
    outcome = parse_one(BEGIN + frame(0, exitcode=code, http_code=0, errormsg="why") + END)
    assert (outcome.kind, outcome.status, outcome.exit_code, outcome.error) == (kind, None, code, "why")


@pytest.mark.parametrize("code", [2, 3, 23, 27, 43, 48])
def test_what_curl_could_not_try_is_infrastructure(code: int) -> None:
    outcome = parse_one(BEGIN + frame(0, exitcode=code, http_code=0, errormsg="bad") + END)
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert f"exit code {code}" in outcome.error


@pytest.mark.parametrize(
    "changes", [{}, {"exitcode": 56, "http_code": 0}, {"exitcode": 52, "http_code": 0}, {"exitcode": 18}]
)
def test_an_old_connection_is_infrastructure(changes: dict[str, object]) -> None:
    outcome = parse_one(f"{BEGIN}{OK}{frame(0, num_connects=0, **changes)}{END}")
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert "old connection" in outcome.error


@pytest.mark.parametrize("code", [6, 7, 28])
def test_without_a_connection_there_is_no_old_one(code: int) -> None:
    outcome = parse_one(BEGIN + frame(0, num_connects=0, exitcode=code, http_code=0, remote_ip="") + END)
    assert outcome.exit_code == code
    assert outcome.remote_address == ""


def test_a_reset_after_the_status_line_keeps_both() -> None:
    outcome = parse_one(f"{BEGIN}{OK}{frame(0, exitcode=56)}{END}")
    assert (outcome.kind, outcome.status) == (OutcomeKind.RESET, 200)


def test_a_body_that_is_too_long_for_curl_still_has_its_status() -> None:
    outcome = parse_one(f"{BEGIN}HTTP/1.1 200 OK\r\n\r\n{frame(0, exitcode=63)}{END}")
    assert (outcome.kind, outcome.status) == (OutcomeKind.STATUS, 200)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("", "lost"),
        (BEGIN, "lost"),
        (f"{BEGIN}{OK}", "lost"),
        (f"{BEGIN}{OK}{frame(0)[:-20]}", "lost"),
        (f"{BEGIN}\n{S} end 127\n", "exit code 127"),
        (f"{BEGIN}\n{S} 0 {{}}\n{END}", "unreadable"),
        (f"{BEGIN}\n{S} 0 broken\n{END}", "unreadable"),
        (f"{BEGIN}\n{S} 0 [1]\n{END}", "unreadable"),
    ],
)
def test_lost_output_is_infrastructure(output: str, why: str) -> None:
    outcome = parse_one(output)
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert why in outcome.error
    assert outcome.request_id == "mp-r1-0"


def test_only_the_lost_answer_of_a_batch_is_lost() -> None:
    batch = [request(0), request(1), request(2)]
    outcomes = curl_output.parse(
        f"{BEGIN}{OK}{frame(0)}HTTP/1.1 200 OK\r\n\r\ntorn\n{S} done 137\n{OK}{frame(2)}{END}", batch, S
    )
    assert [o.summary.split(":")[0] for o in outcomes] == ["200", "infrastructure", "200"]
    assert [o.request_id for o in outcomes] == ["mp-r1-0", "mp-r1-1", "mp-r1-2"]
    assert outcomes[2].body == "hello\n"


def test_frames_that_a_server_sends_do_not_count() -> None:
    body = '\nmpother 0 {"exitcode": 0, "http_code": 500}\n'
    outcome = parse_one(f"{BEGIN}HTTP/1.1 200 OK\r\n\r\n{body}{frame(0)}{END}")
    assert (outcome.status, outcome.body) == (200, body)


def test_frames_may_come_in_any_order() -> None:
    outcomes = curl_output.parse(
        f"{BEGIN}{OK}{frame(1, http_code=500)}{OK}{frame(0)}{END}", [request(0), request(1)], S
    )
    assert [o.status for o in outcomes] == [200, 500]


def test_the_body_is_cut() -> None:
    long = parse_one(f"{BEGIN}HTTP/1.1 200 OK\r\n\r\n{'é' * 20_000}{frame(0)}{END}")
    assert len(long.body.encode()) == MAX_BODY_BYTES


def test_interim_responses_and_repeated_headers() -> None:
    head = (
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nVary: A\r\nX: 1\r\nvary: B\r\nX-Empty:\r\n\r\n"
    )
    outcome = parse_one(f"{BEGIN}{head}HTTP/1.1 100 no header\r\n\r\n{frame(0)}{END}")
    assert outcome.headers == {"vary": ("A", "B"), "x": ("1",), "x-empty": ("",)}
    assert outcome.body == "HTTP/1.1 100 no header\r\n\r\n"


def test_ipv6_addresses_are_bracketed() -> None:
    assert parse_one(f"{BEGIN}{OK}{frame(0, remote_ip='::1')}{END}").remote_address == "[::1]:80"


def test_finished_needs_the_whole_last_line() -> None:
    output = f"{BEGIN}{OK}{frame(0)}{END}"
    assert curl_output.finished(output, S)
    assert not any(curl_output.finished(output[:end], S) for end in range(len(output)))


@pytest.mark.parametrize("where", ["url", "user_agent", "request_id"])
def test_control_characters_are_refused(where: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        curl.config([request(**{where: 'a\nurl = "http://evil/"'})], S)
    with pytest.raises(ValueError, match="control character"):
        curl.config([request(headers=(("a", "b\r\nX: y"),))], S)


def test_secrets_are_in_no_argument() -> None:
    text = curl.script([request(headers=(("Authorization", "Bearer abc"),))], S)
    arguments = [line for line in text.splitlines() if line.startswith("curl ")]
    assert arguments == [f"curl --disable --config - <<'{S}_EOF'"]


def test_the_command_can_be_repeated() -> None:
    asked = request(headers=(("Authorization", "Bearer a b"), ("X-Empty", "")), method="POST")
    assert curl.command(asked) == (
        "curl -i -X POST -d '' -H 'Authorization: Bearer a b' -H 'X-Empty;' -H 'x-request-id: mp-r1-0' http://h/"
    )
    assert curl.command(request(method="HEAD")).startswith("curl -i -I -H")


def test_sentinels_differ() -> None:
    assert len({curl.new_sentinel() for _ in range(100)}) == 100


# From here on: the real curl and sh.

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


class Server:
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
def running() -> Iterator[Server]:
    made = Server()
    yield made
    made.socket.close()


@pytest.fixture(scope="module")
def server(running: Server) -> str:
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
def test_parallel_probes_time_out_together(running: Server) -> None:
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


@both
def test_no_curl_in_the_container(parallel: bool, tmp_path: Path) -> None:
    outcomes = execute([request(0), request(1)], parallel=parallel, path=str(tmp_path))
    assert {o.kind for o in outcomes} == {OutcomeKind.INFRASTRUCTURE}


CONNECTED = {"time_namelookup": 0.001, "time_connect": 0.002}


@pytest.mark.parametrize(
    ("info", "url", "kind"),
    [
        pytest.param({}, "http://a.b/", OutcomeKind.DNS, id="no name was resolved"),
        pytest.param(
            {"errormsg": "Resolving timed out after 2000 milliseconds", "time_namelookup": 2.0},
            "http://a.b/",
            OutcomeKind.DNS,
            id="curl says so",
        ),
        pytest.param({"time_namelookup": 0.001}, "http://a.b/", OutcomeKind.CONNECT_TIMEOUT, id="no connection"),
        pytest.param({"time_namelookup": 0.001}, "https://a.b/", OutcomeKind.CONNECT_TIMEOUT, id="none for TLS"),
        pytest.param(CONNECTED, "https://a.b/", OutcomeKind.TLS_TIMEOUT, id="no handshake"),
        pytest.param(
            {"time_namelookup": 0.001, "remote_ip": "10.0.0.1", "num_connects": 1},
            "https://a.b/",
            OutcomeKind.TLS_TIMEOUT,
            id="no handshake, as 7.88 reports it",
        ),
        pytest.param(CONNECTED, "http://a.b/", OutcomeKind.ANSWER_TIMEOUT, id="no answer"),
        pytest.param(
            {**CONNECTED, "time_appconnect": 0.003}, "https://a.b/", OutcomeKind.ANSWER_TIMEOUT, id="none after TLS"
        ),
    ],
)
def test_a_timeout_has_the_kind_of_its_phase(info: dict[str, object], url: str, kind: OutcomeKind) -> None:
    nothing = {"exitcode": 28, "http_code": 0, "num_connects": 0, "remote_ip": ""}
    outcome = parse_one(BEGIN + frame(0, **{**nothing, **info}) + END, request(url=url))
    assert (outcome.kind, outcome.exit_code) == (kind, 28)


def test_a_name_that_is_not_resolved_in_time_is_never_a_timeout_of_the_network() -> None:
    info = {"exitcode": 28, "http_code": 0, "num_connects": 0, "errormsg": "Resolving timed out after 750 milliseconds"}
    outcome = parse_one(BEGIN + frame(0, **info, remote_ip="") + END)
    assert outcome.summary == "000 dns (28)"
    assert expect.no_reply(OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.REFUSED).problem(outcome)
    assert expect.no_reply(OutcomeKind.DNS).problem(outcome) is None


def test_an_answer_of_another_version_is_an_error_of_http2() -> None:
    output = f"{BEGIN}{OK}{frame(0, http_version='1.1')}{END}"
    assert parse_one(output, request(http2=True)).summary == "200 http2_error (0)"
    assert parse_one(output).summary == "200"
    good = parse_one(output.replace('"1.1"', '"2"'), request(http2=True))
    assert (good.summary, good.protocol) == ("200", "HTTP/2")


def test_each_request_of_http2_has_a_process_of_its_own() -> None:
    batch = [request(n, http2=n in {1, 2}) for n in range(5)]
    script = curl.script(batch, S)
    assert script.count("curl --disable") == 4  # 0 | 1 | 2 | 3 and 4
    assert script.count("http2-prior-knowledge\n") == 2
    assert script.count("Connection: close") == 3
    assert "http2\n" in curl.script([request(url="https://a.b/", http2=True)], S)


def test_raw_bytes_must_end_as_curl_ends_them() -> None:
    with pytest.raises(ValueError, match="CRLF"):
        curl.check([request(url="tcp://a.b:9000", body="PING\n")])
    config = curl.config([request(url="tcp://a.b:9000", body="GET / %HTTP\r\n\r\n")], S)
    assert 'url = "gopher://a.b:9000/_GET%20%2F%20%25HTTP%0D%0A"' in config


def test_the_command_repeats_version_method_and_body() -> None:
    command = curl.command(request(method="post", http2=True, body='{"a": 1}'))
    assert " -X post --http2-prior-knowledge --data-raw '{\"a\": 1}' " in command
    raw = curl.command(request(url="tcp://a.b:9000", body="PING\r\n"))
    assert raw == r"printf %b 'PING\r\n' | nc a.b 9000"


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
