"""The hermetic internet: which pod reaches which host, what is refused and how, and what the hosts' log shows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from clients.kube.cluster import Cluster
from clients.kube.exec import exec_once
from clients.kube.pods import Pod
from testbed import api
from testbed.apiserver import ApiServer
from testbed.parts import Parts
from testbed.versions import istio_release

pytestmark = pytest.mark.e2e

NAMESPACE = "mp-external"
OBJECTS = """
apiVersion: v1
kind: Namespace
metadata: {name: mp-external}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: roots, namespace: mp-external}
data: {roots.pem: %s}
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: mp-external, annotations: %s}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {cloud.google.com/gke-nodepool: gateway}
  containers:
  - {name: sleep, image: %s, imagePullPolicy: Never, volumeMounts: [{name: roots, mountPath: /external}]}
  volumes: [{name: roots, configMap: {name: roots}}]
"""

REFUSED = ("000", 7)
"""A reset in answer to the very first packet is what curl calls a refused connection."""
NO_NAME = ("000", 6)
BAD_CERTIFICATE = ("000", 60)


@dataclass(frozen=True)
class Client:
    """curl in a pod, with the hosts' authority trusted; and the log of those hosts."""

    cluster: Cluster
    pod: Pod
    log: Path

    def curl(self, url: str, *options: str) -> tuple[str, int]:
        """The status, and curl's exit code."""
        fixed = ["-sS", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", "/external/roots.pem"]
        done = exec_once(self.cluster, self.pod, "sleep", ["curl", *fixed, *options, url])
        return done.stdout, done.exit_code

    def arrivals(self, **wanted: object) -> list[dict[str, object]]:
        """Log entries from this pod's address with these fields."""
        entries = [json.loads(line) for line in self.log.read_text().splitlines()]
        own = [entry for entry in entries if entry["peer"].rpartition(":")[0] == self.pod.ip]
        return [entry for entry in own if wanted.items() <= entry.items()]


@pytest.fixture(scope="module")
def pods(testbed: api.Up, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Client]]:
    """A client, and one with an address of the gateway pool."""
    parts = Parts(istio_release(None), lambda _: None)
    kubectl = parts.store.path(parts.program("kubernetes")) / "kubectl"
    server = ApiServer(testbed.kubeconfig, kubectl, tmp_path_factory.mktemp("kubectl"))
    text = OBJECTS % json.dumps(testbed.external.roots.read_text())
    for name, wanted in (("client", {}), ("gateway", api.POOL_ANNOTATION)):
        text += POD % (name, json.dumps(wanted), testbed.images["sleep"])
    server.apply(text)
    try:
        deadline = time.monotonic() + 60
        while sum(pod.ready for pod in cluster.pods(NAMESPACE, "")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield {pod.name: Client(cluster, pod, testbed.external.log) for pod in cluster.pods(NAMESPACE, "")}
    finally:
        cluster.delete("v1", "Namespace", NAMESPACE)
        server.wait("the end of the pods", gone, 60)


def gone(session, server) -> str | None:
    answer = session.get(f"{server}/api/v1/namespaces/{NAMESPACE}", timeout=5)
    return None if answer.status_code == 404 else "the namespace is still there"


@pytest.fixture
def client(pods) -> Client:
    return pods["client"]


@pytest.fixture
def gateway(pods) -> Client:
    return pods["gateway"]


@pytest.mark.parametrize("url", ["http://example.com/", "https://example.com/", "https://httpbin.org/get"])
def test_only_the_gateway_pool_gets_out(client, gateway, url):
    assert gateway.curl(url) == ("200", 0)
    assert client.curl(url) == REFUSED
    assert not client.arrivals(host=url.split("/")[2])


def test_a_forgotten_address_is_open_to_every_pod(client, testbed):
    address = testbed.external.open_hosts["example.com"]
    assert client.curl("http://example.com/", "--connect-to", f"::{address}:") == ("200", 0)
    assert client.curl("https://example.com/", "--connect-to", f"::{address}:") == ("200", 0)
    assert client.arrivals(local=f"{address}:443", sni="example.com", status=200)


def test_googles_addresses_are_open_and_its_stand_ins_refuse_for_themselves(client):
    assert client.curl("https://storage.googleapis.com/hello") == ("200", 0)
    assert client.curl("https://storage.googleapis.com/hello", "-H", "Authorization: Bearer another")[0] == "403"
    accounts = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/"
    assert client.curl(accounts) == ("403", 0)
    assert client.curl(accounts, "-H", "Metadata-Flavor: Google") == ("200", 0)


def test_a_name_that_no_host_has_does_not_exist(client):
    assert client.curl("http://no-such-host.test/") == NO_NAME
    assert client.curl("https://kubernetes.default.svc/version", "-k")[0] in {"200", "401", "403"}


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_the_log_shows_each_client_and_its_request(gateway, version):
    request = f"e2e-{version.strip('-')}-{time.monotonic_ns()}"
    options = ("-H", f"X-Request-Id: {request}", "-A", "e2e/1", version)
    assert gateway.curl("http://httpbin.org/status/418", *options) == ("418", 0)
    assert gateway.curl("https://httpbin.org/status/404?x=1", *options) == ("404", 0)
    plain, secure = gateway.arrivals(request_id=request)
    expected = {"event": "request", "method": "GET", "host": "httpbin.org", "user_agent": "e2e/1", "error": ""}
    assert plain.items() >= {**expected, "tls": False, "sni": "", "status": 418, "local": "198.51.100.20:80"}.items()
    protocol = {"--http1.1": ("http/1.1", "HTTP/1.1"), "--http2": ("h2", "HTTP/2.0")}[version]
    assert secure.items() >= {**expected, "tls": True, "sni": "httpbin.org", "status": 404}.items()
    assert (secure["alpn"], secure["proto"], secure["path"]) == (*protocol, "/status/404?x=1")
    assert secure["client_cert"] is False


@pytest.mark.parametrize("name", ["untrusted.example.com", "wrong-name.example.com", "expired.example.com"])
def test_a_bad_certificate_is_refused_and_the_handshake_is_in_the_log(gateway, name):
    assert gateway.curl(f"https://{name}/") == BAD_CERTIFICATE
    assert not gateway.arrivals(sni=name, event="request")
    assert gateway.curl(f"https://{name}/", "-k") == ("200", 0)
    assert gateway.arrivals(sni=name, event="request")
    deadline = time.monotonic() + 2
    while not (handshakes := gateway.arrivals(sni=name, event="handshake", tls=True)):
        assert time.monotonic() < deadline  # curl may be gone before the server has read its alert
    assert handshakes[0]["error"]


def test_a_client_that_is_not_a_gateway_comes_from_another_range(pods, testbed):
    def in_pool(pod: Pod) -> bool:
        return ip_address(pod.ip) in ip_network(testbed.external.gateway_pool)

    assert {name: in_pool(one.pod) for name, one in pods.items()} == {"client": False, "gateway": True}
