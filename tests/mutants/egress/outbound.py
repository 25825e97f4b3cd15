"""Mutants of what leaves the mesh: routes, scopes, TLS to external hosts, network policies, the firewall."""

from __future__ import annotations

import copy
from typing import Any

from clients.proof.rig.rig import Rig
from testbed.addresses import EXTERNAL
from tests.mutants import outside
from tests.mutants.entry import FAIL, LOST, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, of_kind
from tests.mutants.places import EGRESS, IAP

_NETPOL = "NetworkPolicy"
_CONTROL_PLANE = "allow-egress-to-control-plane"


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


def _egress(objects: list[Object], name: str = _CONTROL_PLANE) -> list[dict[str, Any]]:
    return [body["spec"] for body in of_kind(objects, _NETPOL, name)]


_SHUT = {"EGR-NETPOL-03[no sidecar]": FAIL} | cases("EGR-NETPOL-08", FAIL)


@mutant("network-policy-to-everywhere", Area.NETWORK, EGRESS, _SHUT, nightly=True)
def network_policy_to_everywhere(objects: list[Object]) -> None:
    """A policy's rule has no destination, which means all."""
    for spec in _egress(objects):
        spec["egress"] = [{}]


@mutant("network-policy-of-the-wrong-type", Area.NETWORK, EGRESS, _SHUT, nightly=True)
def network_policy_of_the_wrong_type(objects: list[Object]) -> None:
    """All policies are of type Ingress: nothing that leaves is limited."""
    for body in of_kind(objects, _NETPOL):
        if body["spec"].get("policyTypes") == ["Egress"]:
            body["spec"]["policyTypes"] = ["Ingress"]
            body["spec"].pop("egress")
            body["spec"]["ingress"] = [{}]


@mutant("network-policy-selects-nothing", Area.NETWORK, EGRESS, _SHUT, nightly=True)
def network_policy_selects_nothing(objects: list[Object]) -> None:
    """The policies select a label that no pod has."""
    for body in of_kind(objects, _NETPOL):
        body["spec"]["podSelector"] = {"matchLabels": {"app": "no-pod"}}


@mutant("network-policy-to-every-address", Area.NETWORK, EGRESS, _SHUT, nightly=True)
def network_policy_to_every_address(objects: list[Object]) -> None:
    """The range of Google's APIs is the whole address space."""
    for spec in _egress(objects, "allow-egress-to-google-apis"):
        spec["egress"] = [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]


@mutant(
    "network-policy-with-https-to-everywhere",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-SHUT-PORTS[443]": FAIL, "X-EGR-SHUT-PORTS[8080]": PASS, "EGR-NETPOL-03[no sidecar]": PASS},
    nightly=True,
)
def network_policy_with_https_to_everywhere(objects: list[Object]) -> None:
    """The rule for Google's APIs names the port of HTTPS, and no address."""
    for spec in _egress(objects, "allow-egress-to-google-apis"):
        spec["egress"].append({"ports": [{"port": 443, "protocol": "TCP"}]})


@mutant(
    "network-policy-with-a-range-of-ports",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-SHUT-PORTS[8080]": FAIL, "X-EGR-SHUT-PORTS[443]": PASS, "EGR-NETPOL-03[no sidecar]": PASS},
    nightly=True,
)
def network_policy_with_a_range_of_ports(objects: list[Object]) -> None:
    """A rule lets an address range of others pass, at all ports that a program may use without privileges."""
    for spec in _egress(objects, "allow-egress-to-google-apis"):
        ports = [{"port": 1024, "endPort": 65535, "protocol": "TCP"}]
        spec["egress"].append({"to": [{"ipBlock": {"cidr": str(EXTERNAL)}}], "ports": ports})


@mutant(
    "network-policy-with-datagrams-to-everywhere",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-SHUT-UDP[no sidecar]": FAIL, "X-EGR-SHUT-UDP[sidecar]": FAIL, "X-EGR-SHUT-PORTS[443]": PASS},
    nightly=True,
)
def network_policy_with_datagrams_to_everywhere(objects: list[Object]) -> None:
    """The rule for name servers names their protocol, and neither their port nor their pods."""
    for spec in _egress(objects, "allow-egress-to-dns"):
        spec["egress"].append({"ports": [{"protocol": "UDP"}]})


@mutant(
    "network-policy-with-port-53-to-everywhere",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-SHUT-PORTS[53]": FAIL, "X-EGR-SHUT-UDP[port of DNS]": FAIL, "X-EGR-SHUT-UDP[no sidecar]": PASS},
    nightly=True,
)
def network_policy_with_port_53_to_everywhere(objects: list[Object]) -> None:
    """The rule for name servers names their port, and no pods."""
    for spec in _egress(objects, "allow-egress-to-dns"):
        for rule in spec["egress"]:
            rule.pop("to", None)


@mutant("network-policy-to-every-namespace", Area.NETWORK, EGRESS, cases("EGR-NETPOL-08 10 12", FAIL), nightly=True)
def network_policy_to_every_namespace(objects: list[Object]) -> None:
    """The selector of the control plane's namespace is empty, which selects all."""
    for spec in _egress(objects):
        spec["egress"] = [{"to": [{"namespaceSelector": {}}]}]


@mutant("network-policy-of-one-workload", Area.NETWORK, EGRESS, {"EGR-NETPOL-03[no sidecar]": FAIL}, nightly=True)
def network_policy_of_one_workload(objects: list[Object]) -> None:
    """The policies select the workload with a sidecar only, and leave out the one without."""
    for body in of_kind(objects, _NETPOL):
        body["spec"]["podSelector"] = {"matchLabels": {"app": "test"}}


_REACHES_NOTHING = "the client reaches nothing"


@mutant(
    "client-without-a-network",
    Area.NETWORK,
    EGRESS,
    cases("EGR-NETPOL-08 12", LOST) | cases("X-EGR-GATEWAY-OPEN", FAIL),
    {"EGR-NETPOL-08": _REACHES_NOTHING, "EGR-NETPOL-12": _REACHES_NOTHING},
    nightly=True,
)
def client_without_a_network(objects: list[Object]) -> None:
    """Nothing but name servers is open to the client without a sidecar: it would reach nothing without the policies.

    By its denials alone the policies seem to hold: the other team's twins get through.
    """
    for body in of_kind(objects, _NETPOL):
        if body["metadata"]["name"] != "allow-egress-to-dns":
            body["spec"]["podSelector"] = {"matchLabels": {"app": "test"}}


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


@mutant("control-plane-reachable", Area.NETWORK, EGRESS, cases("EGR-NETPOL-06", FAIL), nightly=True)
def control_plane_reachable(objects: list[Object]) -> None:
    """Another policy opens what the missing one for the control plane should: new pods become ready."""
    for body in of_kind(objects, _NETPOL, "allow-egress-to-dns"):
        body["spec"]["egress"] = [{"to": [{"namespaceSelector": {}}]}]


@mutant("dns-open-to-all", Area.DNS, EGRESS, cases("EGR-NETPOL-05", FAIL), nightly=True)
def dns_open_to_all(objects: list[Object]) -> None:
    """Another policy opens what the missing one for DNS should: names resolve."""
    for spec in _egress(objects):
        spec["egress"].append({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]})


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
    "firewall-down",
    Area.NETWORK,
    EGRESS,
    cases("X-EGR-FIREWALL", FAIL) | cases("EGR-BASE-01", FAIL) | {"EGR-FW-01[http]": PASS},
    nightly=True,
)
class FirewallDown(Mutant):
    """The network lets every pod reach the external hosts."""

    def __init__(self) -> None:
        self._firewall = outside.Firewall()

    def entered(self, rig: Rig) -> None:
        del rig
        self._firewall.take_down()

    def undo(self) -> None:
        self._firewall.restore()


@mutant(
    "firewall-for-the-web-only",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-FIREWALL-PORTS[8080]": FAIL, "X-EGR-FIREWALL-PORTS[443]": PASS} | cases("X-EGR-FIREWALL", PASS),
    nightly=True,
)
class FirewallForTheWebOnly(FirewallDown):
    """The network refuses the ports of the web, and no other."""

    def entered(self, rig: Rig) -> None:
        del rig
        self._firewall.let_through("tcp", "dport", "8080")


@mutant(
    "firewall-for-tcp-only",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-FIREWALL-UDP": FAIL, "X-EGR-FIREWALL-PORTS[443]": PASS, "X-EGR-FIREWALL": PASS},
    nightly=True,
)
class FirewallForTcpOnly(FirewallDown):
    """The network refuses connections, and lets datagrams out."""

    def entered(self, rig: Rig) -> None:
        del rig
        self._firewall.let_through("meta", "l4proto", "udp")


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
