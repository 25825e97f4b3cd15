"""The rig: requests in the run's own names, probes over all client pods, confirmations from what is really there."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cluster_fakes import CLIENT, RUN, FakeCluster, answered, lost
from cryptography import x509

from clients.apply.overlay import Overlay
from clients.identity.tokens import TokenIssuer
from clients.kube.pods import Pod
from clients.mesh import sidecar
from clients.mesh.discovery import MeshInfo
from clients.mesh.external_hosts import ExternalHosts
from clients.model.errors import AccessError, ClusterError, InfrastructureError
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Dial, Probe, Workload
from clients.model.stage import Stage
from clients.model.token import Token
from clients.probe import curl, ordinary
from clients.probe.convergence import ConvergencePolicy
from clients.probe.request import Request
from clients.proof import diagnostics
from clients.proof.rig import client_sessions
from clients.proof.rig.rig import Rig, RigOptions
from clients.proof.rig.workloads import PODS_SHARED_S

pytestmark = pytest.mark.unit

MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: mtls-client}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: mtls-client}
"""
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "httpbin", "namespace": "p-mtls-service"},
    "spec": {"selector": {"app": "httpbin"}},
}


class RigCluster(FakeCluster):
    """Its pods are given; `asked` counts how often they were listed."""

    pods_of: ClassVar[dict[str, list[Pod]]] = {}
    asked = 0

    def pods(self, namespace: str, labels: str = "") -> list[Pod]:
        self.asked += 1
        return self.pods_of.get(namespace, [])


def pod(namespace: str, name: str, *, ready: bool = True, injected: bool = True) -> Pod:
    return Pod(namespace, name, containers=("app", "istio-proxy") if injected else ("app",), ready=ready)


@pytest.fixture(scope="module")
def tokens() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def cluster() -> RigCluster:
    made = RigCluster()
    made.pods_of = {
        "p-mtls-client": [pod("p-mtls-client", "sleep-1"), pod("p-mtls-client", "sleep-2")],
        "p-mtls-service": [pod("p-mtls-service", "httpbin-1"), pod("p-mtls-service", "httpbin-2", ready=False)],
    }
    made.put(SERVICE)
    return made


@pytest.fixture
def made(cluster: RigCluster, tokens: TokenIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    (tmp_path / "environment.yaml").write_text(MANIFEST)
    overlay = Overlay("p-", RUN, "w0", {}, "", {}, frozenset({"mtls-client", "mtls-service"}))
    monkeypatch.setattr(sidecar, "concurrency", lambda _, pod: 2 if pod.injected else 1)
    return Rig.make(cluster, MeshInfo("istio"), overlay, tokens, tmp_path, RigOptions(ready_s=0.1))  # type: ignore[arg-type]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Request]]]:
    """Batches by pod; every request is answered, except to `sleep-gone`."""
    batches: list[tuple[str, list[Request]]] = []

    class RecordedSession:
        def __init__(self, _cluster: Any, pod: Pod, _container: str, ports: client_sessions.Ports) -> None:
            self.pod = pod
            self.ports = ports

        def run(self, requests: list[Request], *, parallel: bool = False) -> list[Outcome]:
            batches.append((self.pod.name, [replace(request, local_port=self.port(request)) for request in requests]))
            reply = (lambda _, name: lost(name)) if self.pod.name == "sleep-gone" else answered
            return [reply(200, request.request_id) for request in requests]

        def port(self, request: Request) -> int:
            return next(self.ports.ordinary if request.ordinary else self.ports.marked)

        def close(self) -> None: ...

    monkeypatch.setattr(client_sessions, "open_session", RecordedSession)
    return batches


PROBE = CLIENT.get("http://httpbin.mtls-service:8000/ip", token="valid", headers=(("x-a", "b"),))


def test_a_request_has_the_runs_names_and_an_id_that_envoy_leaves_alone(made: Rig):
    request = made.prober.request_for(PROBE, "LAB-X-1")
    assert request.url == "http://httpbin.p-mtls-service:8000/ip"
    assert request.headers[0] == ("x-a", "b")
    assert request.headers[1][0] == "Authorization"
    assert request.headers[1][1].startswith("Bearer ey")
    assert request.user_agent == f"meshproof/LAB-X-1 {request.request_id}"
    assert len(request.request_id) != 36
    assert made.prober.request_for(PROBE, "LAB-X-1").request_id != request.request_id


def test_a_request_has_the_probes_version_method_and_body(made: Rig):
    probe = CLIENT.post("http://httpbin.mtls-service:8000/ip", http2=True, body="of {id}")
    request = made.prober.request_for(replace(probe, method="post"), "LAB-X-1")
    assert (request.method, request.http2, request.body) == ("post", True, f"of {request.request_id}")


def test_each_token_is_sent_in_its_place(made: Rig):
    tokens = (
        Token("people", {"sub": "a"}),
        Token(text="garbage", place="x-scope-token: {}"),
        Token("scopes", place="?one={}"),
        Token("scopes", place="?two={}"),
    )
    request = made.prober.request_for(CLIENT.get("http://httpbin.mtls-service:8000/ip", tokens=tokens), "X")
    assert [name for name, _ in request.headers] == ["Authorization", "x-scope-token"]
    assert request.headers[0][1].startswith("Bearer ey")
    assert request.headers[1][1] == "garbage"
    assert re.fullmatch(r"http://httpbin.p-mtls-service:8000/ip\?one=ey[^&?]+&two=ey[^&?]+", request.url)


@pytest.mark.parametrize(
    ("dial", "url", "to"),
    [
        (Dial.POD, "http://10.1.0.1:8080/ip?x=1", ""),
        (Dial.POD_WITH_HOST, "http://httpbin.p-mtls-service:8080/ip?x=1", "10.1.0.1:8080"),
    ],
)
def test_a_pod_is_dialled_by_its_address(
    made: Rig, cluster: RigCluster, sent: list[Any], dial: Dial, url: str, to: str
):
    cluster.pods_of["p-mtls-service"] = [
        replace(pod("p-mtls-service", f"httpbin-{n}"), ip=f"10.1.0.{n}") for n in (1, 2)
    ]
    probe = CLIENT.get("http://httpbin.mtls-service:8080/ip?x=1", dial=dial)
    made.prober.probe(probe, "X", 4)
    requests = [request for _, batch in sent for request in batch]
    assert sorted({(request.url, request.connect_to) for request in requests})[0] == (url, to)
    assert len({(request.url, request.connect_to) for request in requests}) == 2
    assert "10.1.0.1" in made.prober.command_for(probe)


@pytest.mark.parametrize(
    ("dial", "url", "to"),
    [
        (Dial.POD, "http://[fd00::7]:8080/ip", ""),
        (Dial.POD_WITH_HOST, "http://httpbin.p-mtls-service:8080/ip", "[fd00::7]:8080"),
    ],
)
def test_a_pod_of_ipv6_is_dialled_in_brackets(made: Rig, dial: Dial, url: str, to: str):
    """curl takes `::fd00::7:8080` for no host to connect to, and gives up (exit code 49)."""
    probe = CLIENT.get("http://httpbin.mtls-service:8080/ip", dial=dial)
    there = replace(pod("p-mtls-service", "httpbin-1"), ip="fd00::7")
    request = made.prober.request_for(probe, "X", there)
    assert (request.url, request.connect_to) == (url, to)


def test_an_external_host_of_ipv6_is_dialled_in_brackets(made: Rig):
    made.prober._maker._external = ExternalHosts({"example.com": "2001:db8::10"})
    request = made.prober.request_for(CLIENT.get("http://example.com/", resolve="example.com:80"), "X")
    assert request.connect_to == "[2001:db8::10]:80"


def test_a_pair_is_sent_from_one_pod_on_one_connection(made: Rig, sent: list[Any]):
    pair = made.prober.on_one_connection(PROBE, CLIENT.get("http://httpbin.mtls-service:8000/headers"), "X")
    [(_, [first, second])] = sent
    assert (first.continues, second.continues) == (False, True)
    assert first.ordinary
    assert second.ordinary, "others ask the server to close the connection"
    assert pair is not None
    assert [pair.first.request_id, pair.second.request_id] == [first.request_id, second.request_id]
    assert made.prober.sent_ids >= {first.request_id, second.request_id}


@pytest.mark.parametrize(
    "other",
    [
        Workload("mtls-client", "another", "another").get("http://httpbin.mtls-service:8000/ip"),
        CLIENT.get("http://httpbin.mtls-service:8080/ip"),
        CLIENT.get("http://httpbin.mtls-service:8000/ip", dial=Dial.POD),
        CLIENT.get("http://httpbin.mtls-service:8000/ip", http2=True),
    ],
    ids=["another client", "another port", "a pod's address", "HTTP/2"],
)
def test_some_pairs_share_no_connection(made: Rig, sent: list[Any], other: Probe):
    assert made.prober.on_one_connection(PROBE, other, "X") is None
    assert not sent


def test_a_pair_of_a_client_without_a_pod_is_infrastructure(made: Rig, cluster: RigCluster):
    cluster.pods_of["p-mtls-client"] = []
    with pytest.raises(InfrastructureError):
        made.prober.on_one_connection(PROBE, PROBE, "X")


def test_a_pod_that_is_not_there_is_infrastructure(made: Rig, cluster: RigCluster):
    cluster.pods_of["p-mtls-service"] = []
    probe = CLIENT.get("http://httpbin.mtls-service:8080/ip", dial=Dial.POD)
    assert {one.summary for one in made.prober.probe(probe, "X", 2)} == {
        "infrastructure: no ready pod is behind httpbin.mtls-service"
    }
    assert "httpbin.p-mtls-service:8080" in made.prober.command_for(probe)


def test_an_impostor_names_the_workloads_own_identity(made: Rig, monkeypatch: pytest.MonkeyPatch):
    held = [{"ca_cert": []}, {"cert_chain": [{"subject_alt_names": [{"dns": "a"}, {"uri": "spiffe://td/ns/a/sa/b"}]}]}]
    answers = iter([InfrastructureError("busy"), json.dumps({"certificates": held})])

    def admin(_: object, pod: Pod, path: str) -> str:
        assert (pod.name, path) == ("sleep-1", "certs")
        if isinstance(answer := next(answers), InfrastructureError):
            raise answer
        return answer

    monkeypatch.setattr(sidecar, "admin", admin)
    probe = CLIENT.get("https://httpbin.mtls-service:8000/ip", impostor_of=CLIENT)
    assert [one.summary for one in made.prober.probe(probe, "X")] == ["infrastructure: busy"]
    first, second = (made.prober.request_for(probe, "X").certificate for _ in range(2))
    assert first is second
    assert first is not None
    assert first.identity == "spiffe://td/ns/a/sa/b"
    names = x509.load_pem_x509_certificate(first.pem.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [first.identity]
    foreign = replace(probe, impostor_domain="foreign.example")
    other = made.prober.request_for(foreign, "X").certificate
    assert other is not None
    assert other.identity == "spiffe://foreign.example/ns/a/sa/b"
    assert foreign.record.impostor_of == f"{probe.record.impostor_of} in foreign.example"
    assert "URI:spiffe://td/ns/a/sa/b && curl" in made.prober.command_for(probe)


def test_an_impostor_of_nobody_is_infrastructure(made: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sidecar, "admin", lambda *_: '{"certificates": []}')
    probe = CLIENT.get("https://httpbin.mtls-service:8000/ip", impostor_of=CLIENT)
    [outcome] = made.prober.probe(probe, "X")
    assert outcome.summary == "infrastructure: the proxy of p-mtls-client/sleep-1 does not name its identity"
    assert made.prober.command_for(probe).startswith("curl -i -H")


def test_the_command_shown_holds_no_token(made: Rig):
    command = made.prober.command_for(PROBE)
    assert "httpbin.p-mtls-service" in command
    assert "redacted" in command
    assert "eyJ" not in command


def test_probes_take_turns_over_the_clients_and_come_back_in_order(made: Rig, sent: list[Any]):
    outcomes = made.prober.probe(PROBE, "X", 5)
    assert [(name, len(batch)) for name, batch in sent] == [("sleep-1", 3), ("sleep-2", 2)]
    ids = [request.request_id for _, batch in sent for request in batch]
    assert sorted(ids) == sorted(outcome.request_id for outcome in outcomes)
    assert outcomes[1].request_id == sent[1][1][0].request_id


def test_the_ports_of_a_client_go_on_after_forget(made: Rig, cluster: RigCluster, sent: list[Any]):
    cluster.pods_of["p-mtls-client"] = [pod("p-mtls-client", "sleep-1")]
    made.prober.probe(PROBE, "X", 2)
    made.forget()
    made.prober.probe(PROBE, "X", 1)
    ports = [request.local_port for _, batch in sent for request in batch]
    assert len(set(ports)) == 3, "a cycle that begins again may repeat one that the kernel still remembers"


def test_a_later_process_finds_free_ports_after_each_of_its_own():
    """The pods of a held environment remember connections of the last run, whose ports cannot be bound for a minute."""
    before = set(itertools.islice(ordinary.ports(client_sessions.PORTS), 4_000))
    later = itertools.islice(ordinary.ports(client_sessions.PORTS), 4_000)
    assert all(not before.issuperset(range(port, port + curl.PORTS_TRIED)) for port in later)


def test_each_port_comes_once_before_any_comes_again():
    ports = list(itertools.islice(ordinary.ports(client_sessions.PORTS), len(client_sessions.PORTS) + 1))
    assert set(ports) == set(client_sessions.PORTS)
    assert ports[0] == ports[-1]


def test_no_client_is_infrastructure(made: Rig, cluster: RigCluster):
    cluster.pods_of["p-mtls-client"] = [pod("p-mtls-client", "sleep-1", ready=False)]
    [outcome] = made.prober.probe(PROBE, "X")
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert "no ready pod app=sleep in p-mtls-client" in outcome.error


def test_an_init_container_is_a_client_while_it_runs(made: Rig, cluster: RigCluster, sent: list[Any]):
    waiting = [replace(pod("p-mtls-client", f"first-{n}", ready=False)) for n in (1, 2)]
    cluster.pods_of["p-mtls-client"] = [replace(waiting[0], initializing=("first",)), waiting[1]]
    first = replace(PROBE, source=Workload("mtls-client", "sleep", "first"))
    assert {outcome.summary for outcome in made.prober.probe(first, "X")} == {"200"}
    assert [name for name, _ in sent] == ["first-1"]
    assert made.prober.probe(PROBE, "X")[0].kind is OutcomeKind.INFRASTRUCTURE  # its main container does not run


def test_a_client_that_has_gone_is_looked_up_again(made: Rig, cluster: RigCluster, sent: list[Any]):
    cluster.pods_of["p-mtls-client"] = [pod("p-mtls-client", "sleep-gone")]
    assert made.prober.probe(PROBE, "X")[0].kind is OutcomeKind.INFRASTRUCTURE
    cluster.pods_of["p-mtls-client"] = [pod("p-mtls-client", "sleep-new")]
    assert made.prober.probe(PROBE, "X")[0].status == 200
    asked = cluster.asked
    made.prober.probe(PROBE, "X")
    assert cluster.asked == asked, "a client that answers is not looked up again"


def test_a_cluster_that_does_not_answer_is_infrastructure(made: Rig, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any) -> Any:
        raise ClusterError("no answer")

    monkeypatch.setattr(made.cluster, "pods", refuse)
    assert made.prober.probe(PROBE, "X")[0].error == "no answer"
    with pytest.raises(InfrastructureError):
        made.workloads.pods(CLIENT)


def test_confirmations_come_from_threads_replicas_and_clients(made: Rig, cluster: RigCluster):
    assert made.workloads.replicas(PROBE) == 1, "a replica that is not ready gets no request"
    single = made.certainty.required_confirmations(PROBE)
    assert single == 15 * 2, "two pools at 1e-4, for each of two clients"
    cluster.pods_of["p-mtls-service"] = [pod("p-mtls-service", f"httpbin-{n}") for n in range(2)]
    time.sleep(PODS_SHARED_S)  # a replica that appears is noticed by itself, a moment later
    assert made.certainty.required_confirmations(PROBE) > single
    cluster.pods_of["p-mtls-service"] = []
    made.forget()
    assert made.workloads.replicas(PROBE) == 1
    assert replace(made.certainty, policy=ConvergencePolicy(confirmations=7)).required_confirmations(PROBE) == 7


def test_fewer_confirmations_state_the_error_rate_that_they_reach(made: Rig):
    needed = made.certainty.required_confirmations(PROBE)
    assert made.certainty.reached_error_rate(PROBE, needed) <= 1e-4
    assert made.certainty.reached_error_rate(PROBE, 2 * 5) == pytest.approx(2 * 0.5**5)
    assert made.certainty.reached_error_rate(PROBE, 1) == 1


def test_a_plain_client_of_a_plain_server_needs_the_minimum(made: Rig, cluster: RigCluster):
    cluster.pods_of["p-mtls-client"] = [pod("p-mtls-client", "sleep-1", injected=False)]
    cluster.pods_of["p-mtls-service"] = [pod("p-mtls-service", "httpbin-1", injected=False)]
    assert made.certainty.required_confirmations(PROBE) == 3


def test_a_host_that_is_no_service_has_no_backends(made: Rig):
    assert made.workloads.backends(CLIENT.get("http://example.com/")) == []


def test_an_environment_is_deployed_once_and_deleted_at_the_end(made: Rig, cluster: RigCluster):
    cluster.put({"kind": "Namespace", "metadata": {"name": "p-other"}, "status": {"phase": "Active"}})
    apply = cluster.apply

    def activate(body: dict[str, Any], **more: Any) -> dict[str, Any]:
        return apply({**body, "status": {"phase": "Active"}}, **more)

    cluster.apply = activate
    first = made.environments.ensure(["environment.yaml"])
    assert made.environments.ensure(["environment.yaml"]) == first
    assert [applied.kind for applied in first] == ["Namespace", "Service"]
    assert made.environments.namespaces == {"p-mtls-client"}
    made.close()
    assert ("Namespace", "", "p-mtls-client") not in cluster.store
    assert ("Namespace", "", "p-other") in cluster.store


def test_the_environment_of_another_topic_is_deleted(made: Rig, cluster: RigCluster):
    with pytest.raises(ClusterError, match="not ready in time"):
        made.environments.ensure(["environment.yaml"])  # applied, but not ready: the namespace never becomes Active
    made.environments._applied["environment.yaml"] = ()
    made.remove_other_environments([])
    made.remove_other_environments(["environment.yaml"])
    assert ("Namespace", "", "p-mtls-client") in cluster.store
    made.remove_other_environments(["other/environment"])
    assert ("Namespace", "", "p-mtls-client") not in cluster.store
    assert made.environments.namespaces == set()


def test_an_environment_is_deployed_again_only_after_its_deletion_has_ended(
    made: Rig, cluster: RigCluster, monkeypatch: pytest.MonkeyPatch
):
    waits: list[str] = []
    monkeypatch.setattr(made.applier, "ask_to_delete", lambda items: lambda: waits.append(items[0].name))
    monkeypatch.setattr(made.applier, "wait_ready", lambda items: None)
    (made.applier._manifests / "other.yaml").write_text(MANIFEST.replace("mtls-client", "mtls-service"))
    made.environments.ensure(["environment.yaml"])
    made.remove_other_environments(["other.yaml"])
    made.environments.ensure(["other.yaml"])
    assert waits == [], "another environment need not wait"
    made.environments.ensure(["environment.yaml"])
    assert waits == ["p-mtls-client"]


def test_an_environment_is_deployed_in_the_background(made: Rig, cluster: RigCluster, monkeypatch: pytest.MonkeyPatch):
    let, waited = threading.Event(), []
    monkeypatch.setattr(made.applier, "wait_ready", lambda items: waited.append(items and let.wait(20)))
    made.environments.prepare_in_background(["environment.yaml"])
    assert waited == [], "no thread waits for it yet"
    let.set()
    [namespace, _] = made.environments.ensure(["environment.yaml"])
    assert (waited, namespace.name) == ([True], "p-mtls-client"), "made once"
    made.environments.prepare_in_background(["environment.yaml"])
    made.close()
    assert ("Namespace", "", "p-mtls-client") not in cluster.store


def test_other_environments_are_listed_after_those_in_the_background_are_ready(
    made: Rig, monkeypatch: pytest.MonkeyPatch
):
    let = threading.Event()
    monkeypatch.setattr(made.applier, "wait_ready", lambda _: let.wait(20))
    made.environments.prepare_in_background(["environment.yaml"])
    listed: list[list[str]] = []
    asks = threading.Thread(target=lambda: listed.append(made.environments.others(["other/environment"])))
    asks.start()
    asks.join(0.2)
    assert listed == []
    let.set()
    asks.join(20)
    assert listed == [["environment.yaml"]]
    made.close()


def test_an_error_in_the_background_is_raised_where_the_environment_is_needed(made: Rig, cluster: RigCluster):
    made.environments.prepare_in_background(["environment.yaml"])
    made.environments.ensure([])
    with pytest.raises(ClusterError, match="not ready in time"):
        made.environments.ensure(["environment.yaml"])  # the namespace never becomes Active
    made.close()
    assert ("Namespace", "", "p-mtls-client") not in cluster.store


def test_half_an_environment_is_deleted_too(made: Rig, cluster: RigCluster):
    with pytest.raises(ClusterError, match="not ready in time"):
        made.environments.ensure(["environment.yaml"])  # the namespace never becomes Active
    assert ("Namespace", "", "p-mtls-client") in cluster.store
    made.close()
    assert ("Namespace", "", "p-mtls-client") not in cluster.store


def test_a_kept_environment_stays(made: Rig, cluster: RigCluster):
    with pytest.raises(ClusterError):
        made.environments.ensure(["environment.yaml"])
    made.close(keep=True)
    assert ("Namespace", "", "p-mtls-client") in cluster.store


def test_diagnostics_never_raise_and_hold_no_secret(
    made: Rig, cluster: RigCluster, tmp_path: Path, tokens: TokenIssuer, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any) -> bool:
        raise AccessError("no kinds")

    monkeypatch.setattr(cluster, "has_kind", refuse, raising=False)
    token = tokens.mint("valid")
    cluster.pods_of = {"istio-system": [Pod("istio-system", "istiod-1", containers=("discovery",))]}
    cluster.logs_of = {("istiod-1", "discovery"): [f"saw {token}", "x" * (diagnostics.MAX_BYTES + 10)]}
    files = {path.name: path for path in diagnostics.collect(made, Stage("s"), tmp_path / "d")}
    assert files["log-istiod-1.txt"].stat().st_size <= diagnostics.MAX_BYTES
    assert token not in "".join(path.read_text() for path in files.values())
    assert "policies.yaml: no kinds" in files["errors.txt"].read_text()


def test_one_namespace_that_cannot_be_read_is_named_and_costs_no_other_log(
    made: Rig, cluster: RigCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pods(namespace: str, labels: str = "") -> list[Pod]:
        if namespace == "p-a":
            raise AccessError("the cluster refuses to list pods in p-a")
        return [Pod(namespace, "web-1", containers=("app",))]

    monkeypatch.setattr(cluster, "pods", pods)
    monkeypatch.setattr(type(made.environments), "namespaces", frozenset({"p-a", "p-b"}))
    files = {path.name: path for path in diagnostics.collect(made, Stage("s"), tmp_path / "d")}
    assert {"log-p-b-web-1-app.txt", "log-web-1.txt"} <= set(files)
    assert "pods of p-a: the cluster refuses to list pods in p-a" in files["errors.txt"].read_text()


def test_a_share_of_the_probes_is_like_a_users_requests(made: Rig, sent: list[Any]):
    outcomes = made.prober.many(PROBE, "X")(16)
    requests = {request.request_id: request for _, batch in sent for request in batch}
    alike = [one for one in outcomes if one.ordinary]
    assert len(alike) == 4
    for outcome in alike:
        request = requests[outcome.request_id]
        assert request.ordinary
        assert str(uuid.UUID(request.request_id, version=4)) == request.request_id
        assert RUN not in str(request.headers)
    assert {requests[outcome.request_id].user_agent for outcome in alike} == set(ordinary.AGENTS)
    ports = [request.local_port for request in requests.values() if not request.ordinary]
    assert all(port in client_sessions.PORTS for port in ports)
    assert all(request.local_port in ordinary.WITH_SIDECAR for request in requests.values() if request.ordinary)


def test_a_client_without_sidecar_has_a_port_for_each_request_too(
    made: Rig, cluster: RigCluster, sent: list[Any]
) -> None:
    """The kernel gave one port to connections to two ports of a server, of which netfilter changed one on the way to
    the proxy: its log did not have the request, and the mesh was blamed."""
    cluster.pods_of["p-mtls-client"] = [pod("p-mtls-client", "sleep-1", injected=False)]
    made.prober.many(PROBE, "X")(12)
    requests = [request for _, batch in sent for request in batch]
    ports = [request.local_port for request in requests if not request.ordinary]
    assert len(set(ports)) == len(ports) == 9
    assert all(port in client_sessions.PORTS for port in ports)
    assert all(request.local_port in ordinary.PORTS for request in requests if request.ordinary)


def test_probes_that_are_sent_to_be_found_in_logs_are_never_ordinary(made: Rig, sent: list[Any]):
    assert not any(outcome.ordinary for outcome in made.prober.probe(PROBE, "X", 40))


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://httpbin.mtls-service:8000/ip", 8080),
        ("http://httpbin.mtls-service/ip", 80),
        ("tcp://httpbin.mtls-service:9000", 0),  # by a name, which the Service does not resolve
        ("http://httpbin.mtls-service:7777/ip", 0),
        ("http://nothing.mtls-service/ip", 0),
    ],
)
def test_the_port_of_the_container_behind_a_service(made: Rig, cluster: RigCluster, url: str, port: int):
    ports = [{"port": 8000, "targetPort": 8080}, {"port": 80}, {"port": 9000, "targetPort": "ledger"}]
    cluster.put({**SERVICE, "spec": {**SERVICE["spec"], "ports": ports}})  # type: ignore[dict-item]
    assert made.workloads.target_port(CLIENT.get(url)) == port


@pytest.mark.parametrize("dial", [Dial.POD, Dial.POD_WITH_HOST])
def test_a_pods_own_address_is_dialled_at_the_port_of_the_container(made: Rig, cluster: RigCluster, dial: Dial):
    """Also where no Service has that port, or one has it and leads to another."""
    ports = [{"port": 8000, "targetPort": 8080}]
    cluster.put({**SERVICE, "spec": {**SERVICE["spec"], "ports": ports}})  # type: ignore[dict-item]
    for port in (9090, 8000):
        probe = CLIENT.get(f"http://httpbin.mtls-service:{port}/ip", dial=dial)
        assert made.workloads.target_port(probe) == port


def test_every_kind_of_user_has_its_turn_in_the_requests_of_each_case(made: Rig):
    """Requests of other cases, which are sent meanwhile, took the turns of some kinds: a case never showed them."""
    other = replace(PROBE, url="http://httpbin.mtls-service:8000/get")
    agents = []
    for _ in range(len(ordinary.AGENTS)):
        agents.append(made.prober.request_for(PROBE, "X", like_a_users=True).user_agent)
        made.prober.request_for(other, "X", like_a_users=True)
    assert sorted(agents) == sorted(ordinary.AGENTS)


def test_a_gateway_on_the_way_inside_the_cluster_may_hold_stale_answers_too(made: Rig, cluster: RigCluster):
    behind = CLIENT.get("http://httpbin.mtls-service:8000/ip", behind="httpbin.mtls-service")
    single = made.certainty.required_confirmations(PROBE)
    assert made.certainty.required_confirmations(behind) == single, "one pod"
    cluster.pods_of["p-mtls-service"] = [pod("p-mtls-service", f"httpbin-{n}") for n in range(2)]
    made.forget()
    assert made.certainty.required_confirmations(behind) > made.certainty.required_confirmations(PROBE)
