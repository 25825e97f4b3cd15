"""Forwarded ports: why a connection did not come to the pod is known to whoever reads its end as an answer."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from kubernetes.client import Configuration
from kubernetes.client.exceptions import ApiException
from websockets.frames import Frame, Opcode
from websockets.sync.server import Server, ServerConnection, serve

from clients.kube import forwarded
from clients.kube.pods import Pod
from clients.kube.port_forward import PortForward
from clients.model.addresses import joined

pytestmark = pytest.mark.unit
DOOR = Pod("front", "door-1")
PORT = struct.pack("<H", 8080)
Kubelet = Callable[[ServerConnection], None]


def announces(peer: ServerConnection) -> None:
    """As the kubelet does: the first frame of each channel has the port."""
    peer.send(b"\x00" + PORT)
    peer.send(b"\x01" + PORT)


def says(data: bytes) -> Kubelet:
    """A pod that answers at once and ends; the API server passes on in one piece what the kubelet has sent."""

    def behave(peer: ServerConnection) -> None:
        announces(peer)
        answer, end = Frame(Opcode.BINARY, b"\x00" + data), Frame(Opcode.CLOSE, b"\x03\xe8")
        peer.socket.sendall(answer.serialize(mask=False) + end.serialize(mask=False))
        peer.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.05)

    return behave


def fails(why: str) -> Kubelet:
    """The kubelet cannot reach the pod."""

    def behave(peer: ServerConnection) -> None:
        announces(peer)
        peer.send(b"\x01" + why.encode())

    return behave


def echoes(peer: ServerConnection) -> None:
    announces(peer)
    for message in peer:
        assert isinstance(message, bytes)
        peer.send(message)


def breaks(linger: bytes) -> Kubelet:
    """The API server goes away in the middle, without a close frame."""

    def behave(peer: ServerConnection) -> None:
        announces(peer)
        peer.send(b"\x00HTTP/1.1")
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.socket.shutdown(socket.SHUT_RDWR)
        peer.socket.close()

    return behave


def goes_away(peer: ServerConnection) -> None:
    announces(peer)
    peer.close(1001, "shutting down")


RESET, FIN = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)


@contextmanager
def forwarding(connect: Callable[[], Any]) -> Iterator[PortForward]:
    api = SimpleNamespace(port_forward=lambda *_: connect())
    made = PortForward(SimpleNamespace(api=api), DOOR, 8080)  # type: ignore[arg-type]
    yield made
    made.close()


@contextmanager
def forwarded_by(kubelet: Kubelet) -> Iterator[PortForward]:
    """A port that is forwarded by a real WebSocket, over TLS as on most clusters."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with serve(kubelet, "127.0.0.1", 0, subprotocols=["v4.channel.k8s.io"], ssl=tls) as server:  # type: ignore[list-item]
        assert isinstance(server, Server)
        url = f"https://127.0.0.1:{server.socket.getsockname()[1]}/portforward?ports=8080"
        configuration = Configuration()
        configuration.verify_ssl = False
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with forwarding(lambda: forwarded.opened(configuration, "GET", url, {})) as forward:
            yield forward
    thread.join()


def received(forward: PortForward, sends: bytes = b"") -> tuple[bytes, str]:
    """What a client gets until the end, and the reason that is known then."""
    with socket.create_connection(forward.address, 5) as client:
        own = joined(*client.getsockname()[:2])
        client.sendall(sends)
        got = b"".join(iter(lambda: client.recv(4096), b""))
        return got, forward.failure(own)


def test_what_the_pod_answers_is_carried_and_no_failure() -> None:
    with forwarded_by(says(b"HTTP/1.1 403")) as forward:
        assert received(forward) == (b"HTTP/1.1 403", "")


def test_nothing_that_comes_just_before_the_end_is_lost() -> None:
    with forwarded_by(says(b"HTTP/1.1 403")) as forward:
        assert [received(forward) for _ in range(10)] == [(b"HTTP/1.1 403", "")] * 10


def test_bytes_go_both_ways_until_the_client_has_enough() -> None:
    with forwarded_by(echoes) as forward, socket.create_connection(forward.address, 5) as client:
        for sent in (b"one", b"another"):
            client.sendall(sent)
            assert client.recv(100) == sent


@pytest.mark.parametrize(
    ("reason", "says"),
    [("Handshake status 429 Too Many Requests", "429"), ("token: 0123456789abcdef0123456789", "[redacted]")],
)
def test_what_the_api_server_refuses_is_known_at_the_end(reason: str, says: str) -> None:
    def refuse() -> Any:
        raise ApiException(status=0, reason=reason)

    with forwarding(refuse) as forward:
        got, why = received(forward)
    assert got == b""
    assert why.startswith("port 8080 of front/door-1 is not forwarded: ")
    assert says in why


def test_what_the_kubelet_could_not_reach_is_known_at_the_end() -> None:
    stated = "an error occurred forwarding 8080 -> 8080: network namespace is closed"
    with forwarded_by(fails(stated)) as forward:
        got, why = received(forward)
    assert (got, why) == (b"", f"port 8080 of front/door-1 is not forwarded: {stated}")


@pytest.mark.parametrize(
    ("kubelet", "got", "says"),
    [
        (breaks(RESET), b"HTTP/1.1", "is not forwarded: the connection to the API server broke: "),
        (breaks(FIN), b"HTTP/1.1", "is not forwarded: the connection to the API server broke: "),
        (goes_away, b"", "is not forwarded: the API server closed the connection: 1001 shutting down"),
    ],
    ids=["reset", "end without a close frame", "going away"],
)
def test_a_connection_that_breaks_ends_at_once_and_is_no_end_of_the_pods(
    kubelet: Kubelet, got: bytes, says: str
) -> None:
    """After a reset the client waited for as long as curl may; without a close frame, the end was the gateway's."""
    began = time.monotonic()
    with forwarded_by(kubelet) as forward:
        seen, why = received(forward, b"GET / HTTP/1.1")
    assert got.startswith(seen)
    assert says in why
    assert time.monotonic() - began < 2


def test_a_client_that_goes_away_first_is_no_failure() -> None:
    with forwarded_by(echoes) as forward:
        with socket.create_connection(forward.address, 5) as client:
            own = joined(*client.getsockname()[:2])
            client.sendall(b"one")
            assert client.recv(100) == b"one"
        time.sleep(0.2)
        assert forward.failure(own) == ""
