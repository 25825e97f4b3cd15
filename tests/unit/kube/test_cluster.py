"""Requests to an API server, here a small one on loopback: paths, errors that a user can read, and exact deletions."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from clients.kube import api
from clients.kube import cluster as module
from clients.kube import kubeconfig as kubeconfigs
from clients.kube.api import RequestError
from clients.kube.cluster import Cluster
from clients.model.errors import AccessError, ClusterError

pytestmark = pytest.mark.unit

V1 = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
        {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
        {"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": ["get"]},
    ],
}
POD = {"metadata": {"name": "sleep-1", "namespace": "shop"}, "brandNewField": {"of": "a newer server"}}
ANSWERS: dict[str, Any] = {
    "/version": {"kind": "Info", "gitVersion": "v1.34.4"},
    "/apis": {"kind": "APIGroupList", "groups": []},
    "/api/v1": V1,
    "/api/v1/namespaces/shop/pods/sleep-1": POD,
    "/api/v1/namespaces/shop/pods": {"items": [POD]},
    "/api/v1/namespaces/shop/pods/sleep-1/log": "line\n",
}
REFUSALS = {
    "/api/v1/namespaces/closed": (403, 'namespaces "closed" is forbidden'),
    "/api/v1/namespaces/broken": (500, "etcd is down"),
}


OLD_MESH = {
    "kind": "APIResourceList",
    "groupVersion": "security.istio.io/v1beta1",
    "resources": [{"name": "peerauthentications", "kind": "PeerAuthentication", "namespaced": True, "verbs": ["get"]}],
}
"""Istio before 1.22: no `v1`."""
OLD_PATH = "/apis/security.istio.io/v1beta1"
STRICT = {
    "apiVersion": "security.istio.io/v1",
    "kind": "PeerAuthentication",
    "metadata": {"name": "strict", "namespace": "shop"},
}

AWAY = 'Internal error occurred: failed calling webhook "validation.istio.io": failed to call webhook: EOF'
SAYS_NO = 'admission webhook "validation.istio.io" denied the request: no such mode'


class ApiHandler(BaseHTTPRequestHandler):
    """Answers from the tables above, and keeps what was asked.

    `first` are the errors that are answered before, one a request.
    """

    asked: ClassVar[list[tuple[str, str, Any]]] = []
    first: ClassVar[list[tuple[int, str]]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, json.loads(body) if body else None))
        path = self.path.split("?")[0]
        status, answer = 200, ANSWERS.get(path)
        if self.first or path in REFUSALS or answer is None:
            status, message = self.first.pop(0) if self.first else REFUSALS.get(path, (404, "not found"))
            answer = {"message": message}
        self.send_response(status)
        self.end_headers()
        self.wfile.write((answer if isinstance(answer, str) else json.dumps(answer)).encode())

    do_GET = do_PATCH = do_DELETE = do_POST = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    ApiHandler.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), ApiHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def kubeconfig(folder: Path, address: str) -> Path:
    path = folder / "config"
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    clusters = [{"name": "c", "cluster": {"server": address}}]
    config = {"current-context": "c", "contexts": [context], "clusters": clusters, "users": [{"name": "u", "user": {}}]}
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
    return path


@pytest.fixture
def cluster(server: HTTPServer, tmp_path: Path) -> Iterator[Cluster]:
    connected = Cluster.connect(kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}"))
    yield connected
    connected.close()


def test_no_request_reads_the_environment(server: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By the library's own way of renewing a token each did, and failed where another thread removed a variable."""
    file = kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}")
    content = json.loads(file.read_text())
    content["users"][0]["user"] = {"token": "not-a-secret"}
    file.write_text(json.dumps(content))
    connected = Cluster.connect(file)

    def getproxies() -> dict[str, str]:
        raise KeyError("PYTEST_CURRENT_TEST")

    monkeypatch.setattr("kubernetes.client.configuration.getproxies", getproxies)
    assert connected.get("v1", "Pod", "sleep-1", "shop") == POD
    connected.close()


def test_objects_come_as_they_are(cluster: Cluster):
    assert cluster.server_version == "1.34.4"
    assert cluster.get("v1", "Pod", "sleep-1", "shop") == POD
    assert cluster.get("v1", "Pod", "other", "shop") is None
    assert [pod.name for pod in cluster.pods("shop", "app=sleep")] == ["sleep-1"]
    assert ApiHandler.asked[-1][1] == "/api/v1/namespaces/shop/pods?labelSelector=app%3Dsleep"


def test_logs_of_the_last_seconds(cluster: Cluster):
    [pod] = cluster.pods("shop")
    assert cluster.logs(pod, "sleep", since_s=5) == "line\n"
    assert ApiHandler.asked[-1][1].endswith("/sleep-1/log?container=sleep&sinceSeconds=5")


def test_apply_is_server_side_and_strict(cluster: Cluster):
    body = {"apiVersion": "v1", "kind": "Pod", **POD}
    cluster.apply(body, manager="meshproof", dry_run=True)
    method, path, sent = ApiHandler.asked[-1]
    assert (method, sent) == ("PATCH", body)
    assert path.split("?")[1] == "fieldManager=meshproof&force=true&fieldValidation=Strict&dryRun=All"


def test_an_object_is_tried_again_while_its_webhook_is_away(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    """As istiod's is for a moment, when istiod is replaced."""
    monkeypatch.setattr(module, "_WEBHOOK_POLL_S", 0.0)
    body = {"apiVersion": "v1", "kind": "Pod", **POD}
    cluster.has_kind("v1", "Pod")
    monkeypatch.setattr(ApiHandler, "first", [(500, AWAY), (500, AWAY)])
    assert cluster.apply(body, manager="meshproof") == POD
    monkeypatch.setattr(module, "WEBHOOK_S", 0.05)
    monkeypatch.setattr(ApiHandler, "first", [(500, AWAY)] * 10_000)
    with pytest.raises(RequestError, match="failed calling webhook"):
        cluster.apply(body, manager="meshproof")


@pytest.mark.parametrize(("status", "detail"), [(400, SAYS_NO), (500, "etcd is down")])
def test_what_a_webhook_or_the_server_refuses_is_not_tried_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, status: int, detail: str
):
    cluster.has_kind("v1", "Pod")
    monkeypatch.setattr(ApiHandler, "first", [(status, detail)])
    with pytest.raises(RequestError, match=detail.split()[0]):
        cluster.apply({"apiVersion": "v1", "kind": "Pod", **POD}, manager="meshproof")


def test_deletion_names_the_very_object(cluster: Cluster):
    assert cluster.delete("v1", "Pod", "sleep-1", "shop", uid="u-1", version="7")
    assert ApiHandler.asked[-1][2]["preconditions"] == {"uid": "u-1", "resourceVersion": "7"}
    assert not cluster.delete("v1", "Pod", "other", "shop")


def test_refusals_are_told_in_one_line(cluster: Cluster):
    with pytest.raises(AccessError, match='namespaces "closed" is forbidden; use an identity'):
        cluster.get("v1", "Namespace", "closed")
    with pytest.raises(RequestError, match="etcd is down") as caught:
        cluster.get("v1", "Namespace", "broken")
    assert caught.value.status == 500


def test_a_kind_that_is_not_installed_is_named(cluster: Cluster):
    with pytest.raises(ClusterError, match="knows no Gateway of v1"):
        cluster.objects("v1", "Gateway")
    assert not cluster.has_kind("v1", "Gateway")
    assert cluster.has_kind("v1", "Pod")


def test_the_servers_clock_is_asked(cluster: Cluster):
    assert cluster.api.time() > 1_700_000_000


def test_the_discovery_cache_is_private_and_goes(cluster: Cluster):
    cluster.has_kind("v1", "Pod")
    scratch = Path(cluster._kinds._scratch)
    assert scratch.exists()
    cluster.close()
    assert not scratch.exists()


def test_nobody_there_is_told_with_its_address(tmp_path: Path):
    with pytest.raises(ClusterError, match=r"cluster http://127.0.0.1:9 does not answer"):
        Cluster.connect(kubeconfig(tmp_path, "http://127.0.0.1:9"))


def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path):
    with pytest.raises(ClusterError, match="missing cannot be used"):
        Cluster.connect(tmp_path / "missing")
    with pytest.raises(ClusterError, match="nowhere"):
        Cluster.connect(kubeconfig(tmp_path, "http://127.0.0.1:9"), "nowhere")
    (tmp_path / "list").write_text("[1]")
    with pytest.raises(ClusterError, match="cannot be used"):
        Cluster.connect(tmp_path / "list")


def test_a_server_that_limits_requests_is_asked_again(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api, "_AGAIN_S", 0.01)
    cluster.has_kind("v1", "Pod")
    ApiHandler.asked.clear()
    monkeypatch.setattr(ApiHandler, "first", [(429, "too many requests"), (503, "starting")])
    assert cluster.get("v1", "Pod", "sleep-1", "shop") == POD
    assert len(ApiHandler.asked) == 3
    monkeypatch.setattr(api, "RIDE_OUT_S", 0.1)
    monkeypatch.setattr(ApiHandler, "first", [(429, "too many requests")] * 10_000)
    with pytest.raises(RequestError, match="too many requests"):
        cluster.get("v1", "Pod", "sleep-1", "shop")


@pytest.mark.parametrize(
    ("cause", "away"),
    [(NewConnectionError(None, "refused"), True), (ProtocolError("closed while idle"), False)],  # type: ignore[arg-type]
    ids=["nothing listens", "an idle connection was closed"],
)
def test_when_a_server_was_away_is_known(cluster: Cluster, cause: Exception, away: bool):
    """What its clients have read is late then; a connection that a proxy closed says nothing of the kind."""
    cluster.has_kind("v1", "Pod")
    assert cluster.api._again_s("GET", MaxRetryError(None, "/", cause)) > 0.0
    assert bool(cluster.api.lost_at) is away


def test_a_caller_with_limits_of_its_own_is_told_at_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    """The renewal of a lease must not wait: another run may begin meanwhile."""
    monkeypatch.setattr(ApiHandler, "first", [(429, "too many requests")])
    with pytest.raises(RequestError, match="too many requests"):
        cluster.api.time(timeouts=(1.0, 2.0), ride_out=False)
    monkeypatch.setattr(api, "_AGAIN_S", 0.01)
    monkeypatch.setattr(ApiHandler, "first", [(429, "too many requests")])
    assert cluster.api.time(timeouts=(1.0, 2.0)), "limits alone do not say that it must not be tried again"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (502, "bad gateway"),
        (504, "upstream request timeout"),
        (500, "etcdserver: leader changed"),
        (500, "etcdserver: request timed out, possibly due to previous leader failure"),
        (500, "rpc error: code = Unavailable desc = transport is closing"),
    ],
)
def test_what_may_have_been_processed_is_sent_again_where_that_does_no_harm(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, status: int, text: str
):
    monkeypatch.setattr(api, "_AGAIN_S", 0.01)
    cluster.has_kind("v1", "Pod")
    monkeypatch.setattr(ApiHandler, "first", [(status, text)])
    assert cluster.apply({"apiVersion": "v1", "kind": "Pod", **POD}, manager="meshproof") == POD
    monkeypatch.setattr(ApiHandler, "first", [(status, text)])
    with pytest.raises(RequestError, match=r"POST .*too busy or restarts: see its health"):
        cluster.create({"apiVersion": "v1", "kind": "Pod", **POD})


@pytest.mark.parametrize("text", ["etcdserver: request is too large", "etcdserver: mvcc: database space exceeded"])
def test_what_etcd_refuses_for_good_is_not_tried_again(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, text: str):
    cluster.has_kind("v1", "Pod")
    monkeypatch.setattr(ApiHandler, "first", [(500, text)])
    with pytest.raises(RequestError, match=text):
        cluster.get("v1", "Pod", "sleep-1", "shop")


@pytest.mark.parametrize("status", [429, 503, 502])
def test_discovery_rides_out_a_busy_server_too(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, status: int):
    """The client library takes a group that answers 503 for one without kinds."""
    monkeypatch.setattr(api, "_AGAIN_S", 0.01)
    monkeypatch.setattr(ApiHandler, "first", [(status, "busy")] * 4)
    assert cluster.has_kind("v1", "Pod")
    cluster = Cluster(cluster.api)
    monkeypatch.setattr(ApiHandler, "first", [(status, "busy")])
    assert cluster.get("v1", "Pod", "sleep-1", "shop") == POD
    assert not cluster.has_kind("v1", "Gateway")


@pytest.mark.parametrize(
    "text",
    [
        'admission webhook "validation.gatekeeper.sh" denied the request: [owner] label is missing',
        'pods "a" is forbidden: violates PodSecurity "restricted:latest"',
        'pods "a" is forbidden: exceeded quota: all, requested: cpu=1',
        'pods "a" is forbidden: failed quota: all: must specify limits.memory for: istio-proxy',
        'pods "a" is forbidden: [minimum memory usage per Container is 32Mi, but request is 16Mi]',
        "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'owner' with binding 'all' denied request: no",
    ],
)
def test_a_policy_of_the_cluster_is_no_missing_right(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, text: str):
    cluster.has_kind("v1", "Pod")
    monkeypatch.setattr(ApiHandler, "first", [(403, text)])
    with pytest.raises(AccessError, match=r"policies for objects demand; \[namespaces\] and \[pods\] set labels"):
        cluster.apply({"apiVersion": "v1", "kind": "Pod", **POD}, manager="meshproof")


def test_a_server_that_restarts_is_waited_for(cluster: Cluster, server: HTTPServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api, "_AGAIN_S", 0.05)
    cluster.has_kind("v1", "Pod")
    cluster.api.close()
    address = server.server_address
    server.shutdown()
    server.server_close()
    started: list[HTTPServer] = []

    def start() -> None:
        started.append(HTTPServer((str(address[0]), int(address[1])), ApiHandler))
        started[0].serve_forever(poll_interval=0.01)

    timer = threading.Timer(0.5, start)
    timer.start()
    try:
        assert cluster.get("v1", "Pod", "sleep-1", "shop") == POD
        assert cluster.delete("v1", "Pod", "sleep-1", "shop", uid="u-1")
    finally:
        timer.join(0.5)
        started[0].shutdown()
        started[0].server_close()


def test_a_server_that_never_answered_is_not_waited_for(tmp_path: Path):
    began = time.monotonic()
    with pytest.raises(ClusterError):
        Cluster.connect(kubeconfig(tmp_path, "http://127.0.0.1:9"))
    assert time.monotonic() - began < 5


def test_in_a_pod_the_service_account_is_the_identity(
    server: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    token = tmp_path / "token"
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setattr(kubeconfigs, "TOKEN", str(token))
    used: list[Any] = []

    def load(client_configuration: Any) -> None:
        used.append(client_configuration)
        client_configuration.host = f"http://127.0.0.1:{server.server_port}"

    monkeypatch.setattr(kubeconfigs.config, "load_incluster_config", load)
    with pytest.raises(ClusterError, match="kubeconfig cannot be used"):
        Cluster.connect()  # no token: not in a pod
    token.write_text("of the account")
    assert Cluster.connect().server_version == "1.34.4"
    assert len(used) == 1
    assert Cluster.connect(kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}")).server
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube", f"http://127.0.0.1:{server.server_port}")
    assert Cluster.connect().server
    assert len(used) == 1, "a kubeconfig goes first"


def test_the_api_server_is_reached_through_a_proxy(server: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The variable is that of the address's scheme: HTTPS_PROXY for https."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}" if "http" in name.lower() else "")
    monkeypatch.setitem(ANSWERS, "http://api.invalid/version", {"gitVersion": "v1.30.0"})
    assert Cluster.connect(kubeconfig(tmp_path, "http://api.invalid")).server_version == "1.30.0"


def test_threads_may_ask_for_kinds_while_one_of_them_is_missing(cluster: Cluster):
    """For a missing kind the client forgets all it knows, in the middle of the others' reading."""

    def known(_number: int) -> bool:
        return cluster.has_kind("v1", "Pod")

    def missing(_number: int) -> bool:
        return cluster.has_kind("gateway.networking.k8s.io/v1", "HTTPRoute")

    with ThreadPoolExecutor(8) as pool:
        waits = [pool.submit(missing if number % 4 == 0 else known, number) for number in range(80)]
        answers = [wait.result() for wait in waits]
    assert answers == [number % 4 != 0 for number in range(80)]


def test_a_kind_of_an_older_version_is_used_in_that_version(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    version = {"groupVersion": "security.istio.io/v1beta1", "version": "v1beta1"}
    group = {"name": "security.istio.io", "versions": [version], "preferredVersion": version}
    monkeypatch.setitem(ANSWERS, "/apis", {"kind": "APIGroupList", "groups": [group]})
    monkeypatch.setitem(ANSWERS, OLD_PATH, OLD_MESH)
    monkeypatch.setitem(ANSWERS, f"{OLD_PATH}/namespaces/shop/peerauthentications/strict", STRICT)
    assert cluster.has_kind("security.istio.io/v1", "PeerAuthentication")
    assert cluster.served("security.istio.io/v1", "PeerAuthentication") == "security.istio.io/v1beta1"
    assert cluster.get("security.istio.io/v1", "PeerAuthentication", "strict", "shop") == STRICT
    cluster.apply(STRICT, manager="meshproof")
    method, path, body = ApiHandler.asked[-1]
    assert (method, path.split("?")[0]) == ("PATCH", f"{OLD_PATH}/namespaces/shop/peerauthentications/strict")
    assert body == {**STRICT, "apiVersion": "security.istio.io/v1beta1"}
    assert not cluster.has_kind("security.istio.io/v1", "AuthorizationPolicy")
    with pytest.raises(ClusterError, match="knows no AuthorizationPolicy of"):
        cluster.served("security.istio.io/v1", "AuthorizationPolicy")
