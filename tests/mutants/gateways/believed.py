"""Mutants of gateways that believe what a client says of itself, or that let in what they should not."""

from __future__ import annotations

import json
from typing import Any

from testbed.addresses import PODS
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import FRONT, IAP, TRAPS

_POLICY = "AuthorizationPolicy"


def _topology(objects: list[Object], name: str, **topology: Any) -> None:
    """State of a gateway's Deployment what is in front of it."""
    for body in of_kind(objects, "Deployment", name):
        config = {"concurrency": 2, "gatewayTopology": topology}
        body["spec"]["template"]["metadata"]["annotations"]["proxy.istio.io/config"] = json.dumps(config)


@mutant(
    "certificate-header-believed",
    Area.GATEWAY,
    IAP,
    {"X-IAP-HEADER-03": FAIL},
    {"X-IAP-HEADER-03": "spiffe://forged"},
    nightly=True,
)
def certificate_header_believed(objects: list[Object]) -> None:
    """The gateway hands on whose certificate its client says it has."""
    _topology(objects, "istio-ingressgateway", forwardClientCertDetails="ALWAYS_FORWARD_ONLY")


@mutant(
    "address-header-believed",
    Area.GATEWAY,
    TRAPS,
    {"X-TRAP-REMOTE-09": PASS, "X-TRAP-REMOTE-10": FAIL},
    {"X-TRAP-REMOTE-10": "saw 200"},
    nightly=True,
)
def address_header_believed(objects: list[Object]) -> None:
    """The gateway takes its client for a trusted proxy, and believes the address that it states."""
    _topology(objects, "istio-ingress", numTrustedProxies=1)


@mutant(
    "users-header-if-claimed",
    Area.JWT,
    IAP,
    {
        "X-IAP-HEADER-01[overwritten by the token's claim]": PASS,
        "X-IAP-HEADER-01[where the token lacks the claim]": FAIL,
    },
    nightly=True,
)
def users_header_if_claimed(objects: list[Object]) -> None:
    """The user's header is overwritten where the token has the claim, and else it stays as the client sent it."""
    for body in of_kind(objects, "RequestAuthentication", "ingressgateway"):
        body["spec"]["jwtRules"][0].pop("outputClaimToHeaders")
    for body in of_kind(objects, "VirtualService", "bookinfo"):
        claim = "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:email)%"
        body["spec"]["http"][0]["headers"]["request"]["set"] = {"x-user-email": claim}


@mutant(
    "a-token-of-outside-clients",
    Area.AUTHORIZATION,
    FRONT,
    cases("CRA-AUTH-01", PASS) | {"X-FRONT-TOKEN-03[from a pod of the mesh]": FAIL},
    {"X-FRONT-TOKEN-03[from a pod of the mesh]": "saw 200"},
    nightly=True,
)
def a_token_of_outside_clients(objects: list[Object]) -> None:
    """The gateway requires a token of clients outside the cluster only."""
    for body in of_kind(objects, _POLICY, "api-origin-auth"):
        body["spec"]["rules"][0]["from"][0]["source"]["notIpBlocks"] = [str(PODS)]


@mutant(
    "routes-of-every-namespace",
    Area.GATEWAY,
    FRONT,
    {"X-GWAPI-GW-01": FAIL, "X-GWAPI-ROUTE-01": PASS, "X-GWAPI-ROUTE-02": FAIL},
    {"X-GWAPI-ROUTE-02": "saw 302"},
    nightly=True,
)
def routes_of_every_namespace(objects: list[Object]) -> None:
    """The Gateway of Kubernetes' API admits routes of every namespace: one of them takes the front end's page over."""
    for body in of_kind(objects, "Gateway", "front-door"):
        for listener in body["spec"]["listeners"]:
            listener["allowedRoutes"]["namespaces"] = {"from": "All"}
