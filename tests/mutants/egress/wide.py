"""Mutants of egress policies that open more than they are meant for: to another team or host, at a port, to a pod."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS

_TEAPOT = "egress-team-y-to-httpbin-teapot"


def _specs(objects: list[Object], kind: str, name: str) -> list[dict[str, Any]]:
    return [body["spec"] for body in of_kind(objects, kind, name)]


@mutant(
    "a-path-for-every-team",
    Area.AUTHORIZATION,
    EGRESS,
    {"EGR-AUTHZ-04[the other team]": FAIL, "EGR-AUTHZ-04[/]": PASS} | cases("EGR-AUTHZ-05", PASS),
    {"EGR-AUTHZ-04[the other team]": "saw 418"},
)
def a_path_for_every_team(objects: list[Object]) -> None:
    """The gateway's second policy names the path of a host, and no team."""
    for spec in _specs(objects, "AuthorizationPolicy", _TEAPOT):
        spec["rules"][0].pop("from")


@mutant(
    "a-path-of-every-host",
    Area.AUTHORIZATION,
    EGRESS,
    {"EGR-ORIG-06[its path of the other host]": FAIL, "EGR-ORIG-06[GET]": PASS, "EGR-AUTHZ-04[/]": PASS},
    {"EGR-ORIG-06[its path of the other host]": "saw 418"},
    nightly=True,
)
def a_path_of_every_host(objects: list[Object]) -> None:
    """The gateway's second policy names the team and its path, and no host."""
    for spec in _specs(objects, "AuthorizationPolicy", _TEAPOT):
        spec["rules"][0]["to"][0]["operation"]["hosts"] = ["*"]


@mutant(
    "network-policy-with-the-control-planes-port-to-everywhere",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-SHUT-PORTS[15012]": FAIL, "X-EGR-SHUT-PORTS[443]": PASS},
    nightly=True,
)
def network_policy_with_the_control_planes_port_to_everywhere(objects: list[Object]) -> None:
    """The rule for the control plane names its port, and no pods."""
    for spec in _specs(objects, "NetworkPolicy", "allow-egress-to-control-plane"):
        spec["egress"].append({"ports": [{"port": 15012, "protocol": "TCP"}]})


@mutant(
    "network-policy-with-the-metadata-servers-ports-to-everywhere",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-SHUT-PORTS[988]": FAIL, "X-EGR-SHUT-PORTS[15012]": PASS},
    nightly=True,
)
def network_policy_with_the_metadata_servers_ports_to_everywhere(objects: list[Object]) -> None:
    """The rule for the second form of the metadata server names its ports, and no address."""
    for spec in _specs(objects, "NetworkPolicy", "allow-egress-to-metadata-server"):
        for rule in spec["egress"]:
            if "ports" in rule:
                rule.pop("to")


@mutant(
    "network-policy-to-the-gateways-neighbours",
    Area.NETWORK,
    EGRESS,
    {"X-EGR-SHUT-NEIGHBOUR": FAIL} | cases("EGR-NETPOL-08 10", PASS),
    nightly=True,
)
def network_policy_to_the_gateways_neighbours(objects: list[Object]) -> None:
    """One dash too many: the selectors of namespace and pod are two peers, each of which is enough."""
    for spec in _specs(objects, "NetworkPolicy", "allow-egress-to-control-plane"):
        for rule in spec["egress"]:
            rule["to"] = [{name: selector} for peer in rule["to"] for name, selector in peer.items()]
