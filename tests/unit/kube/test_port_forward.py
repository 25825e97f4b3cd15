"""Forwarded ports: why a connection did not come to the pod is known to whoever reads its end as an answer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from clients.kube.pods import Pod
from clients.kube.port_forward import PortForward
from clients.model.addresses import joined

pytestmark = pytest.mark.unit
DOOR = Pod("front", "door-1")


class Forwarded:
    """As the client library's: what it carries, and what the kubelet says on the other channel."""

    def __init__(self, answer: bytes, error: str | None) -> None:
        self._own, self._pods = socket.socketpair()
        self._error = error
        self._pods.sendall(answer)
        self._pods.shutdown(socket.SHUT_WR)

    def socket(self, _: int) -> socket.socket:
        return self._own

    def error(self, _: int) -> str | None:
        return self._error

    def close(self) -> None:
        self._own.close()
        self._pods.close()


@contextmanager
def forwarding(connect: Callable[[], Any]) -> Iterator[PortForward]:
    api = SimpleNamespace(port_forward=lambda *_: connect())
    made = PortForward(SimpleNamespace(api=api), DOOR, 8080)  # type: ignore[arg-type]
    yield made
    made.close()


def received(forward: PortForward) -> tuple[bytes, str]:
    """What a client gets until the end, and the reason that is known then."""
    with socket.create_connection(forward.address, 5) as client:
        own = joined(*client.getsockname()[:2])
        got = b"".join(iter(lambda: client.recv(4096), b""))
        return got, forward.failure(own)


def test_what_the_pod_answers_is_carried_and_no_failure() -> None:
    with forwarding(lambda: Forwarded(b"HTTP/1.1 403", None)) as forward:
        assert received(forward) == (b"HTTP/1.1 403", "")


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
    with forwarding(lambda: Forwarded(b"", stated)) as forward:
        got, why = received(forward)
    assert (got, why) == (b"", f"port 8080 of front/door-1 is not forwarded: {stated}")
