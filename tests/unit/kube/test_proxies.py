"""Requests and websockets go the same way to the API server: through the proxy, with its credentials, or past it."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from clients.kube.api import Api
from clients.kube.kubeconfig import configuration

pytestmark = pytest.mark.unit


class RefusingListener:
    """Accepts connections, keeps the head of what each sends, and answers that this is not allowed."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                self.heads.append(client.recv(4096).decode("latin-1"))
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def proxy() -> Iterator[RefusingListener]:
    made = RefusingListener()
    yield made
    made.close()


@pytest.fixture
def api_server() -> Iterator[RefusingListener]:
    made = RefusingListener()
    yield made
    made.close()


def heads(folder: Path, server: str, proxy: str, by: RefusingListener) -> list[str]:
    """What a request and an exec send to a listener."""
    parts = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **({"proxy-url": proxy} if proxy else {})}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (folder / "config").write_text(json.dumps(parts))
    made = configuration(folder / "config", None)
    made.retries = False
    api = Api(made)
    for send in (lambda: api.json("GET", "/version", ride_out=False), lambda: api.websocket("/exec", [])):
        with pytest.raises(Exception):  # noqa: B017, PT011 - each in words of its own
            send()
    api.close()
    return by.heads


@pytest.mark.parametrize("secret", ["secret", "p@ss:word", "~~??>>~~ÿ"])
def test_both_log_in_to_the_proxy_as_its_url_says(tmp_path: Path, proxy: RefusingListener, secret: str) -> None:
    """Proxies of banks demand it; kubectl takes the credentials from the URL, and the client library took none."""
    url = f"http://me:{quote(secret, safe='')}@127.0.0.1:{proxy.port}"
    seen = heads(tmp_path, "https://api.example.com:6443", url, proxy)
    expected = base64.b64encode(f"me:{secret}".encode()).decode()
    assert len(seen) == 2
    for head in seen:
        assert head.startswith("CONNECT api.example.com:6443 HTTP/1.")
        assert f"proxy-authorization: Basic {expected}\r\n".lower() in head.lower()


def test_without_credentials_none_are_sent(tmp_path: Path, proxy: RefusingListener) -> None:
    seen = heads(tmp_path, "https://api.example.com:6443", f"http://127.0.0.1:{proxy.port}", proxy)
    assert [head.partition(" HTTP/")[0] for head in seen] == ["CONNECT api.example.com:6443"] * 2
    assert not any("proxy-authorization" in head.lower() for head in seen)


@pytest.mark.parametrize(
    "without",
    ["10.0.0.1, 127.0.0.1", "127.0.0.0/8", "127.0.0.1/8", "127.0.0.1:{port}", "*", "localhost , 127.0.0.0/16"],
)
@pytest.mark.parametrize("stated", ["environment", "kubeconfig"])
def test_both_go_past_it_where_the_server_needs_none(
    tmp_path: Path,
    proxy: RefusingListener,
    api_server: RefusingListener,
    monkeypatch: pytest.MonkeyPatch,
    without: str,
    stated: str,
) -> None:
    """Websockets understood other rules than requests: a run read pods, and could run no command in them."""
    url = f"http://127.0.0.1:{proxy.port}"
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, without.format(port=api_server.port))
    given = url if stated == "kubeconfig" else ""
    seen = heads(tmp_path, f"http://127.0.0.1:{api_server.port}", given, api_server)
    assert [head.partition(" HTTP/1.1")[0] for head in seen] == ["GET /version", "GET /exec"]
    assert proxy.heads == []


def test_rules_of_the_environment_count_once(
    tmp_path: Path, proxy: RefusingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "ample.com")
    assert len(heads(tmp_path, "https://api.example.com:6443", f"http://127.0.0.1:{proxy.port}", proxy)) == 2


def test_a_proxy_without_a_port_has_that_of_its_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests took port 80, and an exec failed."""
    dialled: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], *_: object, **__: object) -> None:
        dialled.append(address[:2])
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    monkeypatch.setattr("websocket._http._open_socket", lambda found, *_: refuse(found[0][4]))
    heads(tmp_path, "https://api.example.com:6443", "http://127.0.0.1", RefusingListener())
    assert dialled == [("127.0.0.1", 80)] * 2
