"""Mutants of the traps: a mesh, or a policy, that does what the author meant, or lets through what must be refused."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import FAIL, Area, cases, mutant
from tests.mutants.filters import REFUSES, lua
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import TRAPS

_AUTHORIZATION = "AuthorizationPolicy"


def _rules(objects: list[Object], name: str) -> list[dict[str, Any]]:
    return [rule for body in of_kind(objects, _AUTHORIZATION, name) for rule in body["spec"].get("rules", ())]


def _for_no_client(objects: list[Object], name: str) -> None:
    for rule in _rules(objects, name):
        rule["from"] = [{"source": {"namespaces": ["no-such-namespace"]}}]


@mutant("service-port-counts", Area.MTLS, TRAPS, cases("X-TRAP-PORT-02", FAIL), nightly=True)
def port_of_the_service(objects: list[Object]) -> None:
    """The mode of the Service's port counts for the container's."""
    for body in of_kind(objects, "PeerAuthentication", "httpbin-port"):
        modes = body["spec"]["portLevelMtls"]
        if "mtls" not in body["spec"] and "8000" in modes:
            modes["8080"] = modes.pop("8000")


@mutant("exception-in-force", Area.MTLS, TRAPS, cases("X-TRAP-PORT-03", FAIL), nightly=True)
def exception_in_force(objects: list[Object]) -> None:
    """The exception for the Service's port opens the container's."""
    for body in of_kind(objects, "PeerAuthentication", "httpbin-port"):
        modes = body["spec"]["portLevelMtls"]
        if "mtls" in body["spec"] and "8000" in modes:
            modes["8080"] = modes.pop("8000")


@mutant("port-mode-lost", Area.MTLS, TRAPS, cases("X-TRAP-PORT-01", FAIL), nightly=True)
def port_mode_lost(objects: list[Object]) -> None:
    """The mode of the container's port is PERMISSIVE."""
    for body in of_kind(objects, "PeerAuthentication", "httpbin-port"):
        for mode in body["spec"]["portLevelMtls"].values():
            mode["mode"] = "PERMISSIVE"


_STRICT = {
    **cases("X-TRAP-POD-01 04 05", FAIL),
    **cases("X-TRAP-EXCLUDED-02", FAIL),
    **cases("X-TRAP-DENY-NS-05", FAIL),
    **cases("X-TRAP-START-02", FAIL),
}


@mutant("traps-permissive", Area.MTLS, TRAPS, _STRICT, nightly=True)
def permissive(objects: list[Object]) -> None:
    """STRICT of the namespace is PERMISSIVE."""
    for body in of_kind(objects, "PeerAuthentication", "default"):
        body["spec"]["mtls"]["mode"] = "PERMISSIVE"


_TCP = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_ANY_OTHER_PORT = {
    "name": "meshproof.mutant",
    "filter_chain_match": {"transport_protocol": "raw_buffer"},
    "filters": [
        {
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {"@type": _TCP, "stat_prefix": "mutant", "cluster": "InboundPassthroughCluster"},
        }
    ],
}


@mutant(
    "strict-on-declared-ports",
    Area.MTLS,
    TRAPS,
    {"X-TRAP-POD-04": FAIL, "X-TRAP-POD-04[undeclared port]": FAIL},
    {
        "X-TRAP-POD-04": "a port that no Service has takes mutual TLS and plaintext",
        "X-TRAP-POD-04[undeclared port]": "saw 200",
    },
    nightly=True,
)
def strict_on_declared_ports(objects: list[Object]) -> None:
    """STRICT refuses plaintext at the ports of Services only; the pods' other ports take it."""
    for body in list(of_kind(objects, "PeerAuthentication", "default")):
        for app in ("httpbin", "ledger"):
            made = lua(body, "", namespace="mtls-service", app=app, name=f"any-port-of-{app}")
            made["spec"]["configPatches"] = [
                {
                    "applyTo": "FILTER_CHAIN",
                    "match": {"context": "SIDECAR_INBOUND", "listener": {"name": "virtualInbound"}},
                    "patch": {"operation": "ADD", "value": _ANY_OTHER_PORT},
                }
            ]
            objects.append(made)


@mutant("namespaces-let-in", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-DENY-NS-01", FAIL), nightly=True)
def namespaces_let_in(objects: list[Object]) -> None:
    """The DENY by namespace names another one."""
    _for_no_client(objects, "keep-out")


@mutant("strangers-let-in", Area.AUTHORIZATION, TRAPS, {"X-TRAP-DENY-NS-04[*]": FAIL}, nightly=True)
def strangers_let_in(objects: list[Object]) -> None:
    """The DENY of clients without an identity matches none."""
    _for_no_client(objects, "keep-strangers-out")


@mutant("http-field-left-out", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-TCP-03", FAIL), nightly=True)
def http_field_left_out(objects: list[Object]) -> None:
    """A DENY by path does not refuse connections of TCP."""
    for body in of_kind(objects, _AUTHORIZATION, "no-admin"):
        body["spec"]["selector"] = {"matchLabels": {"app": "httpbin"}}


@mutant("tcp-allowed", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-TCP-05", FAIL), nightly=True)
def tcp_allowed(objects: list[Object]) -> None:
    """An ALLOW by method lets connections of TCP in."""
    for rule in _rules(objects, "ledger-readers"):
        rule.pop("to", None)
        rule.pop("from", None)


@mutant("admin-open", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-TCP-02", FAIL), nightly=True)
def admin_open(objects: list[Object]) -> None:
    """The DENY by path names another path."""
    for rule in _rules(objects, "no-admin"):
        rule["to"] = [{"operation": {"paths": ["/other"]}}]


@mutant("second-issuer-counts", Area.JWT, TRAPS, cases("X-TRAP-TOKENS-06", FAIL), nightly=True)
def second_issuer_counts(objects: list[Object]) -> None:
    """A good token of the second issuer counts although one of the first came, too."""
    for body in of_kind(objects, "RequestAuthentication", "two-tokens"):
        body["spec"]["jwtRules"] = body["spec"]["jwtRules"][1:]


@mutant("garbage-accepted", Area.JWT, TRAPS, cases("X-TRAP-TOKENS-04", FAIL), nightly=True)
def garbage_accepted(objects: list[Object]) -> None:
    """The header of the second issuer is not looked at."""
    for body in of_kind(objects, "RequestAuthentication", "two-tokens"):
        body["spec"]["jwtRules"] = body["spec"]["jwtRules"][:1]


@mutant("claims-ignored", Area.JWT, TRAPS, cases("X-TRAP-CLAIMS-01 03 07", FAIL), nightly=True)
def claims_ignored(objects: list[Object]) -> None:
    """Rules that ask for a claim are content with any token of the issuer."""
    for rule in _rules(objects, "by-claim"):
        rule.pop("from", None)
        rule["when"] = [{"key": "request.auth.claims[iss]", "values": ["*"]}]


@mutant("addresses-ignored", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-REMOTE-01 04 05 06 08 09", FAIL), nightly=True)
def addresses_ignored(objects: list[Object]) -> None:
    """Rules that ask for an address are content with any."""
    for rule in _rules(objects, "office-only"):
        rule.pop("from", None)


@mutant("allowlist-open", Area.EGRESS, TRAPS, {**cases("X-TRAP-ENTRY-01", FAIL), **cases("X-TRAP-WILDCARD-02", FAIL)},
        nightly=True)  # fmt: skip
def allowlist_open(objects: list[Object]) -> None:
    """The allowlist lets every host out."""
    for body in of_kind(objects, "Sidecar", "default"):
        body["spec"]["outboundTrafficPolicy"]["mode"] = "ALLOW_ANY"


@mutant("method-of-another", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-METHOD-01", FAIL), nightly=True)
def method_of_another(objects: list[Object]) -> None:
    """The DENY by method names another one."""
    for rule in _rules(objects, "read-only"):
        rule["to"] = [{"operation": {"methods": ["PURGE"]}}]


@mutant("other-revision", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-REVISION-02", FAIL), nightly=True)
def other_revision(objects: list[Object]) -> None:
    """The policy has the label of another revision."""
    for body in of_kind(objects, _AUTHORIZATION, "require-jwt-headers"):
        body["metadata"].setdefault("labels", {})["istio.io/rev"] = "meshproof-other"


@mutant("every-revision", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-REVISION-01", FAIL), nightly=True)
def every_revision(objects: list[Object]) -> None:
    """A policy with the label of another revision is in force."""
    for body in of_kind(objects, _AUTHORIZATION, "require-jwt"):
        body["metadata"]["labels"].pop("istio.io/rev", None)


_NOTHING = {"X-TRAP-NOTHING-01[*]": FAIL}


@mutant("nothing-is-everything", Area.AUTHORIZATION, TRAPS, _NOTHING, nightly=True)
def nothing_is_everything(objects: list[Object]) -> None:
    """The ALLOW without rules has an empty one, which every request matches."""
    for body in of_kind(objects, _AUTHORIZATION, "allow-nothing"):
        body["spec"]["rules"] = [{}]


@mutant("nothing-by-a-filter", Area.LIES, TRAPS, _NOTHING, nightly=True)
def nothing_by_a_filter(objects: list[Object]) -> None:
    """The ALLOW without rules lets every request in, and a filter of the server's sidecar refuses those."""
    for body in list(of_kind(objects, _AUTHORIZATION, "allow-nothing")):
        body["spec"]["rules"] = [{}]
        objects.append(lua(body, REFUSES, namespace="mtls-service", app="httpbin"))


@mutant("one-client-misspelt", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-NOTHING-02", FAIL), nightly=True)
def one_client_misspelt(objects: list[Object]) -> None:
    """The ALLOW next to the one without rules names another namespace."""
    _for_no_client(objects, "one-client")


@mutant("one-client-is-any", Area.AUTHORIZATION, TRAPS, cases("X-TRAP-NOTHING-03", FAIL), nightly=True)
def one_client_is_any(objects: list[Object]) -> None:
    """The ALLOW next to the one without rules names no client."""
    for rule in _rules(objects, "one-client"):
        rule.pop("from")
