"""Mutants of gateways and of the mesh's own settings."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import GATEWAY as OF_GATEWAYS
from tests.mutants.filters import REMEMBERS, lua
from tests.mutants.mesh_config import MeshConfig
from tests.mutants.mutant import Object, document_namespace, networking, of_kind
from tests.mutants.places import FRONT, IAP


@mutant("https-not-served", Area.GATEWAY, FRONT, cases("CRA-AUTH-10", FAIL), nightly=True)
def https_not_served(objects: list[Object]) -> None:
    """The gateway has no server for HTTPS."""
    for body in of_kind(objects, "Gateway", "gke-system-gateway"):
        if body["apiVersion"].startswith("networking.istio.io"):
            body["spec"]["servers"] = body["spec"]["servers"][:1]


@mutant(
    "old-tls-at-the-gateway",
    Area.GATEWAY,
    FRONT,
    {"X-DOOR-TLS-01[1.0]": FAIL, "X-DOOR-TLS-01[1.1]": FAIL},
    {"X-DOOR-TLS-01[1.0]": "saw 200", "X-DOOR-TLS-01[1.1]": "saw 200"},
    nightly=True,
)
def old_tls_at_the_gateway(objects: list[Object]) -> None:
    """The gateway takes TLS 1.0, with a cipher that it knows."""
    for body in of_kind(objects, "Gateway", "gke-system-gateway"):
        if body["apiVersion"].startswith("networking.istio.io"):
            for server in body["spec"]["servers"]:
                if "tls" in server:
                    ciphers = ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-GCM-SHA256"]
                    server["tls"] |= {"minProtocolVersion": "TLSV1_0", "cipherSuites": ciphers}


@mutant("everything-to-the-back-end", Area.GATEWAY, FRONT, cases("CRA-ROUTE-02", FAIL), nightly=True)
def everything_to_the_back_end(objects: list[Object]) -> None:
    """The gateway's second route leads to the back end too."""
    for body in of_kind(objects, "VirtualService", "cloud-run-gke-auth"):
        first, second = body["spec"]["http"]
        second["route"] = first["route"]


@mutant("claim-not-asked", Area.GATEWAY, FRONT, {"X-DOOR-CLAIM-02[no token]": FAIL}, nightly=True)
def claim_not_asked(objects: list[Object]) -> None:
    """The route for testers has no condition."""
    for body in of_kind(objects, "VirtualService", "by-claim"):
        body["spec"]["http"][0].pop("match")


@mutant("route-stays", Area.GATEWAY, FRONT, cases("CRA-CLEAN-01", FAIL), nightly=True)
def route_stays(objects: list[Object]) -> None:
    """A second route to the API survives the deletion of the first: it comes with another manifest."""
    for body in list(of_kind(objects, "Gateway", "gke-system-gateway")):
        if body["apiVersion"].startswith("networking.istio.io"):
            backend = f"backend.{body['metadata']['namespace'].removesuffix('gke-system')}api.svc.cluster.local"
            route = {"match": [{"uri": {"prefix": "/api/"}}], "route": [{"destination": {"host": backend}}]}
            spec = {"gateways": ["gke-system-gateway"], "hosts": ["*"], "http": [route]}
            objects.append(networking("VirtualService", {**body["metadata"], "name": "left-behind"}, spec))


@mutant("gateway-api-denial-audited", Area.GATEWAY, FRONT, cases("X-GWAPI-AUTH-01", FAIL), nightly=True)
def gateway_api_denial_audited(objects: list[Object]) -> None:
    """The policy at the Gateway of Kubernetes' API refuses nothing: its action is AUDIT."""
    for body in of_kind(objects, "AuthorizationPolicy", "front-door"):
        body["spec"]["action"] = "AUDIT"


@mutant("gateway-api-policy-for-both", Area.GATEWAY, FRONT, cases("X-GWAPI-SCOPE-01", FAIL), nightly=True)
def gateway_api_policy_for_both(objects: list[Object]) -> None:
    """The policy of one Gateway applies to the namespace's other gateway too: it has no target."""
    for kind in ("RequestAuthentication", "AuthorizationPolicy"):
        for body in of_kind(objects, kind, "front-door"):
            body["spec"].pop("targetRefs")


@mutant("one-review-missing", Area.BACKEND, IAP, cases("IAP-APP-01", FAIL) | cases("IAP-LB-05", FAIL), nightly=True)
def one_review_missing(objects: list[Object]) -> None:
    """One of the three versions of the reviews has no pod."""
    for body in of_kind(objects, "Deployment", "reviews-v3"):
        body["spec"]["replicas"] = 0


@mutant(
    "paths-not-normalized",
    Area.GATEWAY,
    FRONT,
    {"CRA-AUTH-09[dots, from the front end]": FAIL, "CRA-AUTH-09[query]": PASS},
    nightly=True,
)
class PathsNotNormalized(MeshConfig):
    """The mesh does not normalize paths, so another spelling of one avoids the policy."""

    def change(self, mesh: dict[str, Any]) -> None:
        mesh["pathNormalization"] = {"normalization": "NONE"}


@mutant(
    "token-sticks-to-the-connection",
    Area.GATEWAY,
    FRONT,
    cases("CRA-AUTH-01", FAIL),
    {"CRA-AUTH-01": "after the twin's request"},
    nightly=True,
)
def token_sticks_to_the_connection(objects: list[Object]) -> None:
    """The gateway gives later requests on a connection the token of an earlier one."""
    where = {"namespace": "gke-system", "app": "istio-ingress", "context": OF_GATEWAYS}
    found = list(of_kind(objects, "RequestAuthentication", "api-origin-auth"))
    objects += [lua(body, REMEMBERS, **where) for body in found]


@mutant("users-header-believed", Area.AUTHORIZATION, FRONT, cases("X-CUSTOM-03", FAIL), nightly=True)
class UsersHeaderBelieved(MeshConfig):
    """The header in which the authorization server names the user is taken from the client instead."""

    def change(self, mesh: dict[str, Any]) -> None:
        for provider in mesh["extensionProviders"]:
            provider["envoyExtAuthzHttp"]["headersToUpstreamOnAllow"] = ["x-no-such-header"]


@mutant("authorization-server-allows-all", Area.AUTHORIZATION, FRONT, {"X-CUSTOM-02[no header]": FAIL}, nightly=True)
def authorization_server_allows_all(objects: list[Object]) -> None:
    """The external authorization server says yes to everything."""
    for body in of_kind(objects, "ConfigMap", "ext-authz"):
        if document_namespace(body) == "authz":
            text = body["data"]["envoy.yaml"]
            body["data"]["envoy.yaml"] = text.replace(
                "direct_response: {status: 403,", "direct_response: {status: 200,"
            )
