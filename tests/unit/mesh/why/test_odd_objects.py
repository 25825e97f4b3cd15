"""Objects of another form than the API's, and workloads of manifests of every kind that makes pods."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from why_samples import (
    KNOWN,
    OBJECTS,
    STRICT,
    TOKENS,
    WORKLOADS,
    Json,
    authorization,
    destination,
    network,
    pod,
    policy,
    service,
    source,
    view,
)

from clients.mesh.why import detectors, forms, network_objects, outbound, selection
from clients.mesh.why.view import view_of

pytestmark = pytest.mark.unit

ODD = (None, "x", 7, True, 1.5, [], {}, ["x"], {"x": "y"}, [None], [[]], {"x": None})
EVERY = [*WORKLOADS, TOKENS, STRICT, *(one for sample in OBJECTS.values() for one in sample.objects)]
BY_KIND = {kind: [one for one in EVERY if one["kind"] == kind] for kind in sorted({one["kind"] for one in EVERY})}


def paths(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each part of an object is."""
    if at:
        yield at
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from paths(value, (*at, key))


def changed(body: Json, at: tuple[Any, ...], value: Any) -> Json:
    """The object with another value there."""
    made = copy.deepcopy(body)
    node: Any = made
    for key in at[:-1]:
        node = node[key]
    node[at[-1]] = value
    return made


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_no_value_of_another_type_ends_the_detectors(kind: str) -> None:
    """An older definition leaves types open, and a manifest has what its author wrote."""
    kept = {("kind",), ("metadata",), ("metadata", "name"), ("metadata", "namespace")}
    places = ((body, at) for body in BY_KIND[kind] for at in paths(body) if at not in kept)
    tried = [changed(body, at, value) for body, at in places for value in ODD]
    distinct = {repr(one): one for one in tried}
    for number, body in enumerate(distinct.values()):
        body["metadata"]["name"] = f"odd-{number}"
    detectors.of_objects(view_of([*WORKLOADS, *distinct.values()], known=KNOWN, revisions={}))


@pytest.mark.parametrize(
    ("kind", "spec", "line"),
    [
        ("PeerAuthentication", {"portLevelMtls": {8080: "STRICT"}}, "spec.portLevelMtls.8080 is a text, where"),
        ("PeerAuthentication", {"mtls": "STRICT"}, "spec.mtls is a text, where an object is expected"),
        ("AuthorizationPolicy", {"rules": {}}, "spec.rules is an object, where a list is expected"),
        ("AuthorizationPolicy", {"rules": [None]}, "spec.rules[0] is null, where an object is expected"),
        (
            "AuthorizationPolicy",
            {"rules": [{"to": [{"operation": {"ports": [8080]}}]}]},
            "spec.rules[0].to[0].operation.ports[0] is a whole number, where a text is expected",
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"from": [{"source": {"principals": "*"}}]}]},
            "spec.rules[0].from[0].source.principals is a text, where a list is expected",
        ),
        ("AuthorizationPolicy", {"rules": [{"when": [{"values": ["x"]}]}]}, "spec.rules[0].when[0].key is missing"),
        ("RequestAuthentication", {"jwtRules": "x"}, "spec.jwtRules is a text, where a list is expected"),
        ("NetworkPolicy", {"egress": [{"ports": [{"port": 1.5}]}]}, "is of no type that the API has there"),
        ("Service", {"ports": [{"port": "http"}]}, "spec.ports[0].port is a text, where a whole number is expected"),
        ("Service", {"ports": [{"port": 80, "targetPort": []}]}, "is a list, where a whole number or a text is"),
        ("Deployment", {}, "spec.template is missing"),
        ("DestinationRule", {"trafficPolicy": {"tls": "DISABLE"}}, "spec.trafficPolicy.tls is a text, where an object"),
    ],
)
def test_what_is_odd_is_named(kind: str, spec: Json, line: str) -> None:
    body = {"kind": kind, "metadata": {"name": "odd", "namespace": "mtls-service"}, "spec": spec}
    [found] = selection.odd_form(view(body))
    assert found.text.startswith(f"{kind} mtls-service/odd: ")
    assert line in found.text


def test_of_a_kind_with_an_odd_object_not_all_is_known() -> None:
    """What the odd one does is not known, so that nothing is said of what no policy does."""
    odd = policy("AuthorizationPolicy", "odd", {"rules": "x"})
    assert set(detectors.of_objects(view(TOKENS, odd))) == {"odd_form"}
    assert "token_not_required" in detectors.of_objects(view(TOKENS))


@pytest.mark.parametrize(
    "body",
    [
        policy("PeerAuthentication", "empty", {}),
        {"kind": "PeerAuthentication", "metadata": {"name": "no-spec", "namespace": "mtls-service"}},
        {"kind": "AuthorizationPolicy", "metadata": {"name": "null-spec", "labels": None}, "spec": None},
        policy("AuthorizationPolicy", "nulls", {"selector": None, "rules": None, "action": None}),
        policy("PeerAuthentication", "null", {"mtls": None, "portLevelMtls": {"8080": None}}),
        policy(
            "AuthorizationPolicy", "unknown", {"rules": [{"from": [{"source": {"trustDomains": ["a"]}}]}], "new": 1}
        ),
        network("all", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [None]}),
        {"kind": "EnvoyFilter", "metadata": {"name": "x"}, "spec": "anything"},
    ],
    ids=lambda body: body["metadata"]["name"],
)
def test_what_the_api_accepts_is_not_odd(body: Json) -> None:
    assert forms.problem(body) == ""
    detectors.of_objects(view(body))


def made_by(kind: str, app: str = "ledger", namespace: str = "mtls-service") -> Json:
    """A manifest whose pods have this label."""
    template: Json = {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": app, "image": app}]}}
    spec: Json = {"template": template}
    if kind == "Pod":
        return {"kind": kind, "metadata": {"name": app, "namespace": namespace, **template["metadata"]},
                "spec": template["spec"]}  # fmt: skip
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    return {"kind": kind, "metadata": {"name": app, "namespace": namespace}, "spec": spec}


KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_may_be_for_whatever_makes_pods(kind: str) -> None:
    spec = {"selector": {"matchLabels": {"app": "ledger"}}}
    isolated = network("ledger", {"podSelector": {"matchLabels": {"app": "ledger"}}}, "mtls-service")
    objects = [made_by("Deployment", "httpbin"), made_by(kind), policy("AuthorizationPolicy", "ledger", spec), isolated]
    seen = view_of(objects, known=KNOWN)
    assert (selection.selects_nothing(seen), detectors.of_objects(seen)) == ([], {})
    assert network_objects.NETWORK in seen.known


@pytest.mark.parametrize(
    ("labels", "own", "without"),
    [
        ({}, {}, True),
        ({"istio-injection": "enabled"}, {}, False),
        ({"istio-injection": "disabled"}, {}, True),
        ({"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, True),
        ({"istio.io/rev": "canary"}, {}, False),
        ({}, {"sidecar.istio.io/inject": "true"}, False),
        ({"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, True),
        (None, {}, False),
    ],
)
def test_a_manifest_of_a_namespace_says_whether_its_pods_have_a_sidecar(
    labels: Json | None, own: Json, without: bool
) -> None:
    """To send plain text to a server without one is what the field does for it."""
    server = made_by("Deployment", "httpbin")
    server["spec"]["template"]["metadata"]["labels"] |= own
    server["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
    objects = [server, service(), STRICT, destination("plain", "httpbin.mtls-service.svc.cluster.local", DISABLED)]
    if labels is not None:
        objects.append({"kind": "Namespace", "metadata": {"name": "mtls-service", "labels": labels}})
    seen = view_of(objects, known=KNOWN)
    assert bool(outbound.plain_text_to_strict(seen)) is not without


DISABLED = {"mode": "DISABLE"}


def test_pods_of_one_name_with_and_without_a_sidecar_are_two_workloads() -> None:
    """As while a namespace is taken into the mesh: neither means the other."""
    bare = pod(sidecar=False)
    bare["metadata"]["name"] = "httpbin-older"
    seen = view_of([pod(), bare, service()], known=KNOWN)
    assert sorted(one.injected for one in seen.workloads if one.injected is not None) == [False, True]
    assert [str(one) for one in view_of([pod(), pod()], known=KNOWN).workloads] == ["mtls-service/httpbin"]


def test_a_manifest_may_leave_its_namespace_out() -> None:
    bodies = [made_by("Pod"), authorization("a", "ALLOW", source(namespaces=["x"]))]
    del bodies[0]["metadata"]["namespace"]
    assert [str(one) for one in view_of(bodies, known=KNOWN).workloads] == ["default/ledger"]
