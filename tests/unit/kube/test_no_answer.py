"""No answer came from an API server: the cause in a user's words, the same for every request."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError, ProtocolError

from clients.kube import no_answer

pytestmark = pytest.mark.unit


def error_of(address: str, **settings: object) -> HTTPError:
    """What the library raises for a request there."""
    timeouts = urllib3.Timeout(connect=0.5, read=0.2)
    with urllib3.PoolManager(**settings) as pool, pytest.raises(HTTPError) as caught:
        pool.request("GET", f"{address}/api/v1/namespaces/shop", timeout=timeouts, retries=1)
    return caught.value


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def another_cluster(listener: socket.socket) -> int:
    """Port of a server whose certificate no client here trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def serve() -> None:
        for _ in range(2):  # the library tries twice
            connection, _ = listener.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text, hint = no_answer.why(error_of(f"http://127.0.0.1:{port}"))
    assert text == "connection refused"
    assert hint == no_answer.NOT_THERE


def test_a_server_that_is_silent(listener: socket.socket) -> None:
    text, _ = no_answer.why(error_of(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    assert text == "connected, and no answer in time"


def test_another_cluster_answers_there(another_cluster: int) -> None:
    text, hint = no_answer.why(error_of(f"https://127.0.0.1:{another_cluster}", ca_certs=ssl_file()))
    assert text.startswith("its certificate is not accepted: ")
    assert "another cluster" in hint


def ssl_file() -> str:
    """Authorities that have nothing to do with the server."""
    return ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile


def test_a_proxy_that_is_away() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    proxied = urllib3.ProxyManager(f"http://127.0.0.1:{port}")
    with proxied, pytest.raises(HTTPError) as caught:
        proxied.request("GET", "https://127.0.0.1:9/version", retries=0)
    text, hint = no_answer.why(caught.value)
    assert text == "the proxy before it fails: connection refused"
    assert "HTTPS_PROXY" in hint


@pytest.mark.parametrize(
    ("cause", "due"),
    [
        (NameResolutionError("cluster.example", None, socket.gaierror(-2, "unknown")), "its name cannot be resolved"),  # type: ignore[arg-type]
        (NewConnectionError(None, "no route"), "no route"),  # type: ignore[arg-type]
        (ProtocolError("Connection aborted."), "Connection aborted."),
    ],
    ids=["a name", "a connection", "what has no words of its own"],
)
def test_the_cause_is_what_counts(cause: Exception, due: str) -> None:
    wrapped = MaxRetryError(None, "/api/v1/namespaces/shop", cause)  # type: ignore[arg-type]
    text, hint = no_answer.why(wrapped)
    assert due in text
    assert "/api" not in text
    assert hint
