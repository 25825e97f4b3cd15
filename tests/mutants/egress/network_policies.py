"""Mutants of network policies of egress, and of the firewall: too wide, of another type or workload, or down."""

from __future__ import annotations

from typing import Any

from clients.proof.rig.rig import Rig
from testbed.addresses import EXTERNAL
from tests.mutants import outside
from tests.mutants.entry import FAIL, LOST, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, of_kind
from tests.mutants.places import EGRESS

_NETPOL = "NetworkPolicy"
_CONTROL_PLANE = "allow-egress-to-control-plane"


def _egress(objects: list[Object], name: str = _CONTROL_PLANE) -> list[dict[str, Any]]:
    return [body["spec"] for body in of_kind(objects, _NETPOL, name)]


_REACHES_NOTHING = "the client reaches nothing"
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
