"""The client outside and the program curl, side by side: a server that misbehaves must look the same to both.

The program runs as it does in a pod: by the shell text of `clients.probe.curl`; `clients.probe.curl_output` reads what
it writes. gRPC calls are sent by the command that the evidence shows.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import faulty_servers as faulty
import pytest
from faulty_servers import (
    HOST,
    Behaviour,
    LoopbackAuthority,
    Where,
    says,
    says_and_hangs,
    says_and_resets,
    speaks_http2,
)
from h2.connection import H2Connection

from clients.model.outcome import Outcome
from clients.probe import curl, curl_output, outside
from clients.probe.request import Request

pytestmark = [pytest.mark.unit, pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")]

OURS, OTHERS = LoopbackAuthority(), LoopbackAuthority()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG_LINE = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 110_000 + b"\r\nContent-Length: 0\r\n\r\n"
LONG_HEAD = b"HTTP/1.1 200 OK\r\n" + b"X-Many: %s\r\n" % (b"x" * 1000) * 310 + b"Content-Length: 0\r\n\r\n"
NO_SUCH_NAME = "x" * 64 + ".invalid"
"""A label of over 63 characters (RFC 1035, section 2.3.4): no name server is asked for it."""


@dataclass(frozen=True)
class SeenOutcome:
    """What must be seen of a server that behaves so: by us, and by the program.

    Attributes:
        outcome: as `Outcome.summary` has it.
        program: where curl 7.88 sees something else than libcurl 8.23; of a call, a pattern of its exit codes.
        why: the reason for that.
    """

    server: AbstractContextManager[Where] | Behaviour
    outcome: str
    scheme: str = "http"
    timeout_s: float = 4.0
    connect_timeout_s: float = 4.0
    program: str = ""
    why: str = ""

    @contextmanager
    def serving(self) -> Iterator[Where]:
        """The server, for two connections."""
        with (
            self.server if isinstance(self.server, AbstractContextManager) else faulty.serving(self.server, 2) as where
        ):
            yield where

    @property
    def request(self) -> Request:
        agent, times = "meshproof/X mp-r1-1", (self.timeout_s, self.connect_timeout_s)
        if self.scheme.startswith("grpc"):
            return Request("POST", f"{self.scheme}://{HOST}/shop.Cart/Get", (), "mp-r1-1", agent, *times)
        return Request("GET", f"{self.scheme}://{HOST}/ip", (), "mp-r1-1", agent, *times)


def hello_unanswered(peer: socket.socket) -> None:
    peer.recv(65536)
    time.sleep(0.6)


def hello_answered_by(answer: bytes) -> Behaviour:
    def behave(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(answer)

    return behave


@contextmanager
def nowhere() -> Iterator[Where]:
    yield NO_SUCH_NAME, 80


HTTP = {
    "no HTTP: an alert of TLS": SeenOutcome(says(TLS_ALERT), "000 not_http (1)"),
    "no HTTP: a banner": SeenOutcome(says(b"SSH-2.0-OpenSSH_9.2\r\n"), "000 not_http (1)"),
    "a version that is none": SeenOutcome(says(b"HTTP/9.9 200 OK\r\n\r\n"), "000 not_http (1)"),
    "reset before the request is read": SeenOutcome(faulty.resets_before_reading, "000 reset (56)"),
    "reset after the request": SeenOutcome(says_and_resets(b""), "000 reset (56)"),
    "reset in the head": SeenOutcome(says_and_resets(b"HTTP/1.1 200 OK\r\nX: "), "200 reset (56)"),
    "reset in the body": SeenOutcome(says_and_resets(OK.replace(b": 2", b": 99")), "200 reset (56)"),
    "closed without an answer": SeenOutcome(faulty.closes, "000 empty_reply (52)"),
    "short body": SeenOutcome(says(OK.replace(b": 2", b": 99")), "200 partial (18)"),
    "chunk cut short": SeenOutcome(says(CHUNKED + b"5\r\nab"), "200 partial (18)"),
    "chunk of no length": SeenOutcome(says(CHUNKED + b"zz\r\nab\r\n0\r\n\r\n"), "200 reset (56)"),
    "header without a colon": SeenOutcome(says(OK.replace(b"Content", b"no colon\r\nContent")), "200 other (8)"),
    "length that is none": SeenOutcome(says(OK.replace(b": 2", b": -2")), "200 other (8)"),
    "two lengths": SeenOutcome(
        says(OK.replace(b": 2", b": 2\r\nContent-Length: 3")),
        "200 other (8)",
        program="200 partial (18)",
        why="7.88 takes the last of several lengths; newer ones refuse them (RFC 9112, section 6.3)",
    ),
    "too long a head": SeenOutcome(says(LONG_HEAD), "200 reset (56)"),
    "too long a header": SeenOutcome(
        says(LONG_LINE),
        "200 other (100)",
        program="infrastructure: curl could not try: Out of memory (exit code 27)",
        why="7.88 has no exit code of its own for it; CURLE_TOO_LARGE came with 8.6",
    ),
    "huge body, announced": SeenOutcome(says(OK.replace(b": 2", b": 2000000")), "200"),
    "refused": SeenOutcome(faulty.refusing(), "000 refused (7)"),
    "no connection in time": SeenOutcome(faulty.deaf(), "000 connect_timeout (28)", connect_timeout_s=0.3),
    "no first byte in time": SeenOutcome(says_and_hangs(b""), "000 answer_timeout (28)", timeout_s=0.3),
    "no end of the body in time": SeenOutcome(
        says_and_hangs(OK.replace(b": 2", b": 99")), "200 answer_timeout (28)", timeout_s=1.0
    ),
    "no such name": SeenOutcome(nowhere(), "000 dns (6)"),
    "good, by TLS": SeenOutcome(OURS.over_tls(says(OK)), "200", "https"),
    "plain HTTP on a port of TLS": SeenOutcome(hello_answered_by(OK), "000 tls_error (35)", "https"),
    "alert in the handshake": SeenOutcome(hello_answered_by(TLS_ALERT), "000 tls_error (35)", "https"),
    "reset in the handshake": SeenOutcome(faulty.resets_before_reading, "000 tls_error (35)", "https"),
    "no handshake in time": SeenOutcome(hello_unanswered, "000 tls_timeout (28)", "https", connect_timeout_s=0.3),
    "unknown authority": SeenOutcome(OTHERS.over_tls(says(OK)), "000 certificate (60)", "https"),
    "wrong name": SeenOutcome(OURS.over_tls(says(OK), "other.example.com"), "000 certificate (60)", "https"),
    "expired": SeenOutcome(OURS.over_tls(says(OK), expired=True), "000 certificate (60)", "https"),
    "closed without an answer, by TLS": SeenOutcome(OURS.over_tls(faulty.closes), "000 empty_reply (52)", "https"),
    "TCP closed and TLS not": SeenOutcome(
        OURS.over_tls(faulty.closes, takes_leave=False),
        "000 reset (56)",
        "https",
        program="000 empty_reply (52)",
        why="7.88 accepts the end of TCP as the end of TLS; newer ones do not, as any hop could have caused it",
    ),
}


def ends(code: int, *, with_head: bool = False) -> faulty.Answer:
    def answer(http: H2Connection, stream: int) -> None:
        if with_head:
            http.send_headers(stream, [(":status", "200")])
            http.send_data(stream, b"\0\0")
        http.reset_stream(stream, code)

    return answer


def goes_away(http: H2Connection, stream: int) -> None:
    http.close_connection(error_code=2, last_stream_id=0)


NO_HTTP2 = "7.88 reports how the connection ended, which varies; newer ones report that this is no HTTP/2"
HTTP2 = {
    "stream reset": SeenOutcome(speaks_http2(ends(2)), "000 http2_error (92)", "grpc"),
    "stream cancelled": SeenOutcome(speaks_http2(ends(8)), "000 http2_error (92)", "grpc"),
    "stream reset in the body": SeenOutcome(speaks_http2(ends(2, with_head=True)), "200 http2_error (92)", "grpc"),
    "server goes away": SeenOutcome(
        speaks_http2(goes_away, then_closes=True),
        "000 http2_error (92)",
        "grpc",
        program="16",
        why="7.88 blames the connection for a GOAWAY; newer ones the stream that it ends",
    ),
    "no answer in time": SeenOutcome(speaks_http2(lambda *_: None), "000 answer_timeout (28)", "grpc", timeout_s=0.3),
    "refused": SeenOutcome(faulty.refusing(), "000 refused (7)", "grpc"),
    "unknown authority": SeenOutcome(OTHERS.over_tls(faulty.closes), "000 certificate (60)", "grpcs"),
    "no HTTP": SeenOutcome(says(TLS_ALERT), "000 http2_error (16)", "grpc", program="18|5[256]", why=NO_HTTP2),
    "HTTP/1.1": SeenOutcome(says(OK), "000 http2_error (16)", "grpc", program="18|5[256]", why=NO_HTTP2),
    "closed without an answer": SeenOutcome(
        speaks_http2(lambda *_: None, then_closes=True),
        "000 http2_error (16)",
        "grpc",
        program="18",
        why="7.88 calls a stream without an end a short body, also where no head came",
    ),
}


def by_program(asked: Request, where: Where, roots: Path) -> Outcome:
    """What a pod would report."""
    asked, sentinel = replace(asked, connect_to=f"{where[0]}:{where[1]}"), curl.new_sentinel()
    trusting = {**os.environ, "CURL_CA_BUNDLE": str(roots)}
    script = curl.script([asked], sentinel).encode()
    ran = subprocess.run(["sh"], input=script, env=trusting, capture_output=True)
    [outcome] = curl_output.parse(ran.stdout.decode(errors="replace"), [asked], sentinel)  # with every CR
    return outcome


def code_by_command(asked: Request, where: Where, roots: Path) -> int:
    """Exit code of the command that the evidence shows, sent to this server."""
    options = f"-sS --cacert {roots} --connect-to ::{where[0]}:{where[1]} -m {asked.timeout_s}"
    text = outside.command(asked).replace("curl -i", f"curl {options} -i", 1)
    return subprocess.run(["sh", "-c", text], capture_output=True).returncode


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    file = tmp_path / "roots.pem"
    file.write_text(OURS.roots)
    return file


@pytest.mark.parametrize("seen", HTTP.values(), ids=HTTP)
def test_an_outcome_is_that_of_the_program(seen: SeenOutcome, roots: Path) -> None:
    with seen.serving() as where:
        [ours] = outside.send([seen.request], where, roots=OURS.roots)
        theirs = by_program(seen.request, where, roots)
    assert ours.summary == seen.outcome
    assert theirs.summary == (seen.program or seen.outcome)
    if not seen.program:
        assert (ours.exit_code, ours.kind, ours.status) == (theirs.exit_code, theirs.kind, theirs.status)
        assert (ours.headers, ours.body) == (theirs.headers, theirs.body)


@pytest.mark.parametrize("seen", HTTP2.values(), ids=HTTP2)
def test_a_call_fails_as_by_its_command(seen: SeenOutcome, roots: Path) -> None:
    with seen.serving() as where:
        [ours] = outside.send([seen.request], where, roots=OURS.roots)
        theirs = code_by_command(seen.request, where, roots)
    assert ours.summary == seen.outcome
    assert re.fullmatch(seen.program or str(ours.exit_code), str(theirs))


def test_every_deviation_has_its_reason() -> None:
    assert all(bool(seen.program) == bool(seen.why) for seen in (*HTTP.values(), *HTTP2.values()))


BODIES = ['{"a": "b\\c"}\n', "tab\tand\r\nlines", "@file", "é"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get", "head", "post", "put", "delete", "Purge"]
NO_ROOTS = Path(os.devnull)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", ["POST", "GET", "delete"])
def test_a_body_arrives_as_written(method: str, body: str) -> None:
    arrived: list[bytes] = []

    def keeps(peer: socket.socket) -> None:
        head, _, rest = faulty.request_of(peer).partition(b"\r\n\r\n")
        [length] = re.findall(rb"Content-Length: (\d+)", head)
        while len(rest) < int(length):
            rest += peer.recv(65536)
        arrived.append(head.split(b" ")[0] + b" " + rest)
        peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    asked = Request(method, f"http://{HOST}/ip", (), "mp-r1-1", "meshproof/X", body=body)
    with faulty.serving(keeps, 2) as where:
        [ours] = outside.send([asked], where)
        theirs = by_program(asked, where, NO_ROOTS)
    assert (ours.status, theirs.status) == (204, 204)
    assert arrived == [f"{method} {body}".encode()] * 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_http2_carries_the_method_as_written(method: str, scheme: str, roots: Path) -> None:
    def answer(http: H2Connection, stream: int) -> None:
        http.send_headers(stream, [(":status", "204")], end_stream=True)

    carried: list[str] = []
    behaviour = speaks_http2(answer, methods=carried)
    asked = Request(method, f"{scheme}://{HOST}/ip", (), "mp-r1-1", "meshproof/X mp-r1-1", http2=True)
    with faulty.serving(OURS.over_tls(behaviour, alpn=("h2",)) if scheme == "https" else behaviour, 2) as where:
        [ours] = outside.send([asked], where, roots=OURS.roots)
        theirs = by_program(asked, where, roots)
    assert (ours.summary, ours.protocol) == (theirs.summary, theirs.protocol) == ("204", "HTTP/2")
    assert carried == [method] * 2


def test_a_server_of_http1_alone_gives_no_answer_of_http2(roots: Path) -> None:
    asked = Request("GET", f"https://{HOST}/ip", (), "mp-r1-1", "meshproof/X", http2=True)
    with faulty.serving(OURS.over_tls(says(OK), alpn=("http/1.1",)), 2) as where:
        [ours] = outside.send([asked], where, roots=OURS.roots)
        theirs = by_program(asked, where, roots)
    assert "200" not in {ours.summary, theirs.summary}


RAW = {
    "bytes, then the end": (says(b"PONG\r\n"), "received 6 bytes"),
    "bytes, and the connection stays": (says_and_hangs(b"PONG\r\n"), "received 6 bytes"),
    "the end alone": (faulty.closes, "000 closed (0)"),
    "a reset": (says_and_resets(b""), "000 reset (56)"),
    "nothing": (says_and_hangs(b""), "000 answer_timeout (28)"),
}


@pytest.mark.parametrize(("behaviour", "summary"), RAW.values(), ids=RAW)
def test_raw_bytes_are_sent_and_received(behaviour: Behaviour, summary: str) -> None:
    asked = Request("GET", f"tcp://{HOST}:9000", (), "mp-r1-1", "meshproof/X", 0.4, 0.4, body='PING "%"\r\n\r\n')
    with faulty.serving(behaviour, 2) as where:
        [ours] = outside.send([asked], where)
        theirs = by_program(asked, where, NO_ROOTS)
    assert (ours.summary, theirs.summary) == (summary, summary)
    assert ours.body == theirs.body == ("PONG\r\n" if "bytes" in summary else "")


def test_raw_bytes_arrive_as_written() -> None:
    arrived: list[bytes] = []
    asked = Request("GET", f"tcp://{HOST}:9000", (), "mp-r1-1", "meshproof/X", body='PING "%" é\r\n\r\n')
    with faulty.serving(lambda peer: arrived.append(faulty.request_of(peer)), 2) as where:
        outside.send([asked], where)
        by_program(asked, where, NO_ROOTS)
    assert arrived == [asked.body.encode()] * 2


@pytest.mark.parametrize(
    ("answers", "summary"),
    [((b"\0\3\0\1PONG",), "received 4 bytes"), ((), "000 answer_timeout (28)"), ((b"\0\5\0\1no\0",), "000 other (68)")],
)
def test_a_datagram_is_answered_or_not(answers: tuple[bytes, ...], summary: str) -> None:
    asked = Request("GET", f"udp://{HOST}:443", (), "mp-r1-1", "meshproof/X", 1.5, 1.5)
    with faulty.datagrams(*answers) as (where, arrived):
        outcome = by_program(asked, where, NO_ROOTS)
    assert outcome.summary == summary
    assert outcome.body == ("PONG" if "received" in summary else "")
    assert {one for one in arrived if one[:2] == b"\0\1"} == {b"\0\1mp-r1-1\0octet\0"}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_sent_is_what_the_program_sends(method: str, roots: Path) -> None:
    sent: list[bytes] = []

    def keeps(peer: socket.socket) -> None:
        sent.append(faulty.request_of(peer))
        peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    headers = (
        ("Authorization", "Bearer a.b.c"),
        ("X-Twice", "a"),
        ("X-Twice", "b"),
        ("X-Empty", ""),
        ("Accept", "text/html"),
    )
    asked = Request(method, f"http://{HOST}:8080/a/../b%2E%2E?q=%7E", headers, "mp-r1-1", "meshproof/X mp-r1-1")
    with faulty.serving(keeps, 2) as where:
        [ours] = outside.send([asked], where)
        theirs = by_program(asked, where, roots)
    assert (ours.status, theirs.status) == (204, 204)
    mine, its = ([line for line in one.split(b"\r\n") if line != b"Connection: close"] for one in sent)
    assert mine == its
    assert all(b"\r\nConnection: close\r\n" in one for one in sent)  # 7.88 sends it elsewhere than newer ones


def test_addresses_and_certificates_are_those_of_the_program(roots: Path) -> None:
    with faulty.serving(OURS.over_tls(says(OK)), 2) as where:
        asked = Request("GET", f"https://{HOST}/ip", (), "mp-r1-1", "meshproof/X mp-r1-1")
        [ours], theirs = outside.send([asked], where, roots=OURS.roots), by_program(asked, where, roots)
    assert ours.remote_address == theirs.remote_address == f"{where[0]}:{where[1]}"
    assert re.fullmatch(r"127\.0\.0\.1:\d+", ours.local_address)
    pems, same = (
        re.findall(r"^-----BEGIN.*?END CERTIFICATE-----$", o.certificates, re.S | re.M) for o in (ours, theirs)
    )
    assert pems == same
    assert len(pems) == 1
