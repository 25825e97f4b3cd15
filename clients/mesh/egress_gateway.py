"""The egress gateway under test: our own, or one that the user has already."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EgressGateway:
    """An egress gateway, by the documents' names; the overlay translates the namespace.

    Attributes:
        namespace: where its pods run and its policies live.
        service: name of its Service.
        label: label of its pods by which Gateway objects select them, `key=value`.
        http_port: the pods' port behind the Service's port 80.
        tls_port: the pods' port behind 443.
        given: namespace of the user's own gateway, which is neither deployed nor deleted; empty where ours is deployed.
    """

    namespace: str = "istio-egress"
    service: str = "istio-egressgateway"
    label: str = "istio=egressgateway"
    http_port: int = 8080
    tls_port: int = 8443
    given: str = ""
