"""What lies between caller and server: which DestinationRule counts, and NetworkPolicies of the system's namespaces."""

from __future__ import annotations

import pytest
from why_samples import STRICT, Json, PolicySample, destination, entry, network, pod, service, view

from clients.mesh.why import network as of_networks
from clients.mesh.why import outbound

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


@pytest.mark.parametrize(
    ("objects", "blamed"),
    [
        ([rule("own", PLAIN, CALLERS)], ["own"]),
        ([rule("own", PLAIN, CALLERS), rule("theirs", PLAIN, SERVERS)], ["own", "theirs"]),
        ([rule("own", PLAIN, CALLERS), rule("second", MUTUAL, CALLERS)], []),
        ([rule("root", PLAIN, ROOT)], ["root"]),
        ([rule("root", PLAIN, ROOT), rule("theirs", MUTUAL, SERVERS)], []),
    ],
)
def test_a_rule_that_never_counts_breaks_no_call(objects: list[Json], blamed: list[str]) -> None:
    found = [one.text.split()[1].split("/")[1] for one in outbound.plain_text_to_strict(view(STRICT, *objects))]
    assert found == blamed


MESHED = (("httpbin", "mtls-service"), ("ledger", "mtls-service"), ("sleep", "mtls-client"))
TCP = {"number": 443, "name": "tcp", "protocol": "TCP"}


def capturing(app: str, namespace: str) -> Json:
    """A pod whose proxy answers for names."""
    body = pod(app, namespace)
    body["spec"]["containers"][1]["env"] = [{"name": "ISTIO_META_DNS_CAPTURE", "value": "true"}]
    return body


@pytest.mark.parametrize(
    ("clients", "hosts", "resolution", "blamed"),
    [
        ([], ["shop.example.com"], "DNS", True),
        ([capturing("sleep", "mtls-client")], ["shop.example.com"], "DNS", True),
        ([capturing(app, where) for app, where in MESHED], ["shop.example.com"], "DNS", False),
        ([capturing(app, where) for app, where in MESHED], ["shop.example.com"], "NONE", True),
        ([capturing(app, where) for app, where in MESHED], ["*.example.com"], "DNS", True),
    ],
)
def test_a_proxy_that_answers_for_names_has_addresses_of_its_own_for_entries(
    clients: list[Json], hosts: list[str], resolution: str, blamed: bool
) -> None:
    """Istio gives each host one, with which connections are told apart; not a wildcard, and none without resolution."""
    seen = view(*clients, entry("shop", hosts, TCP, resolution=resolution))
    assert bool(outbound.entry_for_every_address(seen)) is blamed
