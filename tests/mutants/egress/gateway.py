"""Mutants of egress: the gateway, the scope of exports, the network behind it, the external hosts."""

from __future__ import annotations

import base64

from testbed.pki import Authority
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS

GATEWAY = "istio-egressgateway"
_FOREIGN = Authority()
_PAIR = _FOREIGN.issue("example.com", names=["example.com"])


@mutant(
    "gateway-unguarded",
    Area.AUTHORIZATION,
    EGRESS,
    cases("EGR-AUTHZ-01 02 03 06 07", FAIL),
    {"EGR-AUTHZ-02": "settled 1: expected 403"},
)
def gateway_unguarded(objects: list[Object]) -> None:
    """The first policy of the gateway selects no pod."""
    for body in of_kind(objects, "AuthorizationPolicy", "egress-team-x-to-example-com"):
        body["spec"]["selector"] = {"matchLabels": {"app": "no-pod"}}


@mutant(
    "certificate-not-verified",
    Area.ORIGINATION,
    EGRESS,
    cases("EGR-ORIG-01", PASS) | {f"EGR-ORIG-04[{kind}]": FAIL for kind in ("untrusted", "wrong-name", "expired")},
    {"EGR-ORIG-04[untrusted]": "saw 200"},
)
def not_verified(objects: list[Object]) -> None:
    """The gateway verifies no server's certificate."""
    for body in of_kind(objects, "DestinationRule"):
        for subset in body["spec"].get("subsets", ()):
            for port in subset.get("trafficPolicy", {}).get("portLevelSettings", ()):
                if port["tls"]["mode"] == "SIMPLE":
                    port["tls"] = {"mode": "SIMPLE", "insecureSkipVerify": True, "sni": port["tls"]["sni"]}


@mutant(
    "certificate-of-one-host-not-verified",
    Area.ORIGINATION,
    EGRESS,
    cases("EGR-ORIG-01", PASS) | {"EGR-ORIG-04[untrusted]": PASS, "X-EGR-ORIG-SAME": FAIL},
    {"X-EGR-ORIG-SAME": "saw 200"},
)
def one_host_not_verified(objects: list[Object]) -> None:
    """The gateway does not verify the certificate of example.com itself; those of other hosts it does."""
    for body in of_kind(objects, "DestinationRule", "example-com-originate-tls"):
        for subset in body["spec"]["subsets"]:
            for port in subset["trafficPolicy"]["portLevelSettings"]:
                port["tls"]["insecureSkipVerify"] = True


@mutant(
    "exported-to-all",
    Area.EGRESS,
    EGRESS,
    cases("EGR-TENANT-01 02", PASS) | cases("EGR-TENANT-03 04 05", FAIL),
    {"EGR-TENANT-03": "expected 502", "EGR-TENANT-05": "example.com is configured"},
    nightly=True,
)
def exported_to_all(objects: list[Object]) -> None:
    """example.com is exported to all namespaces."""
    for kind in ("ServiceEntry", "VirtualService"):
        for body in of_kind(objects, kind):
            if body["metadata"]["name"].startswith("example-com-"):
                body["spec"]["exportTo"] = ["*"]


@mutant(
    "out-anywhere",
    Area.EGRESS,
    EGRESS,
    cases("EGR-SIDECAR-02 03 04", FAIL),
    {"EGR-SIDECAR-02": "settled 1", "EGR-SIDECAR-03": "settled 1"},
)
def anywhere(objects: list[Object]) -> None:
    """Proxies let unknown destinations pass."""
    for body in of_kind(objects, "Sidecar"):
        body["spec"]["outboundTrafficPolicy"]["mode"] = "ALLOW_ANY"


@mutant(
    "pass-through-terminated",
    Area.PASS_THROUGH,
    EGRESS,
    cases("EGR-PASS-01 02", PASS)
    | cases("EGR-PASS-03", FAIL)
    | {"EGR-PASS-09[seen by the server]": PASS, "EGR-PASS-09": FAIL},
    {"EGR-PASS-03": "an entry has", "EGR-PASS-09": "the application sees"},
)
def terminated(objects: list[Object]) -> None:
    """The gateway decrypts what it should pass on: it has a certificate that clients trust, and speaks TLS itself."""
    for body in of_kind(objects, "ConfigMap", "external-roots"):
        body["data"]["roots.pem"] += _FOREIGN.pair.certificate.decode()
    for body in of_kind(objects, "VirtualService", "example-com-through-egress-gateway"):
        _read_at_gateway(body["spec"])
    for body in list(of_kind(objects, "Gateway", "egress-gateway")):
        for server in body["spec"]["servers"]:
            if server["port"]["number"] == 443:
                server["port"] = {"number": 443, "name": "https-443", "protocol": "HTTPS"}
                server["tls"] = {"mode": "SIMPLE", "credentialName": "mutant"}
        objects += _credential(body["metadata"])


def _read_at_gateway(spec: Object) -> None:
    passed = [route for route in spec.get("tls", ()) if route["match"][0]["gateways"] != ["mesh"]]
    for route in passed:
        spec["tls"].remove(route)
        match = [{"gateways": route["match"][0]["gateways"], "port": 443}]
        originating = spec["http"][1]["route"]
        spec["http"].append({"match": match, "route": originating})


def _credential(place: Object) -> list[Object]:
    """The certificate, and the gateway's right to it."""
    meta = {"name": "mutant", "namespace": place["namespace"], "labels": place["labels"]}
    data = {"tls.crt": _PAIR.certificate, "tls.key": _PAIR.key}
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": f"{GATEWAY}-service-account", "namespace": place["namespace"]}
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "type": "kubernetes.io/tls",
            "data": {name: base64.b64encode(text).decode() for name, text in data.items()},
        },
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "mutant"},
            "subjects": [account],
        },
    ]
