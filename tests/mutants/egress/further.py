"""Mutants of the ways out that lead further than they are meant to: scopes, entries, routes, network policies."""

from __future__ import annotations

import copy
from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS, TRAPS

_ROUTE = "example-com-through-egress-gateway"
_BEGINS, _ENDS, _BELOW = "name that begins so", "name that ends so", "subdomain"


def _specs(objects: list[Object], kind: str, name: str = "") -> list[dict[str, Any]]:
    return [body["spec"] for body in of_kind(objects, kind, name)]


@mutant(
    "scope-with-the-other-teams-services",
    Area.EGRESS,
    EGRESS,
    cases("EGR-TENANT-01 03 04", PASS)
    | {"X-EGR-TENANT-SERVICE[from team-y]": FAIL, "X-EGR-TENANT-SERVICE[from team-x]": PASS},
    {"X-EGR-TENANT-SERVICE[from team-y]": "saw 200"},
    nightly=True,
)
def scope_with_the_other_teams_services(objects: list[Object]) -> None:
    """The second team's scope has the Services of the first as well."""
    for body in of_kind(objects, "Sidecar", "default"):
        hosts = body["spec"]["egress"][0]["hosts"]
        hosts += [host.replace("team-y/", "team-x/") for host in hosts if host.endswith("team-y/*")]


@mutant(
    "scope-of-the-client-only",
    Area.EGRESS,
    EGRESS,
    cases("EGR-SIDECAR-03 04", PASS) | cases("EGR-SIDECAR-02", FAIL),
    {"EGR-SIDECAR-02": "clusters of others"},
    nightly=True,
)
def scope_of_the_client_only(objects: list[Object]) -> None:
    """The scope selects the one workload that sends the requests; the team's others keep the whole mesh."""
    for spec in _specs(objects, "Sidecar", "default"):
        spec["workloadSelector"] = {"labels": {"app": "test"}}


def _further_host(name: str, entry: str, host: str, verdicts: dict[str, str], says: str) -> None:
    """Register a mutant by which an entry has one host more."""

    def change(objects: list[Object]) -> None:
        for spec in _specs(objects, "ServiceEntry", entry):
            spec["hosts"].append(host)

    change.__doc__ = says
    mutant(name, Area.EGRESS, EGRESS, verdicts, nightly=True)(change)


_further_host(
    "subdomain-registered",
    "example-com-ext",
    "untrusted.example.com",
    cases("EGR-ROUTE-01 02 03 05", PASS)
    | cases("EGR-ROUTE-04", FAIL)
    | {f"X-EGR-ROUTE-NAME[{_BELOW}]": FAIL, "X-EGR-ROUTE-NAME[TLS for another host]": PASS},
    "A subdomain of example.com is registered with it, without a route to the gateway.",
)
_further_host(
    "further-host-for-the-second-team",
    "httpbin-org-ext",
    "www.httpbin.org",
    cases("EGR-TENANT-01 02 03 04", PASS) | cases("EGR-TENANT-05", FAIL),
    "A further host is registered for the second team.",
)
_further_host(
    "further-google-host",
    "private-googleapis-com",
    "www.googleapis.com",
    cases("EGR-API-01 02 04 05", PASS) | cases("EGR-API-03", FAIL),
    "A further host of Google is registered for the first team.",
)


@mutant(
    "subdomains-by-the-gateway",
    Area.EGRESS,
    EGRESS,
    cases("EGR-ROUTE-01 02 03 04 05", PASS) | {f"X-EGR-ROUTE-NAME[{_BELOW}]": FAIL},
    nightly=True,
)
def subdomains_by_the_gateway(objects: list[Object]) -> None:
    """The route to the gateway is for the host's subdomains as well."""
    for spec in _specs(objects, "VirtualService", _ROUTE):
        spec["hosts"].append("*.example.com")


@mutant(
    "tls-as-tcp",
    Area.EGRESS,
    EGRESS,
    cases("EGR-ROUTE-01 02 03 04 05", PASS)
    | {"X-EGR-ROUTE-NAME[TLS for another host]": FAIL, f"X-EGR-ROUTE-NAME[{_BELOW}]": PASS},
    nightly=True,
)
def tls_as_tcp(objects: list[Object]) -> None:
    """The port for TLS is registered as one of TCP, so that sidecars take every server name there."""
    for spec in _specs(objects, "ServiceEntry", "example-com-ext"):
        for port in spec["ports"]:
            if port["number"] == 443:
                port["protocol"] = "TCP"


@mutant(
    "copies-to-the-host-itself",
    Area.EGRESS,
    EGRESS,
    cases("EGR-ROUTE-01 02 03 05", PASS) | cases("EGR-ROUTE-04", FAIL),
    {"EGR-ROUTE-04": "the route for example.com goes to"},
    nightly=True,
)
def copies_to_the_host_itself(objects: list[Object]) -> None:
    """The mesh's own route sends each request to the gateway, and a copy past it to the host."""
    for spec in _specs(objects, "VirtualService", _ROUTE):
        spec["http"][0]["mirror"] = {"host": "example.com", "port": {"number": 80}}


def _plaintext_for(name: str, condition: Object, variant: str, says: str) -> None:
    """Register a mutant by which the gateway originates no TLS for some requests."""

    def change(objects: list[Object]) -> None:
        for spec in _specs(objects, "VirtualService", _ROUTE):
            originating = spec["http"][1]
            if originating["route"][0]["destination"].get("subset") != "example-com-originate-TLS":
                continue
            plain = copy.deepcopy(originating)
            plain["match"][0] |= condition
            plain["route"] = [{"destination": {"host": "example.com", "port": {"number": 80}}}]
            spec["http"].insert(1, plain)

    change.__doc__ = says
    verdicts = cases("EGR-ORIG-01 02 05", PASS) | {f"EGR-ORIG-05[{variant}]": FAIL}
    mutant(name, Area.ORIGINATION, EGRESS, verdicts, nightly=True)(change)


_plaintext_for(
    "originates-for-reading-only",
    {"method": {"exact": "POST"}},
    "POST",
    "The gateway sends POST requests in plaintext, and all others over TLS.",
)
_plaintext_for(
    "originates-for-the-page-only",
    {"uri": {"prefix": "/anything"}},
    "another path",
    "The gateway sends requests for some paths in plaintext, and all others over TLS.",
)


@mutant(
    "server-names-by-suffix",
    Area.PASS_THROUGH,
    EGRESS,
    cases("EGR-PASS-02 03 06 08", PASS)
    | {f"EGR-PASS-08[{_BELOW}]": FAIL, f"EGR-PASS-08[{_ENDS}]": PASS, f"EGR-PASS-08[{_BEGINS}]": PASS},
    {f"EGR-PASS-08[{_BELOW}]": "saw 200"},
)
def server_names_by_suffix(objects: list[Object]) -> None:
    """The gateway lets the subdomains of example.com pass as well."""
    for spec in _specs(objects, "VirtualService", _ROUTE):
        for route in spec.get("tls", ()):
            spec["hosts"] = ["example.com", "*.example.com"]
            route["match"][0]["sniHosts"] = ["example.com", "*.example.com"]


_OPTIONAL = cases("EGR-NETPOL-09 11 13", PASS)


@mutant(
    "network-policy-for-one-team-to-every-namespace",
    Area.NETWORK,
    EGRESS,
    _OPTIONAL | {"X-EGR-SHUT-OPTIONAL[another namespace]": FAIL, "X-EGR-SHUT-OPTIONAL[external host]": PASS},
    nightly=True,
)
def network_policy_for_one_team_to_every_namespace(objects: list[Object]) -> None:
    """The optional policy for the other team is for every namespace."""
    for spec in _specs(objects, "NetworkPolicy", "allow-egress-to-team-y"):
        spec["egress"] = [{"to": [{"namespaceSelector": {}}]}]


@mutant(
    "network-policy-for-one-team-to-everywhere",
    Area.NETWORK,
    EGRESS,
    _OPTIONAL | {"X-EGR-SHUT-OPTIONAL[*]": FAIL},
    nightly=True,
)
def network_policy_for_one_team_to_everywhere(objects: list[Object]) -> None:
    """The optional policy for the other team names no peer, which means all."""
    for spec in _specs(objects, "NetworkPolicy", "allow-egress-to-team-y"):
        spec["egress"] = [{}]


@mutant(
    "network-policy-from-every-namespace",
    Area.NETWORK,
    EGRESS,
    cases("EGR-NETPOL-13", FAIL),
    nightly=True,
)
def network_policy_from_every_namespace(objects: list[Object]) -> None:
    """The optional policy within one team lets the pods of every namespace in."""
    for spec in _specs(objects, "NetworkPolicy", "allow-egress-to-same-namespace"):
        spec["ingress"][0]["from"] = [{"namespaceSelector": {}}]


@mutant(
    "wildcard-without-its-dot",
    Area.EGRESS,
    TRAPS,
    {"X-TRAP-WILDCARD-02": PASS, "X-TRAP-WILDCARD-02[name that ends so without a dot]": FAIL},
    nightly=True,
)
def wildcard_without_its_dot(objects: list[Object]) -> None:
    """The entry for a domain takes every name of the domain above it."""
    for spec in _specs(objects, "ServiceEntry", "wildcard"):
        spec["hosts"] = ["*.com"]


@mutant("further-host-listed", Area.EGRESS, TRAPS, cases("X-TRAP-ENTRY-01", FAIL), nightly=True)
def further_host_listed(objects: list[Object]) -> None:
    """The allowlist has one host more."""
    for spec in _specs(objects, "ServiceEntry", "example"):
        spec["hosts"].append("httpbin.org")
