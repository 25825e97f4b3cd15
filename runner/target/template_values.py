"""The values of the manifests' templates (`{{ name }}`), derived from the target."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi

from clients.identity import certificates
from clients.identity.claims import ACCESS_LEVEL
from clients.identity.tokens import TokenIssuer
from clients.mesh.egress_gateway import EgressGateway
from clients.model.addresses import as_range
from runner.target.descriptor import TargetDescriptor

FRONT_HOSTS = ("shop.example.com", "*.example.com", "example.com")
"""Names in the ingress gateway's certificate: the hosts that suites send to."""


@dataclass(frozen=True)
class Scope:
    """What belongs to one process of a run.

    Attributes:
        prefix: of its namespaces; also a label value that selects its gateways' pods, and no other process's.
        gateway: the egress gateway that it routes through.
        certificate: of its ingress gateways; None where there are none.
        own_address: of this machine, as the cluster sees it.
    """

    prefix: str
    gateway: EgressGateway
    certificate: certificates.ServerCertificate | None = None
    own_address: str = ""


def template_values(
    descriptor: TargetDescriptor, tokens: TokenIssuer, scope: Scope
) -> dict[str, str | Mapping[str, str]]:
    """By name, every value that a manifest may ask for."""
    certificate = scope.certificate.values if scope.certificate else {}
    return {
        "scope": scope.prefix,
        "control_namespace": descriptor.mesh.control_namespace,
        "unprivileged": descriptor.mesh.unprivileged or "sidecar",
        "ext_authz_provider": descriptor.mesh.ext_authz,
        "gateway_class": descriptor.mesh.gateway_class,
        "outside_range": as_range(scope.own_address),
        **_of_tokens(tokens),
        **_of_egress(descriptor, scope.gateway),
        **certificate,
    }


def _of_tokens(tokens: TokenIssuer) -> dict[str, str | Mapping[str, str]]:
    """Issuers, audiences, and key sets as they are before, during and after a rotation; those of named issuers."""
    jwks = tokens.jwks_json()
    return {
        "jwks": jwks,
        "jwks_base64": base64.urlsafe_b64encode(jwks.encode()).decode(),
        "jwks_both": tokens.jwks_json("trusted", "next"),
        "jwks_next": tokens.jwks_json("next"),
        "jwks_of": tokens.named,
        "issuer": tokens.issuer,
        "front_issuer": tokens.issuer_of("front"),
        "front_audience": tokens.audience_of("front"),
        "iap_issuer": tokens.issuer_of("iap"),
        "rctoken_aud": tokens.audience_of("iap"),
        "access_level": ACCESS_LEVEL,
    }


def _of_egress(descriptor: TargetDescriptor, gateway: EgressGateway) -> dict[str, str]:
    """External hosts, and the gateway towards them."""
    key, _, value = gateway.label.partition("=")
    roots = descriptor.outside.roots
    return {
        # never empty: the gateway has them in the place of its system's own, which may verify the mesh itself
        "external_roots": Path(roots or certifi.where()).read_text(encoding="utf-8"),
        "google_apis": descriptor.outside.google_apis,
        "metadata_server": descriptor.outside.metadata_server,
        "egress_service": gateway.service,
        "egress_label_key": key,
        "egress_label_value": value,
        "egress_http_port": str(gateway.http_port),
        "egress_tls_port": str(gateway.tls_port),
        "gateway_pool_operator": "In" if descriptor.mesh.gateway_nodes else "NotIn",
    }
