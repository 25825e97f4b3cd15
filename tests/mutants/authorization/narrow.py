"""Mutants of policies that hold for a part of what they are meant for: for one host, one method, one path, one port."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import FRONT, IAP, TRAPS

_POLICY = "AuthorizationPolicy"
_TOKEN_AT_FRONT, _TOKEN_OF_IAP, _TOKEN_AT_GATEWAY_API = "api-origin-auth", "ingressgateway", "front-door"
_ASKS_SERVER = "ext-authz"
_HOST_LEFT_OUT = {"another host": FAIL, "host with its port": FAIL, "HTTP/2": PASS}


def _rules(objects: list[Object], name: str) -> list[dict[str, Any]]:
    return [rule for body in of_kind(objects, _POLICY, name) for rule in body["spec"]["rules"]]


def _narrow(objects: list[Object], name: str, **operation: list[str]) -> None:
    """State more in the operations of a policy, or in place of what they state."""
    for rule in _rules(objects, name):
        for to in rule["to"]:
            to["operation"].update(operation)


def _of(control: str, verdicts: dict[str, str]) -> dict[str, str]:
    return {f"{control}[{variant}]": verdict for variant, verdict in verdicts.items()}


@mutant(
    "a-token-at-one-host",
    Area.AUTHORIZATION,
    FRONT,
    cases("CRA-AUTH-01", PASS) | _of("X-FRONT-TOKEN-03", _HOST_LEFT_OUT),
    {"X-FRONT-TOKEN-03[another host]": "saw 200"},
)
def a_token_at_one_host(objects: list[Object]) -> None:
    """The gateway serves every host, and requires a token at one, without a port in its name."""
    _narrow(objects, _TOKEN_AT_FRONT, hosts=["shop.example.com"])


@mutant(
    "a-token-below-one-path",
    Area.AUTHORIZATION,
    FRONT,
    cases("CRA-AUTH-01", PASS) | _of("X-FRONT-TOKEN-03", {"another path": FAIL, "another host": PASS}),
    {"X-FRONT-TOKEN-03[another path]": "saw 404"},
    nightly=True,
)
def a_token_below_one_path(objects: list[Object]) -> None:
    """A part of the API requires no token."""
    _narrow(objects, _TOKEN_AT_FRONT, notPaths=["/api/healthz", "/api/v1/*"])


@mutant(
    "a-token-at-one-host-of-a-gateway",
    Area.AUTHORIZATION,
    FRONT,
    cases("X-GWAPI-AUTH-01", PASS) | _of("X-GWAPI-TOKEN-03", _HOST_LEFT_OUT),
    {"X-GWAPI-TOKEN-03[another host]": "saw 200"},
    nightly=True,
)
def a_token_at_one_host_of_a_gateway(objects: list[Object]) -> None:
    """The Gateway of Kubernetes' API serves every host, and requires a token at one, without a port in its name."""
    _narrow(objects, _TOKEN_AT_GATEWAY_API, hosts=["shop.example.com"])


@mutant(
    "iaps-token-at-one-host",
    Area.AUTHORIZATION,
    IAP,
    cases("IAP-RCT-03", PASS) | _of("X-IAP-EVERY", _HOST_LEFT_OUT),
    {"X-IAP-EVERY[another host]": "saw 200"},
    nightly=True,
)
def iaps_token_at_one_host(objects: list[Object]) -> None:
    """The gateway serves every host, and requires IAP's token at one, without a port in its name."""
    _narrow(objects, _TOKEN_OF_IAP, hosts=["books.example.com"])


@mutant(
    "ext-authz-for-reading-only",
    Area.AUTHORIZATION,
    FRONT,
    _of("X-CUSTOM-02", {"no header": PASS, "HTTP/2": PASS, "POST": FAIL, "PUT": FAIL}),
    {"X-CUSTOM-02[POST]": "saw 200"},
)
def ext_authz_for_reading_only(objects: list[Object]) -> None:
    """The external authorization server is asked about GET alone."""
    _narrow(objects, _ASKS_SERVER, methods=["GET"])


@mutant(
    "ext-authz-at-one-host",
    Area.AUTHORIZATION,
    FRONT,
    _of("X-CUSTOM-02", {"no header": PASS, "another host": FAIL}),
    {"X-CUSTOM-02[another host]": "saw 200"},
    nightly=True,
)
def ext_authz_at_one_host(objects: list[Object]) -> None:
    """The external authorization server is asked about requests for one host."""
    _narrow(objects, _ASKS_SERVER, hosts=["shop.example.com", "shop.example.com:*"])


@mutant(
    "ext-authz-for-one-path",
    Area.AUTHORIZATION,
    FRONT,
    _of("X-CUSTOM-02", {"no header": PASS, "another path": FAIL}),
    {"X-CUSTOM-02[another path]": "saw 404"},
    nightly=True,
)
def ext_authz_for_one_path(objects: list[Object]) -> None:
    """The external authorization server is asked about one path of the API."""
    _narrow(objects, _ASKS_SERVER, paths=["/api/secure.json"])


@mutant(
    "ext-authz-at-one-port",
    Area.AUTHORIZATION,
    FRONT,
    _of("X-CUSTOM-02", {"no header": PASS, "over TLS": FAIL}),
    {"X-CUSTOM-02[over TLS]": "saw 200"},
    nightly=True,
)
def ext_authz_at_one_port(objects: list[Object]) -> None:
    """The external authorization server is asked about what comes without TLS."""
    _narrow(objects, _ASKS_SERVER, ports=["8080"])


@mutant(
    "grpc-method-without-a-token",
    Area.AUTHORIZATION,
    FRONT,
    cases("X-GRPC-02", PASS) | _of("X-GRPC-02", {"another method": FAIL}),
    {"X-GRPC-02[another method]": "saw 200 OK (0)"},
    nightly=True,
)
def grpc_method_without_a_token(objects: list[Object]) -> None:
    """One method of the gRPC service requires no token."""
    for rule in _rules(objects, "channels")[:1]:
        rule["to"][0]["operation"]["notPaths"] = ["/hipstershop.CartService/AddItem"]


@mutant(
    "claims-for-reading-only",
    Area.AUTHORIZATION,
    IAP,
    _of("X-IAP-CLAIM-02", {"of no group": PASS, "of no group, by POST": FAIL}),
    {"X-IAP-CLAIM-02[of no group, by POST]": "saw 200"},
    nightly=True,
)
def claims_for_reading_only(objects: list[Object]) -> None:
    """One more rule lets every POST in, whatever the user's claims."""
    for body in of_kind(objects, _POLICY, "context-aware"):
        body["spec"]["rules"].append({"to": [{"operation": {"methods": ["POST"]}}]})


@mutant(
    "admin-itself-alone",
    Area.AUTHORIZATION,
    TRAPS,
    cases("X-TRAP-TCP-02", PASS) | _of("X-TRAP-TCP-02", {"below the path": FAIL}),
    {"X-TRAP-TCP-02[below the path]": "saw 404"},
    nightly=True,
)
def admin_itself_alone(objects: list[Object]) -> None:
    """The DENY by path names the path, and nothing below it."""
    _narrow(objects, "no-admin", paths=["/admin"])


@mutant(
    "firewall-for-the-page-only",
    Area.NETWORK,
    IAP,
    cases("IAP-LB-01", PASS) | _of("IAP-LB-01", {"status port": FAIL}),
    {"IAP-LB-01[status port]": "saw 200"},
    nightly=True,
)
def firewall_for_the_page_only(objects: list[Object]) -> None:
    """The gateway's status port is open to every client."""
    for body in of_kind(objects, "NetworkPolicy", "only-load-balancer"):
        body["spec"]["ingress"].append({"ports": [{"port": 15021, "protocol": "TCP"}]})
