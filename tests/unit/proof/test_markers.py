"""Markers: what they are, where they are looked for, and what they do to a verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, FakeRig, answered, labelled

from clients.apply import marker_objects
from clients.apply.item import Item
from clients.kube.api import RequestError
from clients.kube.pods import Pod
from clients.model.case import Case
from clients.model.errors import AccessError
from clients.model.evidence import Applied, FindingVerdict
from clients.model.expect import RBAC_DENIED, Expectation, grpc, no_reply, rbac_denied, status
from clients.model.marker import MarkerState
from clients.model.outcome import OutcomeKind
from clients.model.probe import Probe, Workload
from clients.model.stage import Settle, Stage, Step
from clients.probe.outside import through
from clients.proof.stage.marker_plan import Allowed, MarkerPlan
from clients.proof.stage.running_stage import RunningStage
from clients.proof.stage.servers import Servers
from clients.proof.waited import of_marker

pytestmark = pytest.mark.unit

URL = "http://httpbin.mtls-service:8000"
STILL = Case("X-1", CLIENT.get(f"{URL}/ip"), status(200), before=status(200))
DENIED = Case("X-2", CLIENT.get(f"{URL}/headers"), rbac_denied(), before=status(200))
SETTLE = (Settle(CLIENT.get(f"{URL}/headers"), rbac_denied(), before=status(200)),)
LABELS = {"app": "httpbin"}
SERVER = Pod("mtls-service", "httpbin-1", containers=("httpbin", "istio-proxy"), ready=True, labels=LABELS)


PLAIN_POD = replace(CLIENT_POD, containers=("sleep",))


class MarkerApplier:
    """Keeps what is in force; `manifests` are objects by name."""

    timeout_s = 1.0

    def __init__(self, manifests: dict[str, dict[str, Any]]) -> None:
        self.manifests, self.in_force, self.refuses = manifests, {}, None

    def load(self, paths: Any) -> list[Item]:
        return [Item(path, self.manifests[path]) for path in paths]

    def check(self, items: Any) -> None: ...

    def wait_ready(self, items: Any) -> None: ...

    def apply(self, items: Any) -> list[Applied]:
        if self.refuses and any(item.manifest == marker_objects.MANIFEST for item in items):
            raise self.refuses
        self.in_force |= {item.key: item.body for item in items}
        return [Applied(item.manifest, item.kind, item.namespace, item.name, "") for item in items]

    def delete(self, items: Any) -> None:
        for item in items:
            self.in_force.pop(item.key, None)

    def markers(self) -> list[dict[str, Any]]:
        return [body for body in self.in_force.values() if "marker" in body["metadata"]["name"]]


def policy(kind: str = "AuthorizationPolicy", group: str = "security.istio.io/v1") -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "p", "namespace": "mtls-service"}, "spec": {}}


def service(name: str = "http", target: Any = 8080) -> dict[str, Any]:
    ports = [{"port": 8000, "name": name, "targetPort": target}]
    return labelled("Service", "httpbin", "mtls-service", spec={"selector": LABELS, "ports": ports})


def words_in_force(rig: FakeRig) -> set[str]:
    policies = [body for body in rig.applier.markers() if body["kind"] == "AuthorizationPolicy"]
    return {word for body in policies for word in body["spec"]["rules"][0]["when"][0]["values"]}


def make_rig(**manifests: dict[str, Any]) -> FakeRig:
    """A mesh that enforces everything at once: /headers is refused while there is a policy, markers are answered."""

    def answer(probe: Probe, name: str) -> Any:
        rig.headers.append(dict(probe.headers))
        if dict(probe.headers).get(marker_objects.HEADER) in rig.arrived():
            return answered(403, name, RBAC_DENIED)
        if probe.url.startswith("http://httpbin"):
            enforced = any(body["metadata"]["name"] == "p" for body in rig.applier.in_force.values())
            refused = enforced and probe.url.endswith("/headers")
            return answered(403, name, RBAC_DENIED) if refused else answered(200, name)
        hosts = [body["spec"]["hosts"][0] for body in rig.applier.markers() if body["kind"] == "VirtualService"]
        word = next((host.partition(".")[0] for host in hosts if host in probe.url), "")
        return answered(200, name, word) if word else answered(502, name)

    rig = FakeRig(answer)
    rig.headers = []
    rig.arrived = lambda: words_in_force(rig)
    rig.applier = MarkerApplier({"policy": policy(), **manifests})
    rig.cluster.put(service())
    rig.cluster.pods_of["mtls-service"] = [SERVER]
    return rig


def stage(**more: Any) -> Stage:
    return Stage("s", apply=("policy",), settle=SETTLE, **more)


def test_an_unchanged_outcome_waits_for_the_servers_marker():
    rig = make_rig()
    with RunningStage(rig, stage(), [STILL, DENIED]) as running:
        [record] = running.marked(STILL)
        assert (record.place, record.state) == ("mtls-service/httpbin", MarkerState.SEEN)
        assert record.first_s is not None
        assert record.stable_s is not None
        assert running.marked(DENIED) == ()  # its own outcome shows the change
        [body] = rig.applier.markers()
        assert body["metadata"]["namespace"] == "mtls-service"
        assert body["metadata"]["labels"]["meshproof.dev/run"]
        assert body["spec"]["selector"]["matchLabels"] == LABELS
        [rule] = body["spec"]["rules"]
        assert rule["to"] == [{"operation": {"ports": ["8080"]}}]  # by HTTP alone, and on no other port
    assert rig.applier.markers() == []


def test_without_an_unchanged_outcome_no_marker_is_sent():
    rig = make_rig()
    with RunningStage(rig, stage(), [DENIED]):
        assert rig.applier.markers() == []


def test_a_server_that_gets_no_configuration_shows_no_marker():
    rig = make_rig()
    rig.arrived = frozenset
    with RunningStage(rig, stage(), [STILL, DENIED]) as running:
        [record] = running.marked(STILL)
        assert record.state is MarkerState.MISSING
        assert record.text.startswith("not in force: expected 403")


def test_a_refusal_for_another_reason_is_not_the_marker():
    rig = make_rig()
    answer = rig.answer
    rig.answer = lambda probe, name: answered(403, name, RBAC_DENIED) if rig.applier.markers() else answer(probe, name)
    with RunningStage(rig, stage(), [STILL, DENIED]) as running:
        [record] = running.marked(STILL)
        assert record.state is MarkerState.MISSING
        assert "not distinguished from another refusal" in record.text


@pytest.mark.parametrize("error", [AccessError("may not create"), RequestError("apply", 403, "forbidden")])
def test_where_it_may_not_be_applied_there_is_none(error):
    rig = make_rig()
    rig.applier.refuses = error
    with RunningStage(rig, stage(), [STILL, DENIED]) as running:
        [record] = running.marked(STILL)
        assert record.state is MarkerState.UNAVAILABLE
        assert error.message in record.text


@pytest.mark.parametrize("name", ["tcp", "redis", ""])
def test_no_marker_at_a_port_that_is_not_known_to_carry_http(name):
    rig = make_rig()
    rig.cluster.put(service(name))
    with RunningStage(rig, stage(), [STILL, DENIED]) as running:
        [record] = running.marked(STILL)
        assert record.state is MarkerState.UNAVAILABLE
        assert rig.applier.markers() == []


def test_each_change_has_a_marker_of_its_own():
    rig = make_rig(next=policy("PeerAuthentication"))
    steps = (Step("next", apply=("next",), settle=(Settle(STILL.probe, status(200), before=status(503)),)),)
    after = replace(STILL, control="X-3", step="next")
    with RunningStage(rig, stage(steps=steps), [STILL, DENIED, after]) as running:
        assert running.marked(STILL)[0].state is MarkerState.SEEN
        first = words_in_force(rig)
        running.reach("next")
        assert running.marked(after)[0].state is MarkerState.SEEN
        assert not first & words_in_force(rig)
        assert len(rig.applier.markers()) == 1


def test_a_removal_has_its_marker_after_it():
    rig = make_rig()
    with RunningStage(rig, stage(removed=("policy",)), [STILL]) as running:
        assert running.marked(STILL)[0].state is MarkerState.SEEN
        assert [body["metadata"]["name"] for body in rig.applier.in_force.values()] != ["p"]


def test_a_route_has_its_marker_at_the_clients_sidecar():
    rig = make_rig(route=policy("VirtualService", "networking.istio.io/v1"))
    with RunningStage(rig, Stage("s", apply=("route",)), [STILL]) as running:
        [record] = running.marked(STILL)
        assert (record.place, record.state) == ("sidecars of mtls-client/sleep", MarkerState.SEEN)
        assert {body["kind"] for body in rig.applier.markers()} == {"ServiceEntry", "VirtualService"}
        assert {body["metadata"]["namespace"] for body in rig.applier.markers()} == {"mtls-client"}
        assert all(body["spec"]["exportTo"] == ["."] for body in rig.applier.markers())


@pytest.mark.parametrize(
    ("container", "annotations", "through"),
    [
        ("sleep", {}, True),
        ("plain", {}, False),
        ("istio-proxy", {}, False),
        ("sleep", {"traffic.sidecar.istio.io/excludeOutboundPorts": "80"}, False),
    ],
)
def test_a_client_whose_traffic_passes_its_sidecar_by_sees_no_marker(container, annotations, through):
    rig = make_rig(route=policy("VirtualService", "networking.istio.io/v1"))
    containers = [{"name": "sleep"}, {"name": "plain", "securityContext": {"runAsUser": 1337}}, {"name": "istio-proxy"}]
    body = labelled("Pod", CLIENT_POD.name, CLIENT_POD.namespace, spec={"containers": containers})
    body["metadata"]["annotations"] = annotations
    rig.cluster.put(body)
    case = replace(STILL, probe=replace(STILL.probe, source=replace(CLIENT, container=container)))
    with RunningStage(rig, Stage("s", apply=("route",)), [case]) as running:
        assert bool(running.marked(case)) is through


def test_a_scope_that_hides_its_own_namespace_hides_the_marker():
    scope = policy("Sidecar", "networking.istio.io/v1")
    scope["metadata"]["namespace"] = "mtls-client"
    scope["spec"] = {"egress": [{"hosts": ["istio-system/*"]}]}
    with RunningStage(make_rig(scope=scope), Stage("s", apply=("scope",)), [STILL]) as running:
        [at_server, record] = running.marked(STILL)
        assert at_server.state is MarkerState.SEEN
        assert record.state is MarkerState.UNAVAILABLE
        assert "does not import its own namespace" in record.text


def test_network_policies_have_a_sign_in_place_of_a_marker():
    network = policy("NetworkPolicy", "networking.k8s.io/v1")
    rig = make_rig(network=network)
    shown = Settle(CLIENT.get(f"{URL}/headers"), rbac_denied(), before=status(200))
    with RunningStage(rig, Stage("s", apply=("network",), settle=(shown,)), [STILL]) as running:
        [record] = running.marked(STILL)
        assert (record.place, record.state) == ("NetworkPolicy", MarkerState.SEEN)
    with RunningStage(rig, Stage("s", apply=("network",)), [STILL]) as running:
        assert running.marked(STILL)[0].state is MarkerState.UNAVAILABLE
    wrong = replace(shown, before=status(404))
    with RunningStage(rig, Stage("s", apply=("network",), settle=(wrong,)), [STILL]) as running:
        assert running.marked(STILL)[0].state is MarkerState.MISSING


@pytest.mark.parametrize("before", [status(200), status(404)])
def test_where_nothing_shows_network_policies_no_other_change_stands_for_them(before):
    """They may count although the target is not known to enforce them: then their arrival is not checked.

    The rest of what the stage settles on was taken for their sign, seen or missing, though a proxy makes it.
    """
    rig = make_rig(
        network=policy("NetworkPolicy", "networking.k8s.io/v1"),
        route=policy("VirtualService", "networking.istio.io/v1"),
    )
    by_proxy = Settle(CLIENT.get(f"{URL}/headers"), rbac_denied(), before=before)
    by_network = Settle(CLIENT.get(f"{URL}/ip"), status(200), before=status(404), needs=frozenset({"network-policy"}))
    here = Stage("s", apply=("network", "route"), settle=(by_network, by_proxy)).on(["metrics"])
    assert here.settle == (by_proxy,)
    with RunningStage(rig, here, [STILL]) as running:
        signs = [record for record in running.marked(STILL) if record.place == "NetworkPolicy"]
        assert [record.state for record in signs] == [MarkerState.UNAVAILABLE]
        assert of_marker(signs[0]).verdict is FindingVerdict.NOT_CHECKED


def test_a_name_that_is_not_resolved_is_decided_by_no_proxy():
    case = replace(STILL, expect=no_reply(OutcomeKind.DNS), before=None)
    with RunningStage(make_rig(), stage(), [case, DENIED]) as running:
        assert running.marked(case) == ()


def test_an_answer_of_the_server_above_400_shows_the_marker_as_well():
    """A denial's status alone is no sign of it: what the suite calls its twin is let through."""
    rig = make_rig()
    answer = rig.answer
    rig.answer = lambda probe, name: replace(seen, status=418) if (seen := answer(probe, name)).status == 200 else seen
    twin = replace(STILL.probe, url=f"{URL}/status/418")
    denied = replace(DENIED, before=None, twin=twin, twin_expect=status(418))
    with RunningStage(rig, Stage("s", apply=("policy",)), [denied]) as running:
        assert [record.state for record in running.marked(denied)] == [MarkerState.SEEN]


EGRESS_POD = Pod("istio-egress", "gw-1", containers=("istio-proxy",), ready=True, labels={"istio": "egressgateway"})
ROUTE = {"gateways": ["istio-egress/egress-gateway", "mesh"], "hosts": ["example.com"]}


@pytest.mark.parametrize(
    ("client", "url", "port"),
    [
        (CLIENT_POD, "http://example.com", 8080),
        (CLIENT_POD, "https://example.com", 0),
        (PLAIN_POD, "http://example.com", None),
    ],
)
def test_a_host_is_reached_through_the_egress_gateway_only_by_a_sidecar(client, url, port):
    rig = make_rig()
    rig.gateways = [EGRESS_POD]
    rig.pods = lambda workload: [client]
    route = policy("VirtualService", "networking.istio.io/v1")
    servers = Servers(rig, [Item("route", {**route, "spec": ROUTE})]).of(CLIENT.get(url))
    assert [server.port for server in servers] == ([] if port is None else [port])


def test_a_server_without_a_proxy_needs_no_marker():
    rig = make_rig()
    rig.cluster.pods_of["mtls-service"] = [replace(SERVER, containers=("httpbin",))]
    with RunningStage(rig, stage(), [STILL, DENIED]) as running:
        assert running.marked(STILL) == ()


def test_a_named_port_is_that_of_the_pod():
    rig = make_rig()
    rig.cluster.put(service(target="web"))
    body = {"containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 8081}]}]}
    rig.cluster.put(labelled("Pod", "httpbin-1", "mtls-service", spec=body))
    assert [server.port for server in Servers(rig, ()).of(STILL.probe)] == [8081]


def test_what_is_still_looked_for_ends_with_the_stage():
    rig = make_rig()
    rig.arrived = frozenset
    rig.policy = replace(rig.policy, budget_s=60.0)
    began = time.monotonic()
    with RunningStage(rig, stage(), [STILL, DENIED]):
        pass
    assert time.monotonic() - began < 10
    assert CLIENT_POD.injected


def test_a_client_without_a_sidecar_looks_for_the_marker_where_it_may():
    """Its requests run in parallel, while those of a sidecar follow one another."""
    rig = make_rig()
    plain = replace(CLIENT, namespace="legacy-client")
    rig.pods = lambda workload: [PLAIN_POD if workload == plain else CLIENT_POD]
    allowed = [Allowed(STILL.probe, status(200)), Allowed(replace(STILL.probe, source=plain), status(200))]
    plan = MarkerPlan(rig, rig.applier.load(["policy"]), (), allowed)
    [place] = plan.places_of(STILL)
    assert plan.looks[place].probe.source == plain


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://httpbin.mtls-service:8000/ip", rbac_denied()),
        ("https://httpbin.mtls-service:8000/ip", rbac_denied()),
        ("ws://httpbin.mtls-service:8000/ip", rbac_denied()),
        ("grpc://httpbin.mtls-service:8000/shop.Cart/Get", grpc(7)),
        ("grpcs://httpbin.mtls-service:8000/shop.Cart/Get", grpc(7)),
    ],
)
def test_a_marker_is_refused_as_requests_of_its_kind_are(url: str, refused: Expectation):
    """Where the first call that was let in was one over TLS, its marker was awaited as an answer that is no call's."""
    rig = make_rig()
    served = grpc(0) if url.startswith("grpc") else status(200)
    plan = MarkerPlan(rig, rig.applier.load(["policy"]), (), [Allowed(replace(STILL.probe, url=url), served)])
    [place] = plan.places_of(STILL)
    assert plan.looks[place].expect == refused


@pytest.mark.parametrize("turn", [1, -1])
def test_a_body_by_http2_shows_a_marker_only_where_nothing_else_does(turn):
    rig = make_rig()
    by_http2 = replace(STILL.probe, method="PUT", body="{}", http2=True)
    allowed = [Allowed(by_http2, status(200)), Allowed(STILL.probe, status(200))][::turn]
    plan = MarkerPlan(rig, rig.applier.load(["policy"]), (), allowed)
    [place] = plan.places_of(STILL)
    assert not plan.looks[place].probe.http2
    alone = MarkerPlan(rig, rig.applier.load(["policy"]), (), [Allowed(by_http2, status(200))])
    [place] = alone.places_of(STILL)
    assert alone.looks[place].probe.http2


GATEWAY_POD = Pod("gke-system", "gw-1", containers=("istio-proxy",), ready=True, labels={"app": "gw"})
OUTSIDE = through(Workload("gke-system", "gw", "istio-proxy"))


def test_a_server_behind_a_gateway_shows_its_marker_by_what_it_answers_itself():
    """A preflight is let through as well, but the gateway answers it."""
    rig = make_rig()
    rig.overlay.namespaces = frozenset({"mtls-service", "gke-system"})
    rig.cluster.pods_of["gke-system"] = [GATEWAY_POD]
    ports = [{"port": 80, "name": "http2", "targetPort": 8080}]
    rig.cluster.put(labelled("Service", "gw", "gke-system", spec={"selector": {"app": "gw"}, "ports": ports}))
    behind = Probe(OUTSIDE, "http://shop.example/ip", behind="httpbin.mtls-service")
    preflight = replace(STILL, control="X-4", probe=replace(behind, method="OPTIONS"))
    case = replace(STILL, probe=behind)
    allowed = [Allowed(preflight.probe, status(200)), Allowed(behind, status(200))]
    plan = MarkerPlan(rig, rig.applier.load(["policy"]), (), allowed)
    plan.places_of(case)
    assert {look.name: look.probe.method for look in plan.looks.values()}["mtls-service/httpbin"] == "GET"
    assert {look.name: look.probe.method for look in plan.looks.values()}["gke-system/gw"] == "GET"
    plan = MarkerPlan(rig, rig.applier.load(["policy"]), (), allowed[:1])
    plan.places_of(case)
    assert [record.place for record in plan.without.values()] == ["mtls-service/httpbin"]
    assert [look.name for look in plan.looks.values()] == ["gke-system/gw"]


def test_a_gateway_that_a_pod_dials_shows_its_marker_as_well():
    """Only the server behind it did: "still refused" by the gateway was judged before the gateway had its policy."""
    rig = make_rig()
    rig.overlay.namespaces = frozenset({"mtls-service", "gke-system"})
    rig.cluster.pods_of["gke-system"] = [GATEWAY_POD]
    ports = [{"port": 80, "name": "http2", "targetPort": 8080}]
    rig.cluster.put(labelled("Service", "gw", "gke-system", spec={"selector": {"app": "gw"}, "ports": ports}))
    behind = replace(STILL.probe, url="http://gw.gke-system/ip", behind="httpbin.mtls-service")
    plan = MarkerPlan(rig, rig.applier.load(["policy"]), (), [Allowed(behind, status(200))])
    plan.places_of(replace(STILL, probe=behind))
    assert [look.name for look in plan.looks.values()] == ["gke-system/gw", "mtls-service/httpbin"]


def test_a_server_that_is_not_ready_for_a_moment_has_its_marker_all_the_same():
    """Without one, "still refused" was judged at once, and no finding said so."""
    rig = make_rig()
    rig.cluster.pods_of["mtls-service"] = [replace(SERVER, ready=False)]
    plan = MarkerPlan(rig, rig.applier.load(["policy"]), (), [Allowed(STILL.probe, status(200))])
    assert len(plan.places_of(STILL)) == 1


@pytest.mark.parametrize(
    ("own", "dialled"),
    [
        ({}, "198.51.100.254"),
        ({"ip": "10.0.0.5", "more_ips": ("fd00::5",)}, "198.51.100.254"),
        ({"ip": "fd00::5"}, "[2001:db8::fe]"),
    ],
)
def test_a_pod_of_ipv6_alone_dials_an_address_that_it_has_a_route_to(own: dict[str, Any], dialled: str):
    """Its connection failed before it came to the sidecar: no route was ever seen to have arrived."""
    rig = make_rig(route=policy("VirtualService", "networking.istio.io/v1"))
    rig.pods = lambda _: [replace(CLIENT_POD, **own)]
    plan = MarkerPlan(rig, rig.applier.load(["route"]), (), [])
    plan._servers.by_sidecar = lambda _: True
    plan.places_of(STILL)
    [look] = [one for one in plan.looks.values() if one.client]
    assert look.probe.resolve.startswith(f"{dialled}:")
