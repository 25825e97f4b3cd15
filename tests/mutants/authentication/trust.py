"""Mutants of what proxies trust: clients of another trust domain, a server whose certificate has expired."""

from __future__ import annotations

from clients.identity.certificates import foreign_authority
from tests.mutants.authentication.certificates import (
    ANY_CLIENT_COMMON,
    UPSTREAM_TLS,
    roots_of_mesh,
    socket_of,
    with_socket,
)
from tests.mutants.entry import FAIL, PASS, Area, mutant
from tests.mutants.filters import GATEWAY, lua
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS, STRICT

_SPIFFE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig"
_OF_FOREIGN = "LAB-NSMTLS-03[TLS with a certificate of a foreign trust domain]"


def _federated(own: str) -> Object:
    """Verifies clients of each trust domain by the authority of that domain alone (SPIFFE federation)."""
    bundles = {"cluster.local": own, "foreign.example": foreign_authority().roots}
    domains = [{"name": name, "trust_bundle": {"inline_string": roots}} for name, roots in bundles.items()]
    validator = {
        "name": "envoy.tls.cert_validator.spiffe",
        "typed_config": {"@type": _SPIFFE, "trust_domains": domains},
    }
    common = {name: part for name, part in ANY_CLIENT_COMMON.items() if "validation" not in name}
    trusted = {"validation_context": {"custom_validator_config": validator}}
    return {"require_client_certificate": True, "common_tls_context": {**common, **trusted}}


@mutant(
    "another-trust-domain-too",
    Area.MTLS,
    STRICT,
    {_OF_FOREIGN: FAIL},
    {_OF_FOREIGN: "saw 200"},
    nightly=True,
)
def another_trust_domain_too(objects: list[Object]) -> None:
    """STRICT takes certificates of another trust domain, by the authority of that domain."""
    for body in list(of_kind(objects, "PeerAuthentication", "restricted-mtls")):
        tls = _federated(roots_of_mesh(body["metadata"]["namespace"]))
        objects.append(with_socket(body, tls, "another-domain"))


@mutant(
    "another-trust-domain-at-the-gateway",
    Area.MTLS,
    EGRESS,
    {
        "EGR-ROUTE-01": PASS,
        "EGR-ROUTE-06[TLS with a certificate of a foreign authority]": PASS,
        "EGR-ROUTE-06[TLS with a certificate of a foreign trust domain]": FAIL,
    },
    {"EGR-ROUTE-06[TLS with a certificate of a foreign trust domain]": "saw 200"},
)
def another_trust_domain_at_the_gateway(objects: list[Object]) -> None:
    """The egress gateway takes certificates of another trust domain, by the authority of that domain."""
    for body in list(of_kind(objects, "Gateway", "egress-gateway")):
        tls = _federated(roots_of_mesh(body["metadata"]["namespace"]))
        objects.append(socket_of(body, tls, "another-domain", "istio-egressgateway", {"context": GATEWAY}))


@mutant(
    "expired-server-of-one-host",
    Area.ORIGINATION,
    EGRESS,
    {"EGR-ORIG-01": PASS, "EGR-ORIG-04[expired]": PASS, "X-EGR-ORIG-SAME": PASS, "X-EGR-ORIG-SAME[expired]": FAIL},
    {"X-EGR-ORIG-SAME[expired]": "saw 200"},
    nightly=True,
)
def expired_server_of_one_host(objects: list[Object]) -> None:
    """The gateway takes an expired certificate for that of example.com; those of other hosts it does not."""
    for body in list(of_kind(objects, "DestinationRule", "example-com-originate-tls")):
        made = lua(body, "", namespace="istio-egress", app="istio-egressgateway", name="expired-server")
        roots = {"trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"}, "allow_expired_certificate": True}
        tls = {"@type": UPSTREAM_TLS, "common_tls_context": {"validation_context": roots}, "sni": "example.com"}
        made["spec"]["configPatches"] = [
            {
                "applyTo": "CLUSTER",
                "match": {
                    "context": GATEWAY,
                    "cluster": {"service": "example.com", "subset": "example-com-originate-TLS"},
                },
                "patch": {
                    "operation": "MERGE",
                    "value": {"transport_socket": {"name": "meshproof.mutant", "typed_config": tls}},
                },
            }
        ]
        objects.append(made)
