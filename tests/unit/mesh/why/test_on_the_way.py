"""What lies between caller and server: which DestinationRule counts, and NetworkPolicies of the system's namespaces."""

from __future__ import annotations

import pytest
from why_samples import Json, PolicySample, destination, network, pod, service, view

from clients.mesh.why import network as of_networks

pytestmark = pytest.mark.unit

HOST = "httpbin.mtls-service.svc.cluster.local"
PLAIN, MUTUAL = {"mode": "DISABLE"}, {"mode": "ISTIO_MUTUAL"}
SERVERS, CALLERS, ROOT, ELSEWHERE = "mtls-service", "mtls-client", "istio-system", "team-x"


def rule(name: str, tls: Json, namespace: str, host: str = HOST, **spec: object) -> Json:
    """A DestinationRule with further fields."""
    body = destination(name, host, tls, namespace)
    return {**body, "spec": {**body["spec"], **spec}}


@pytest.mark.parametrize(
    ("objects", "disabled"),
    [
        ([rule("own", MUTUAL, CALLERS), rule("theirs", PLAIN, SERVERS)], ""),
        ([rule("own", PLAIN, CALLERS), rule("theirs", MUTUAL, SERVERS)], "mtls-client/own"),
        ([rule("own", MUTUAL, CALLERS, "*.local"), rule("theirs", PLAIN, SERVERS)], ""),
        ([rule("wide", MUTUAL, CALLERS, "*.local"), rule("own", PLAIN, CALLERS)], "mtls-client/own"),
        ([rule("wide", PLAIN, CALLERS, "*.local"), rule("own", MUTUAL, CALLERS)], ""),
        ([rule("wide", PLAIN, CALLERS, "*.mtls-service.svc.cluster.local")], "mtls-client/wide"),
        ([rule("wide", PLAIN, CALLERS, "*.other.svc.cluster.local")], ""),
        ([rule("theirs", PLAIN, SERVERS, exportTo=["."])], ""),
        ([rule("theirs", PLAIN, SERVERS, exportTo=[CALLERS])], "mtls-service/theirs"),
        ([rule("theirs", PLAIN, SERVERS, exportTo=[ELSEWHERE])], ""),
        ([rule("theirs", PLAIN, SERVERS, exportTo=["*"])], "mtls-service/theirs"),
        ([rule("root", PLAIN, ROOT)], "istio-system/root"),
        ([rule("root", PLAIN, ROOT), rule("theirs", MUTUAL, SERVERS)], ""),
        ([rule("elsewhere", PLAIN, ELSEWHERE)], ""),
        ([rule("one", PLAIN, CALLERS), rule("two", MUTUAL, CALLERS)], ""),
        ([rule("some", PLAIN, CALLERS, workloadSelector={"matchLabels": {"app": "x"}})], ""),
    ],
)
def test_the_callers_own_rule_comes_first_then_the_servers_then_the_meshs(objects: list[Json], disabled: str) -> None:
    """Of one namespace the most specific host; where two compete, or a selector decides, nothing is known."""
    expected = f"DestinationRule {disabled} disables mutual TLS" if disabled else ""
    assert PolicySample("", tuple(objects)).case.no_identity == expected


def test_another_service_in_front_of_the_workload_may_be_the_one_that_is_called() -> None:
    second = service("second")
    second["spec"]["selector"] = {"app": "httpbin"}
    assert PolicySample("", (second, rule("one", PLAIN, CALLERS))).case.no_identity == ""


@pytest.mark.parametrize(
    ("namespace", "app", "blamed"),
    [("kube-system", "metrics-server", False), ("openshift-dns", "dns", False), ("mtls-client", "sleep", True)],
)
def test_name_servers_of_the_policys_own_namespace_are_selected_by_their_labels(
    namespace: str, app: str, blamed: bool
) -> None:
    dns = {"to": [{"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}], "ports": [{"port": 53}]}
    own = network("dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [dns]}, namespace)
    seen = view(pod(app, namespace, sidecar=False), own)
    assert bool(of_networks.no_name_server(seen)) is blamed


@pytest.mark.parametrize(
    ("namespace", "more", "blamed"),
    [
        ("istio-system", [], False),
        ("mesh-control", [pod("istiod", "mesh-control", sidecar=False)], False),
        ("mtls-client", [], True),
    ],
)
def test_a_control_plane_of_the_policys_own_namespace_is_selected_by_its_labels(
    namespace: str, more: list[Json], blamed: bool
) -> None:
    control = {"to": [{"podSelector": {"matchLabels": {"app": "istiod"}}}], "ports": [{"port": 15012}]}
    own = network("istiod", {"podSelector": {"matchLabels": {"app": "gateway"}}, "policyTypes": ["Egress"],
                             "egress": [control]}, namespace)  # fmt: skip
    assert bool(of_networks.no_control_plane(view(pod("gateway", namespace), *more, own))) is blamed
