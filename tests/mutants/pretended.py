"""Mutants of what a proof could take on trust: certificates, identities and user agents."""

from __future__ import annotations

import copy

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import lua
from tests.mutants.mutant import Object, document_namespace, networking, of_kind, run_labels
from tests.mutants.places import MESH, STRICT, TOKENS

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_JWT = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_SDS = {
    "sds_config": {
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
        },
        "resource_api_version": "V3",
    }
}
_ANY_CLIENT = {
    "require_client_certificate": False,
    "common_tls_context": {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": [{"name": "default", **_SDS}],
        "combined_validation_context": {
            "default_validation_context": {},
            "validation_context_sds_secret_config": {"name": "ROOTCA", **_SDS},
        },
    },
}
_INVENTED = """
function envoy_on_request(handle)
  if handle:headers():get("x-forwarded-client-cert") == nil then
    local by, uri = "By=spiffe://cluster.local/ns/<server>/sa/httpbin", "URI=spiffe://cluster.local/ns/<client>/sa/sleep"
    local hash = "Hash=" .. string.rep("0123456789abcdef", 4)
    handle:headers():add("x-forwarded-client-cert", by .. ";" .. hash .. ";Subject=\\"\\";" .. uri)
  end
end
"""


@mutant(
    "client-certificates-optional",
    Area.MTLS,
    STRICT,
    cases("LAB-NSMTLS-03", FAIL),
    {"LAB-NSMTLS-03": "takes TLS without a verified client certificate"},
    nightly=True,
)
def client_certificates_optional(objects: list[Object]) -> None:
    """STRICT refuses plaintext, but TLS without any client certificate is let in."""
    for body in list(of_kind(objects, "PeerAuthentication", "restricted-mtls")):
        made = lua(body, "", namespace=document_namespace(body), app="httpbin", name="certificates-optional")
        # another name, for one of the same name is merged, and a false does not replace a true
        socket = {"name": "meshproof.mutant", "typed_config": {"@type": _TLS, **_ANY_CLIENT}}
        made["spec"]["configPatches"] = [
            {
                "applyTo": "FILTER_CHAIN",
                "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"destinationPort": 8080}}},
                "patch": {"operation": "MERGE", "value": {"transport_socket": socket}},
            }
        ]
        objects.append(made)


@mutant(
    "tools-are-refused",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "saw 200"},
    nightly=True,
)
def tools_are_refused(objects: list[Object]) -> None:
    """The policy refuses what calls itself curl or the harness, and lets all other programs pass."""
    for body in of_kind(objects, "AuthorizationPolicy", "require-jwt"):
        tools = {"key": "request.headers[user-agent]", "notValues": ["curl/*", "meshproof*"]}
        body["spec"]["rules"].append({"when": [tools]})


@mutant(
    "identity-invented",
    Area.MTLS,
    MESH,
    cases("LAB-XFCC-01", FAIL),
    {"LAB-XFCC-01": "server sidecar log: "},
    nightly=True,
)
def identity_invented(objects: list[Object]) -> None:
    """The client calls in plaintext, and a filter of the server's sidecar adds the header that mutual TLS would."""
    for body in list(of_kind(objects, "Namespace")):
        if document_namespace(body) == "mtls-service":
            prefix = body["metadata"]["name"].removesuffix("mtls-service")
            like = copy.deepcopy(body)
            like["kind"], like["metadata"]["namespace"] = "PeerAuthentication", body["metadata"]["name"]
            like["metadata"]["labels"] = run_labels(like["metadata"])
            code = _INVENTED.replace("<server>", f"{prefix}mtls-service").replace("<client>", f"{prefix}mtls-client")
            objects.append(lua(like, code, namespace="mtls-service", app="httpbin", name="invents"))
            meta = {**copy.deepcopy(like["metadata"]), "name": "plaintext"}
            spec = {"host": "httpbin", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}
            objects.append(networking("DestinationRule", meta, spec))


@mutant(
    "tokens-never-expire",
    Area.JWT,
    TOKENS,
    {"LAB-JWT-04[expired]": FAIL, "LAB-JWT-04[foreign-key]": PASS},
    {"LAB-JWT-04[expired]": "saw 200"},
    nightly=True,
)
def tokens_never_expire(objects: list[Object]) -> None:
    """The server's sidecar allows for a clock that is ten years off, so expired tokens are good."""
    for body in list(of_kind(objects, "RequestAuthentication", "jwt-example")):
        made = lua(body, "", namespace="mtls-service", app="httpbin", name="skewed")
        patch = made["spec"]["configPatches"][0]
        patch["match"]["listener"]["filterChain"]["filter"]["subFilter"] = {"name": "envoy.filters.http.jwt_authn"}
        [rule] = body["spec"]["jwtRules"]
        provider = {
            "issuer": rule["issuer"],
            "local_jwks": {"inline_string": rule["jwks"]},
            "payload_in_metadata": rule["issuer"],
            "clock_skew_seconds": 315_360_000,
        }
        skewed = {"providers": {"origins-0": provider}}
        config = {"@type": _JWT, **skewed}
        patch["patch"] = {
            "operation": "MERGE",
            "value": {"name": "envoy.filters.http.jwt_authn", "typed_config": config},
        }
        objects.append(made)
