"""Mutants of what leaves the mesh: routes, scopes, TLS to external hosts, network policies, the firewall."""

from __future__ import annotations

import copy
from typing import Any

from tests.mutants.entry import FAIL, LOST, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS, IAP

_NETPOL = "NetworkPolicy"


@mutant(
    "scope-lost",
    Area.EGRESS,
    EGRESS,
    cases("EGR-SIDECAR-02 03 04", FAIL) | cases("X-EGR-SCOPE-PORT", FAIL),
    nightly=True,
)
def scope_lost(objects: list[Object]) -> None:
    """The Sidecar resource selects a workload that does not exist, so proxies keep the whole mesh."""
    for body in of_kind(objects, "Sidecar"):
        body["spec"]["workloadSelector"] = {"labels": {"app": "no-pod"}}


@mutant("scope-of-one-workload-wider", Area.EGRESS, EGRESS, cases("EGR-SIDECAR-03", FAIL), nightly=True)
def scope_of_one_workload_wider(objects: list[Object]) -> None:
    """One workload has a Sidecar resource of its own, which lets unknown destinations pass."""
    for body in list(of_kind(objects, "Sidecar", "default")):
        wider = copy.deepcopy(body)
        wider["metadata"]["name"] = "wider"
        wider["spec"] |= {
            "workloadSelector": {"labels": {"app": "test"}},
            "outboundTrafficPolicy": {"mode": "ALLOW_ANY"},
        }
        objects.append(wider)


@mutant("wildcard-entry", Area.EGRESS, EGRESS, cases("EGR-TENANT-03 04", FAIL), nightly=True)
def wildcard_entry(objects: list[Object]) -> None:
    """An entry for `*.com` is exported to the second team."""
    for body in list(of_kind(objects, "ServiceEntry", "httpbin-org-ext")):
        wide = copy.deepcopy(body)
        wide["metadata"]["name"] = "wildcard"
        wide["spec"] |= {"hosts": ["*.com"], "resolution": "NONE"}
        objects.append(wide)


@mutant("route-past-the-gateway", Area.EGRESS, EGRESS, cases("EGR-ROUTE-01 02", FAIL), nightly=True)
def route_past_the_gateway(objects: list[Object]) -> None:
    """The mesh's own route leads to the host itself: only the firewall stops what goes around the gateway."""
    for body in of_kind(objects, "VirtualService", "example-com-through-egress-gateway"):
        to_gateway, to_host = body["spec"]["http"]
        to_gateway["route"] = to_host["route"]


@mutant(
    "first-hop-in-plaintext",
    Area.EGRESS,
    EGRESS,
    cases("EGR-ROUTE-04", FAIL) | {"EGR-ROUTE-06[plain HTTP]": FAIL},
    nightly=True,
)
def first_hop_in_plaintext(objects: list[Object]) -> None:
    """The gateway accepts plaintext, and the mesh's proxies send it."""
    for body in of_kind(objects, "Gateway", "egress-gateway"):
        server = body["spec"]["servers"][0]
        server["port"] = {"number": 80, "name": "http", "protocol": "HTTP"}
        server.pop("tls")
    for body in of_kind(objects, "DestinationRule", "target-egress-gateway"):
        body["spec"]["subsets"][0]["trafficPolicy"]["tls"] = {"mode": "DISABLE"}


def _origination(objects: list[Object]) -> list[dict[str, Any]]:
    """TLS settings of the rule for example.com, each as a mapping that may be changed."""
    return [
        port["tls"]
        for body in of_kind(objects, "DestinationRule", "example-com-originate-tls")
        for subset in body["spec"]["subsets"]
        for port in subset["trafficPolicy"]["portLevelSettings"]
    ]


@mutant("origination-disabled", Area.ORIGINATION, EGRESS, cases("EGR-ORIG-02", FAIL), nightly=True)
def origination_disabled(objects: list[Object]) -> None:
    """The gateway speaks plaintext to the port for TLS."""
    for tls in _origination(objects):
        tls.clear()
        tls["mode"] = "DISABLE"


@mutant("origination-under-another-name", Area.ORIGINATION, EGRESS, cases("EGR-ORIG-02", FAIL), nightly=True)
def origination_under_another_name(objects: list[Object]) -> None:
    """The gateway names another host in its TLS handshake."""
    for tls in _origination(objects):
        tls |= {"sni": "www.example.com", "subjectAltNames": ["example.com"]}


@mutant(
    "origination-forgotten",
    Area.ORIGINATION,
    EGRESS,
    cases("EGR-ORIG-02", FAIL),
    nightly=True,
)
def origination_forgotten(objects: list[Object]) -> None:
    """The gateway's route leads to the port for plaintext."""
    for body in of_kind(objects, "VirtualService", "example-com-through-egress-gateway"):
        for route in body["spec"]["http"]:
            for to in route["route"]:
                if to["destination"].pop("subset", "") == "example-com-originate-TLS":
                    to["destination"]["port"] = {"number": 80}
                elif to["destination"]["host"] != "example.com":
                    to["destination"]["subset"] = "target-egress-gateway-mTLS"


@mutant("pass-through-for-both-teams", Area.PASS_THROUGH, EGRESS, cases("EGR-PASS-06", FAIL), nightly=True)
def pass_through_for_both_teams(objects: list[Object]) -> None:
    """example.com is exported to the team that must not reach it."""
    for kind in ("ServiceEntry", "VirtualService"):
        for body in of_kind(objects, kind):
            if body["metadata"]["name"].startswith("example-com-") and "exportTo" in body["spec"]:
                body["spec"]["exportTo"] = ["*"]


@mutant("pass-through-unguarded", Area.PASS_THROUGH, EGRESS, cases("EGR-PASS-04", FAIL), nightly=True)
def pass_through_unguarded(objects: list[Object]) -> None:
    """A policy without any condition lets all TLS pass."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "egress-team-x-to-example-com")):
        wide = copy.deepcopy(body)
        wide["metadata"]["name"] = "egress-all"
        wide["spec"] = {"action": "ALLOW", "rules": [{}]}
        objects.append(wide)


@mutant("pass-through-refused", Area.PASS_THROUGH, EGRESS, cases("EGR-PASS-02", FAIL), nightly=True)
def pass_through_refused(objects: list[Object]) -> None:
    """The policy for the port of TLS names another port."""
    for body in of_kind(objects, "AuthorizationPolicy", "egress-all-443"):
        body["spec"]["rules"][0]["when"][0]["values"] = ["444"]


@mutant("google-apis-for-both-teams", Area.EGRESS, EGRESS, cases("EGR-API-03 05", FAIL), nightly=True)
def google_apis_for_both_teams(objects: list[Object]) -> None:
    """Google's APIs are registered for every namespace."""
    for body in of_kind(objects, "ServiceEntry"):
        if "googleapis" in body["metadata"]["name"] or "metadata" in body["metadata"]["name"]:
            body["spec"]["exportTo"] = ["*"]


_REACHES_NOTHING = "the client reaches nothing"


@mutant(
    "sidecar-refuses-everything",
    Area.CLIENT,
    EGRESS,
    cases("EGR-SIDECAR-03 04", LOST),
    {"EGR-SIDECAR-03": _REACHES_NOTHING, "EGR-SIDECAR-04": _REACHES_NOTHING},
    nightly=True,
)
def sidecar_refuses_everything(objects: list[Object]) -> None:
    """The scope is without the client's own namespace: its sidecar refuses what it should reach there as well."""
    for body in of_kind(objects, "Sidecar", "default"):
        for egress in body["spec"]["egress"]:
            egress["hosts"] = [host for host in egress["hosts"] if "istio-egress/" in host]


@mutant("load-balancer-not-alone", Area.NETWORK, IAP, cases("IAP-LB-01", FAIL), nightly=True)
def load_balancer_not_alone(objects: list[Object]) -> None:
    """The gateway's network policy lets all namespaces in, besides the load balancer."""
    for body in of_kind(objects, _NETPOL, "only-load-balancer"):
        body["spec"]["ingress"][0]["from"].append({"namespaceSelector": {}})


@mutant("pod-security-off", Area.GATEWAY, IAP, cases("IAP-PSP-02", FAIL), nightly=True)
def pod_security_off(objects: list[Object]) -> None:
    """The namespace's level of pod security warns only."""
    for body in of_kind(objects, "Namespace"):
        labels = body["metadata"]["labels"]
        if level := labels.pop("pod-security.kubernetes.io/enforce", ""):
            labels["pod-security.kubernetes.io/warn"] = level


@mutant(
    "another-port-registered",
    Area.EGRESS,
    EGRESS,
    cases("X-EGR-ROUTE-PORT", FAIL) | cases("EGR-ROUTE-01", PASS),
    nightly=True,
)
def another_port_registered(objects: list[Object]) -> None:
    """The external host is registered with one more port, which no route leads to the gateway."""
    for body in of_kind(objects, "ServiceEntry", "example-com-ext"):
        body["spec"]["ports"].append({"number": 8080, "name": "http-more", "protocol": "HTTP"})


@mutant("names-cut-instead", Area.DNS, IAP, cases("IAP-LB-01", FAIL), nightly=True)
def names_cut_instead(objects: list[Object]) -> None:
    """The gateway is open to every pod; but the one client that asks for it cannot resolve its name, and times out."""
    for body in of_kind(objects, _NETPOL, "only-load-balancer"):
        meta = body["metadata"]
        meta["namespace"] = meta["namespace"].removesuffix("iap-ingress") + "elsewhere"
        ports = [{"port": number, "protocol": "TCP"} for number in (80, 8080)]
        body["spec"] = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": ports}]}
