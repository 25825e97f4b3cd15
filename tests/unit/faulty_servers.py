"""Servers on loopback that take one connection and misbehave on it in one way."""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

Where = tuple[str, int]
Behaviour = Callable[[socket.socket], None]
Answer = Callable[[H2Connection, int], None]

HOST = "shop.example.com"
PATIENCE_S = 5.0
"""A server gives up after this long: a client that never comes must not hang a test."""


@contextmanager
def serving(behaviour: Behaviour, times: int = 1) -> Iterator[Where]:
    """A server that behaves so to each of its connections, of which it takes as many as stated."""

    def serve() -> None:
        for _ in range(times):
            peer, _ = listening.accept()
            peer.settimeout(PATIENCE_S)
            with peer, suppress(OSError, ProtocolError):
                behaviour(peer)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):  # what is left unread would make the system send a RST
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "127.0.0.1", listening.getsockname()[1]
        thread.join(PATIENCE_S)


@contextmanager
def datagrams(*answers: bytes) -> Iterator[tuple[Where, list[bytes]]]:
    """A server by UDP that gives these answers to the datagrams that come, in turn; its address, and what came."""
    arrived: list[bytes] = []

    def serve() -> None:
        left = list(answers)
        with suppress(OSError):  # closed
            while True:
                data, peer = listening.recvfrom(65536)
                arrived.append(data)
                if left:
                    listening.sendto(left.pop(0), peer)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(PATIENCE_S)
        threading.Thread(target=serve, daemon=True).start()
        yield ("127.0.0.1", listening.getsockname()[1]), arrived


@contextmanager
def refusing() -> Iterator[Where]:
    """A port at which nothing listens, and which the system gives to nothing else meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "127.0.0.1", bound.getsockname()[1]


@contextmanager
def deaf() -> Iterator[Where]:
    """A port that does not answer to a SYN: its queue of connections is full, and nothing takes them."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        time.sleep(0.05)
        yield "127.0.0.1", listening.getsockname()[1]
        for one in waiting:
            one.close()


def says(answer: bytes) -> Behaviour:
    """Takes the request, answers with these bytes, and closes in good order."""

    def behave(peer: socket.socket) -> None:
        request_of(peer)
        peer.sendall(answer)

    return behave


def says_and_resets(answer: bytes) -> Behaviour:
    """Takes the request, answers with these bytes, and ends the connection by a RST once they have been read."""

    def behave(peer: socket.socket) -> None:
        request_of(peer)
        peer.sendall(answer)
        time.sleep(0.1)  # a RST discards what the client has not read yet
        resets(peer)

    return behave


def says_and_hangs(answer: bytes) -> Behaviour:
    """Takes the request, answers with these bytes, and then waits for the client to go."""

    def behave(peer: socket.socket) -> None:
        request_of(peer)
        peer.sendall(answer)
        while peer.recv(65536):
            pass

    return behave


def request_of(peer: socket.socket) -> bytes:
    """The head of a request, as it came."""
    received = b""
    while b"\r\n\r\n" not in received and (data := peer.recv(65536)):
        received += data
    return received


def resets(peer: socket.socket) -> None:
    """Ends the connection by a RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def resets_before_reading(peer: socket.socket) -> None:
    """Leaves the request unread, which makes the system end the connection by a RST."""
    peer.recv(1, socket.MSG_PEEK)
    resets(peer)


def closes(peer: socket.socket) -> None:
    """Takes the request and closes in good order, without an answer."""
    request_of(peer)


def speaks_http2(answer: Answer, *, then_closes: bool = False, methods: list[str] | None = None) -> Behaviour:
    """Speaks HTTP/2 and answers a request so; it closes then, or waits for the client to go.

    Args:
        answer: what it sends.
        then_closes: it closes after the answer.
        methods: gets those of the requests, as they came.
    """

    def behave(peer: socket.socket) -> None:
        http, over = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8")), False
        http.initiate_connection()
        peer.sendall(http.data_to_send())
        while not (over and then_closes) and (data := peer.recv(65536)):
            for event in http.receive_data(data):
                if isinstance(event, RequestReceived) and methods is not None:
                    methods.append(str(dict(event.headers or ())[":method"]))  # type: ignore[call-overload]
                if isinstance(event, StreamEnded):
                    answer(http, event.stream_id or 0)
                    over = True
            peer.sendall(http.data_to_send())

    return behave


class LoopbackAuthority:
    """An authority and the certificates of a server."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.roots = self._authority.cert_pem.bytes().decode()

    def over_tls(
        self,
        behaviour: Behaviour,
        name: str = HOST,
        *,
        expired: bool = False,
        alpn: tuple[str, ...] = (),
        takes_leave: bool = True,
        clients_of: str = "",
        shown: Callable[[bytes | None], object] = lambda _: None,
        newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> Behaviour:
        """The same over TLS, with a certificate of this name; at the end TLS is closed before TCP is, or not.

        Clients must have a certificate of the authority `clients_of`, where it is given; `shown` gets each one.
        """
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        leaf = self._authority.issue_cert(
            name, not_after=past if expired else None, not_before=past - datetime.timedelta(days=1)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        if newest < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version = context.maximum_version = newest
        if clients_of:
            context.load_verify_locations(cadata=clients_of)
            context.verify_mode = ssl.CERT_REQUIRED
        if alpn:
            context.set_alpn_protocols(list(alpn))

        def behave(peer: socket.socket) -> None:
            with context.wrap_socket(peer, server_side=True) as encrypted:
                shown(encrypted.getpeercert(binary_form=True))
                behaviour(encrypted)
                if takes_leave:
                    encrypted.unwrap()

        return behave
