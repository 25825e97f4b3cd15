"""Mutants of certificates: a proxy takes them of another authority, of another name, too late, or not at all."""

from __future__ import annotations

import copy

from clients.identity.certificates import foreign_authority
from tests.mutants import outside
from tests.mutants.entry import FAIL, PASS, Area, mutant
from tests.mutants.filters import GATEWAY, INBOUND, OUTBOUND, lua
from tests.mutants.mutant import Mutant, Object, document_namespace, of_kind
from tests.mutants.places import BOUTIQUE, EGRESS, STRICT

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
UPSTREAM_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
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
ANY_CLIENT_COMMON: Object = {
    "alpn_protocols": ["h2", "http/1.1"],
    "tls_certificate_sds_secret_configs": [{"name": "default", **_SDS}],
    "combined_validation_context": {
        "default_validation_context": {},
        "validation_context_sds_secret_config": {"name": "ROOTCA", **_SDS},
    },
}
_ANY_CLIENT: Object = {"require_client_certificate": False, "common_tls_context": ANY_CLIENT_COMMON}
_AT_HTTPBIN: Object = {"filterChain": {"destinationPort": 8080}}
BY_FOREIGN = "LAB-NSMTLS-03[TLS with a certificate of a foreign authority]"


def with_socket(body: Object, tls: Object, name: str) -> Object:
    """A filter that replaces what ends TLS at the port of httpbin, in the namespace of a PeerAuthentication."""
    return socket_of(body, tls, name, "httpbin", {"context": INBOUND, "listener": _AT_HTTPBIN})


def socket_of(body: Object, tls: Object, name: str, app: str, match: Object) -> Object:
    made = lua(body, "", namespace=document_namespace(body), app=app, name=name)
    # another name, for one of the same name is merged, and a false does not replace a true
    socket = {"name": "meshproof.mutant", "typed_config": {"@type": _TLS, **tls}}
    made["spec"]["configPatches"] = [
        {
            "applyTo": "FILTER_CHAIN",
            "match": match,
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
    objects.extend(with_socket(body, _ANY_CLIENT, "certificates-optional") for body in policies)


@mutant(
    "another-authority-too",
    Area.MTLS,
    STRICT,
    {"LAB-NSMTLS-03": FAIL, "LAB-NSMTLS-03[TLS without a certificate]": FAIL, BY_FOREIGN: FAIL},
    {"LAB-NSMTLS-03": "trusts another authority than the mesh's", BY_FOREIGN: "saw 200"},
)
class AnotherAuthorityToo(Mutant):
    """STRICT takes certificates of the mesh, and those of an authority that the mesh does not know."""

    def __init__(self) -> None:
        self._roots = ""

    def objects(self, objects: list[Object]) -> None:
        policies = list(of_kind(objects, "PeerAuthentication", "restricted-mtls"))
        sockets = (self.socket(body["metadata"]["namespace"]) for body in policies)
        objects.extend(map(with_socket, policies, sockets, ["another-authority"] * len(policies)))

    def socket(self, namespace: str) -> Object:
        """Ends TLS with clients of both authorities; the mesh's is read in a namespace that has it."""
        self._roots = self._roots or roots_of_mesh(namespace) + foreign_authority().roots
        common = {name: part for name, part in ANY_CLIENT_COMMON.items() if "validation" not in name}
        trusted = {"validation_context": {"trusted_ca": {"inline_string": self._roots}}}
        return {"require_client_certificate": True, "common_tls_context": {**common, **trusted}}


@mutant(
    "another-authority-at-the-gateway",
    Area.MTLS,
    EGRESS,
    {
        "EGR-ROUTE-06[TLS with a certificate of a foreign authority]": FAIL,
        "EGR-ROUTE-06[TLS without a client certificate]": PASS,
    },
    {"EGR-ROUTE-06[TLS with a certificate of a foreign authority]": "saw 200"},
    nightly=True,
)
class AnotherAuthorityAtTheGateway(AnotherAuthorityToo):
    """The egress gateway takes certificates of the mesh, and those of an authority that the mesh does not know."""

    def objects(self, objects: list[Object]) -> None:
        for body in list(of_kind(objects, "Gateway", "egress-gateway")):
            tls = self.socket(body["metadata"]["namespace"])
            objects.append(socket_of(body, tls, "another-authority", "istio-egressgateway", {"context": GATEWAY}))


def _verifying(objects: list[Object], how: Object, name: str) -> None:
    """The server's sidecar verifies clients by the mesh's authority, and otherwise as stated."""
    for body in list(of_kind(objects, "PeerAuthentication", "restricted-mtls")):
        common = copy.deepcopy(ANY_CLIENT_COMMON)
        common["combined_validation_context"]["default_validation_context"] = how
        objects.append(with_socket(body, {"require_client_certificate": True, "common_tls_context": common}, name))


@mutant(
    "expired-clients-too",
    Area.MTLS,
    STRICT,
    {"LAB-NSMTLS-03": FAIL, BY_FOREIGN: FAIL, "LAB-NSMTLS-04": FAIL},
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
    {"LAB-NSMTLS-03": FAIL, BY_FOREIGN: FAIL, "LAB-NSMTLS-04": FAIL},
    {"LAB-NSMTLS-03": "takes certificates of any trust domain"},
    nightly=True,
)
def clients_of_any_trust_domain(objects: list[Object]) -> None:
    """STRICT takes certificates of every trust domain that the mesh's authority signs for."""
    _verifying(objects, {}, "any-domain")


def roots_of_mesh(namespace: str) -> str:
    found = outside.administrator().get("v1", "ConfigMap", "istio-ca-root-cert", namespace)
    assert found is not None
    return str(found["data"]["root-cert.pem"])


@mutant(
    "server-of-any-name",
    Area.CLIENT,
    BOUTIQUE,
    {"BTQ-NS-07": PASS, "BTQ-NS-07[from a sidecar]": FAIL},
    {"BTQ-NS-07[from a sidecar]": "saw 200"},
    nightly=True,
)
def server_of_any_name(objects: list[Object]) -> None:
    """A sidecar takes each certificate of the mesh's authority for that of the frontend; the gateway looks closer."""
    for body in list(of_kind(objects, "DestinationRule", "frontend")):
        made = lua(body, "", namespace="product-catalog", app="productcatalogservice", name="any-server")
        common = {**ANY_CLIENT_COMMON, "alpn_protocols": ["istio"]}
        tls = {"@type": UPSTREAM_TLS, "common_tls_context": common, "sni": "frontend"}
        host = f"frontend.{body['metadata']['namespace']}.svc.cluster.local"
        made["spec"]["configPatches"] = [
            {
                "applyTo": "CLUSTER",
                "match": {"context": OUTBOUND, "cluster": {"service": host}},
                "patch": {
                    "operation": "MERGE",
                    "value": {"transport_socket": {"name": "meshproof.mutant", "typed_config": tls}},
                },
            }
        ]
        objects.append(made)
