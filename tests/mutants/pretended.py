"""Mutants of what a proof could take on trust: certificates, identities and user agents."""

from __future__ import annotations

import copy

from clients.identity.certificates import foreign_authority
from tests.mutants import outside
from tests.mutants.entry import FAIL, Area, cases, mutant
from tests.mutants.filters import lua
from tests.mutants.mutant import Mutant, Object, document_namespace, networking, of_kind, run_labels
from tests.mutants.places import MESH, STRICT, TOKENS

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_JWT = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_YEAR_S = 365 * 86_400
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
_ANY_CLIENT_COMMON: Object = {
    "alpn_protocols": ["h2", "http/1.1"],
    "tls_certificate_sds_secret_configs": [{"name": "default", **_SDS}],
    "combined_validation_context": {
        "default_validation_context": {},
        "validation_context_sds_secret_config": {"name": "ROOTCA", **_SDS},
    },
}
_ANY_CLIENT: Object = {"require_client_certificate": False, "common_tls_context": _ANY_CLIENT_COMMON}
_INVENTED = """
function envoy_on_request(handle)
  if handle:headers():get("x-forwarded-client-cert") == nil then
    local by, uri = "By=spiffe://cluster.local/ns/<server>/sa/httpbin", "URI=spiffe://cluster.local/ns/<client>/sa/sleep"
    local hash = "Hash=" .. string.rep("0123456789abcdef", 4)
    handle:headers():add("x-forwarded-client-cert", by .. ";" .. hash .. ";Subject=\\"\\";" .. uri)
  end
end
"""


_BY_FOREIGN = "LAB-NSMTLS-03[TLS with a certificate of a foreign authority]"


def _with_socket(body: Object, tls: Object, name: str) -> Object:
    """A filter that replaces what ends TLS at the port of httpbin, in the namespace of a PeerAuthentication."""
    made = lua(body, "", namespace=document_namespace(body), app="httpbin", name=name)
    # another name, for one of the same name is merged, and a false does not replace a true
    socket = {"name": "meshproof.mutant", "typed_config": {"@type": _TLS, **tls}}
    made["spec"]["configPatches"] = [
        {
            "applyTo": "FILTER_CHAIN",
            "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"destinationPort": 8080}}},
            "patch": {"operation": "MERGE", "value": {"transport_socket": socket}},
        }
    ]
    return made


@mutant(
    "client-certificates-optional",
    Area.MTLS,
    STRICT,
    {"LAB-NSMTLS-03": FAIL, "LAB-NSMTLS-03[TLS without a certificate]": FAIL},
    {
        "LAB-NSMTLS-03": "takes TLS without a verified client certificate",
        "LAB-NSMTLS-03[TLS without a certificate]": "saw 200",
    },
    nightly=True,
)
def client_certificates_optional(objects: list[Object]) -> None:
    """STRICT refuses plaintext, but TLS without any client certificate is let in."""
    policies = list(of_kind(objects, "PeerAuthentication", "restricted-mtls"))
    objects.extend(_with_socket(body, _ANY_CLIENT, "certificates-optional") for body in policies)


@mutant(
    "another-authority-too",
    Area.MTLS,
    STRICT,
    {"LAB-NSMTLS-03": FAIL, "LAB-NSMTLS-03[TLS without a certificate]": FAIL, _BY_FOREIGN: FAIL},
    {"LAB-NSMTLS-03": "trusts another authority than the mesh's", _BY_FOREIGN: "saw 200"},
)
class AnotherAuthorityToo(Mutant):
    """STRICT takes certificates of the mesh, and those of an authority that the mesh does not know."""

    def __init__(self) -> None:
        self._roots = ""

    def objects(self, objects: list[Object]) -> None:
        for body in list(of_kind(objects, "PeerAuthentication", "restricted-mtls")):
            self._roots = self._roots or _roots_of_mesh(body["metadata"]["namespace"]) + foreign_authority().roots
            common = {name: part for name, part in _ANY_CLIENT_COMMON.items() if "validation" not in name}
            trusted = {"validation_context": {"trusted_ca": {"inline_string": self._roots}}}
            tls = {"require_client_certificate": True, "common_tls_context": {**common, **trusted}}
            objects.append(_with_socket(body, tls, "another-authority"))


def _verifying(objects: list[Object], how: Object, name: str) -> None:
    """The server's sidecar verifies clients by the mesh's authority, and otherwise as stated."""
    for body in list(of_kind(objects, "PeerAuthentication", "restricted-mtls")):
        common = copy.deepcopy(_ANY_CLIENT_COMMON)
        common["combined_validation_context"]["default_validation_context"] = how
        objects.append(_with_socket(body, {"require_client_certificate": True, "common_tls_context": common}, name))


@mutant(
    "expired-clients-too",
    Area.MTLS,
    STRICT,
    {"LAB-NSMTLS-03": FAIL, _BY_FOREIGN: FAIL, "LAB-NSMTLS-04": FAIL},
    {"LAB-NSMTLS-03": "takes expired certificates"},
    nightly=True,
)
def expired_clients_too(objects: list[Object]) -> None:
    """STRICT takes certificates of the mesh that have expired."""
    names = [{"prefix": "spiffe://cluster.local/"}]
    how = {"match_subject_alt_names": names, "allow_expired_certificate": True}
    _verifying(objects, how, "expired-too")


@mutant(
    "clients-of-any-trust-domain",
    Area.MTLS,
    STRICT,
    {"LAB-NSMTLS-03": FAIL, _BY_FOREIGN: FAIL, "LAB-NSMTLS-04": FAIL},
    {"LAB-NSMTLS-03": "takes certificates of any trust domain"},
    nightly=True,
)
def clients_of_any_trust_domain(objects: list[Object]) -> None:
    """STRICT takes certificates of every trust domain that the mesh's authority signs for."""
    _verifying(objects, {}, "any-domain")


def _roots_of_mesh(namespace: str) -> str:
    found = outside.administrator().get("v1", "ConfigMap", "istio-ca-root-cert", namespace)
    assert found is not None
    return str(found["data"]["root-cert.pem"])


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


def _skewed(objects: list[Object], seconds: int) -> None:
    """The server's sidecar allows for a clock that is off by so much."""
    for body in list(of_kind(objects, "RequestAuthentication", "jwt-example")):
        made = lua(body, "", namespace="mtls-service", app="httpbin", name="skewed")
        patch = made["spec"]["configPatches"][0]
        patch["match"]["listener"]["filterChain"]["filter"]["subFilter"] = {"name": "envoy.filters.http.jwt_authn"}
        [rule] = body["spec"]["jwtRules"]
        provider = {
            "issuer": rule["issuer"],
            "local_jwks": {"inline_string": rule["jwks"]},
            "payload_in_metadata": rule["issuer"],
            "clock_skew_seconds": seconds,
        }
        skewed = {"providers": {"origins-0": provider}}
        config = {"@type": _JWT, **skewed}
        patch["patch"] = {
            "operation": "MERGE",
            "value": {"name": "envoy.filters.http.jwt_authn", "typed_config": config},
        }
        objects.append(made)


_SKEW = {"LAB-JWT-04[foreign-key]": "allows for clocks "}


@mutant(
    "tokens-never-expire",
    Area.JWT,
    TOKENS,
    {"LAB-JWT-04[expired]": FAIL, "LAB-JWT-04[foreign-key]": FAIL},
    {"LAB-JWT-04[expired]": "saw 200", **_SKEW},
    nightly=True,
)
def tokens_never_expire(objects: list[Object]) -> None:
    """The server's sidecar allows for a clock that is ten years off, so expired tokens are good."""
    _skewed(objects, 10 * _YEAR_S)


@mutant(
    "clock-a-year-off",
    Area.JWT,
    TOKENS,
    {f"LAB-JWT-04[{kind}]": FAIL for kind in ("just-expired", "soon-valid", "foreign-key")},
    {"LAB-JWT-04[just-expired]": "saw 200", "LAB-JWT-04[soon-valid]": "saw 200", **_SKEW},
    nightly=True,
)
def clock_a_year_off(objects: list[Object]) -> None:
    """The server's sidecar allows for a clock that is a year off: only what expired long ago is refused."""
    _skewed(objects, _YEAR_S)
