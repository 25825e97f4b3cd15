"""The states of an object: read once, then as the API server, here a small one on loopback, reports each change."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes import client

from clients.kube import api as apis
from clients.kube import watch
from clients.kube.api import Api, RequestError

pytestmark = pytest.mark.unit

PATH = "/apis/apps/v1/namespaces/shop/deployments"


def web(replicas: int) -> dict[str, Any]:
    return {"metadata": {"name": "web", "uid": "u-1"}, "status": {"replicas": replicas}}


class WatchHandler(BaseHTTPRequestHandler):
    """Answers a list with `listed`, and each watch with the next of `streams`: events, or an error status."""

    protocol_version = "HTTP/1.1"
    listed: ClassVar[list[dict[str, Any]]] = []
    streams: ClassVar[list[Any]] = []
    asked: ClassVar[list[dict[str, list[str]]]] = []

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.asked.append(query)
        if "watch" not in query:
            return self.reply(200, {"metadata": {"resourceVersion": "7"}, "items": self.listed})
        stream = self.streams.pop(0) if self.streams else []
        if isinstance(stream, int):
            return self.reply(stream, {"message": "no"})
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in stream:
            line = (event if isinstance(event, str) else json.dumps(event)).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")
        return None

    def reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(watch, "UNWATCHED_S", 0.0)
    for name, value in {"listed": [web(0)], "streams": [], "asked": []}.items():
        monkeypatch.setattr(WatchHandler, name, value)
    server = ThreadingHTTPServer(("127.0.0.1", 0), WatchHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = Api(client.Configuration(host=f"http://127.0.0.1:{server.server_port}"))
    yield made
    made.close()
    server.shutdown()
    server.server_close()


def states(api: Api, *, within_s: float = 30.0) -> Iterator[dict[str, Any] | None]:
    return watch.states(api, PATH, "web", time.monotonic() + within_s)


def changed(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": body}


def test_the_object_is_read_once_and_then_comes_with_each_change(api: Api):
    WatchHandler.streams = [[changed("MODIFIED", web(1)), changed("BOOKMARK", {}), changed("MODIFIED", web(2))]]
    seen = states(api)
    assert [next(seen), next(seen), next(seen)] == [web(0), web(1), web(2)]
    seen.close()
    listed, watched = WatchHandler.asked
    assert listed == {"fieldSelector": ["metadata.name=web"]}
    assert watched["resourceVersion"] == ["7"]
    assert watched["timeoutSeconds"] == [str(watch.QUIET_S)]


def test_an_object_that_is_deleted_or_was_never_there_is_none(api: Api):
    WatchHandler.streams = [[changed("DELETED", web(0))]]
    seen = states(api)
    assert [next(seen), next(seen)] == [web(0), None]
    WatchHandler.listed = []
    assert next(states(api)) is None


def test_it_is_read_again_after_a_quiet_while(api: Api):
    seen = states(api)
    assert [next(seen), next(seen)] == [web(0), web(0)]


@pytest.mark.parametrize("end", [410, [{"type": "ERROR", "object": {"code": 410}}], ['{"type": "MODIF']])
def test_a_version_that_is_too_old_and_a_cut_line_lead_to_another_reading(api: Api, end: Any):
    WatchHandler.streams = [end]
    seen = states(api)
    next(seen)
    WatchHandler.listed = [web(5)]
    assert next(seen) == web(5)


def test_an_identity_that_may_not_watch_reads_again_and_again(api: Api):
    WatchHandler.streams = [403, 403]
    seen = states(api)
    assert [next(seen) for _ in range(3)] == [web(0)] * 3


@pytest.mark.parametrize("status", [429, 503, 502, 504])
def test_a_busy_server_is_asked_again_for_the_watch(api: Api, monkeypatch: pytest.MonkeyPatch, status: int):
    monkeypatch.setattr(apis, "_AGAIN_S", 0.01)
    WatchHandler.streams = [status, [changed("MODIFIED", web(1))]]
    seen = states(api)
    assert [next(seen), next(seen)] == [web(0), web(1)]
    assert [("watch" in asked) for asked in WatchHandler.asked] == [False, True, True]


def test_other_errors_are_raised(api: Api):
    WatchHandler.streams = [500]
    seen = states(api)
    next(seen)
    with pytest.raises(RequestError, match="no"):
        next(seen)


def test_at_the_deadline_there_is_one_state_and_no_watch(api: Api):
    assert list(states(api, within_s=0.0)) == [web(0)]
    assert len(WatchHandler.asked) == 1
