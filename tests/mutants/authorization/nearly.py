"""Mutants of policies that let in one more client than the one they are meant for, by a value that is too wide."""

from __future__ import annotations

from typing import Any

from tests.mutants.authorization.detected import PORTS
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import OUTBOUND, lua
from tests.mutants.mutant import Object, document_namespace, of_kind
from tests.mutants.places import DETECTED, FRONT, IAP, MESH, TOKENS, TRAPS

_POLICY = "AuthorizationPolicy"
_PRINCIPAL = "testing@secure.istio.io/testing@secure.istio.io"
_SUBJECTS = ("other-subject", "longer-subject")
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def _sources(objects: list[Object], name: str) -> list[dict[str, Any]]:
    rules = (rule for body in of_kind(objects, _POLICY, name) for rule in body["spec"]["rules"])
    return [source["source"] for rule in rules for source in rule.get("from", ())]


def _narrowed_for(objects: list[Object], principal: str) -> None:
    """Change the principal of the narrowed policy, and not that of the policy before it."""
    for body in of_kind(objects, _POLICY, "require-jwt"):
        if all("to" in rule for rule in body["spec"]["rules"]):
            for source in _sources([body], "require-jwt"):
                source["requestPrincipals"] = [principal]


@mutant(
    "narrowed-for-any-subject",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-PATH-02 03", PASS)
    | cases("LAB-AUTHZ-04", PASS)
    | {f"X-LAB-PATH-SUBJECT[{kind}]": FAIL for kind in _SUBJECTS},
    {"X-LAB-PATH-SUBJECT[other-subject]": "saw 200"},
    nightly=True,
)
def narrowed_for_any_subject(objects: list[Object]) -> None:
    """The policy for one method and path takes the token of any subject."""
    _narrowed_for(objects, "*")


@mutant(
    "narrowed-for-longer-subjects",
    Area.AUTHORIZATION,
    TOKENS,
    {"X-LAB-PATH-SUBJECT[longer-subject]": FAIL, "X-LAB-PATH-SUBJECT[other-subject]": PASS},
    {"X-LAB-PATH-SUBJECT[longer-subject]": "saw 200"},
    nightly=True,
)
def narrowed_for_longer_subjects(objects: list[Object]) -> None:
    """The policy for one method and path takes each subject that begins like the one that it is for."""
    _narrowed_for(objects, f"{_PRINCIPAL}*")


@mutant(
    "longer-subjects-too",
    Area.AUTHORIZATION,
    TOKENS,
    {"LAB-AUTHZ-04[longer-subject]": FAIL, "LAB-AUTHZ-04": PASS} | cases("LAB-AUTHZ-01 02", PASS),
    {"LAB-AUTHZ-04[longer-subject]": "saw 200"},
    nightly=True,
)
def longer_subjects_too(objects: list[Object]) -> None:
    """The policy takes each subject that begins like the one that it is for."""
    for source in _sources(objects, "require-jwt"):
        source["requestPrincipals"] = [f"{_PRINCIPAL}*"]


@mutant(
    "identity-by-the-client",
    Area.CLIENT,
    MESH,
    cases("LAB-XFCC-01 04", PASS) | cases("X-LAB-XFCC-FORGED", FAIL),
    {"X-LAB-XFCC-FORGED": "spiffe://forged"},
    nightly=True,
)
def identity_by_the_client(objects: list[Object]) -> None:
    """The client's sidecar hands on the certificate header that the application sends."""
    clients = [body for body in of_kind(objects, "Deployment", "sleep") if document_namespace(body) == "mtls-client"]
    objects.extend(map(_forwards_certificates, clients))


def _forwards_certificates(like: Object) -> Object:
    made = lua(like, "", namespace="mtls-client", app="sleep", context=OUTBOUND)
    [patch] = made["spec"]["configPatches"]
    manager = {"@type": _MANAGER, "forward_client_cert_details": "ALWAYS_FORWARD_ONLY"}
    patch["applyTo"] = "NETWORK_FILTER"
    patch["patch"] = {"operation": "MERGE", "value": {"typed_config": manager}}
    return made


def _for_namespaces_like(objects: list[Object], name: str) -> None:
    for source in _sources(objects, name):
        source["namespaces"] = [f"{namespace}*" for namespace in source["namespaces"]]


def _for_any_identity(objects: list[Object], name: str) -> None:
    for source in _sources(objects, name):
        source.pop("namespaces")
        source["principals"] = ["*"]


@mutant(
    "detected-port-longer-namespaces",
    Area.AUTHORIZATION,
    DETECTED,
    {f"X-PORT-02[{port}, another identity]": FAIL for port in PORTS}
    | {f"X-PORT-04[{port}, no identity]": PASS for port in PORTS},
    {f"X-PORT-02[{port}, another identity]": "saw 200" for port in PORTS},
    nightly=True,
)
def detected_port_longer_namespaces(objects: list[Object]) -> None:
    """On a port whose protocol is detected, the rule takes each namespace that begins like the one that it is for."""
    _for_namespaces_like(objects, "get-ip")


@mutant(
    "one-client-is-any-identity",
    Area.AUTHORIZATION,
    TRAPS,
    {"X-TRAP-NOTHING-03[another identity]": FAIL, "X-TRAP-NOTHING-03": PASS},
    {"X-TRAP-NOTHING-03[another identity]": "saw 200"},
    nightly=True,
)
def one_client_is_any_identity(objects: list[Object]) -> None:
    """The ALLOW next to the one without rules takes each client of the mesh."""
    _for_any_identity(objects, "one-client")


@mutant(
    "traders-are-any-identity",
    Area.AUTHORIZATION,
    TRAPS,
    {"X-TRAP-EXCLUDED-02[another identity]": FAIL, "X-TRAP-EXCLUDED-02": PASS},
    {"X-TRAP-EXCLUDED-02[another identity]": "saw 200"},
    nightly=True,
)
def traders_are_any_identity(objects: list[Object]) -> None:
    """The ALLOW for one namespace of clients takes each client of the mesh."""
    _for_any_identity(objects, "only-traders")


@mutant(
    "admin-by-its-exact-text",
    Area.AUTHORIZATION,
    TRAPS,
    {"X-TRAP-TCP-02": PASS, "X-TRAP-TCP-02[below the path]": PASS, "X-TRAP-TCP-02[with a query]": FAIL},
    {"X-TRAP-TCP-02[with a query]": "saw 404"},
    nightly=True,
)
def admin_by_its_exact_text(objects: list[Object]) -> None:
    """The DENY compares the path with its query, so that any query evades it."""
    for body in of_kind(objects, _POLICY, "no-admin"):
        for rule in body["spec"]["rules"]:
            [to] = rule.pop("to")
            rule["when"] = [{"key": "request.headers[:path]", "values": to["operation"]["paths"]}]


@mutant(
    "no-authorization-at-other-ports",
    Area.AUTHORIZATION,
    TRAPS,
    {"X-TRAP-NOTHING-01[undeclared port]": FAIL}
    | {f"X-TRAP-NOTHING-01[{way}]": PASS for way in ("mutual TLS", "plaintext", "plain TCP")},
    {"X-TRAP-NOTHING-01[undeclared port]": "saw 200"},
    nightly=True,
)
def no_authorization_at_other_ports(objects: list[Object]) -> None:
    """The server's sidecar applies policies at the ports of Services only."""
    _without_authorization(objects, {"name": "virtualInbound-catchall-http"}, "HTTP_FILTER", _HTTP_RBAC)


@mutant(
    "no-authorization-at-tcp-ports",
    Area.AUTHORIZATION,
    TRAPS,
    {"X-TRAP-NOTHING-01[plain TCP]": FAIL}
    | {f"X-TRAP-NOTHING-01[{way}]": PASS for way in ("mutual TLS", "plaintext", "undeclared port")},
    {"X-TRAP-NOTHING-01[plain TCP]": "saw 200"},
    nightly=True,
)
def no_authorization_at_tcp_ports(objects: list[Object]) -> None:
    """The server's sidecar applies policies to HTTP only."""
    _without_authorization(objects, {"destinationPort": 8080}, "NETWORK_FILTER", _TCP_RBAC)


_HTTP_RBAC = {"name": "envoy.filters.network.http_connection_manager", "subFilter": {"name": "envoy.filters.http.rbac"}}
_TCP_RBAC = {"name": "envoy.filters.network.rbac"}


def _without_authorization(objects: list[Object], chain: Object, kind: str, rbac: Object) -> None:
    """Remove the filter that applies policies from one filter chain of the ledger's sidecar."""
    for body in list(of_kind(objects, _POLICY, "allow-nothing")):
        made = lua(body, "", namespace="mtls-service", app="ledger")
        [patch] = made["spec"]["configPatches"]
        patch["applyTo"] = kind
        patch["match"]["listener"] = {"filterChain": {**chain, "filter": rbac}}
        patch["patch"] = {"operation": "REMOVE"}
        objects.append(made)


@mutant(
    "strict-at-the-page-only",
    Area.MTLS,
    IAP,
    {"X-IAP-PSP-02": PASS, "X-IAP-PSP-02[what the page fetches]": FAIL},
    {"X-IAP-PSP-02[what the page fetches]": "saw 200"},
    nightly=True,
)
def strict_at_the_page_only(objects: list[Object]) -> None:
    """The namespace of the services that the page calls takes plaintext too."""
    for body in of_kind(objects, "PeerAuthentication", "default"):
        if document_namespace(body) == "bookinfo":
            body["spec"]["mtls"]["mode"] = "PERMISSIVE"


def _gateway_is(objects: list[Object], *, source: str, value: str) -> None:
    """Identify the gateway by less than namespace and account."""
    for one in _sources(objects, "backend-behind-gateway"):
        [principal] = one.pop("principals")
        namespace, _, account = principal.removeprefix("*/ns/").partition("/sa/")
        one[source] = [value.format(namespace=namespace, account=account)]


@mutant(
    "gateway-by-its-account",
    Area.AUTHORIZATION,
    FRONT,
    cases("X-FRONT-PAST-01 02", FAIL),
    {"X-FRONT-PAST-01": "settled 1"},
    nightly=True,
)
def gateway_by_its_account(objects: list[Object]) -> None:
    """The back end takes requests of each account that has the name of the gateway's, in any namespace."""
    _gateway_is(objects, source="principals", value="*/sa/{account}")


@mutant(
    "gateway-by-its-namespace",
    Area.AUTHORIZATION,
    FRONT,
    {"X-FRONT-PAST-01[from the gateway's namespace]": FAIL, "X-FRONT-PAST-01": PASS, "X-FRONT-PAST-02": PASS},
    {"X-FRONT-PAST-01[from the gateway's namespace]": "saw 200"},
    nightly=True,
)
def gateway_by_its_namespace(objects: list[Object]) -> None:
    """The back end takes requests of each pod in the gateway's namespace."""
    _gateway_is(objects, source="namespaces", value="{namespace}")
