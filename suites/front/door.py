"""A gateway configured by Istio's own API or by Kubernetes' Gateway API: the same must hold for both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from clients.model.probe import Workload
from clients.probe.outside import OutsideClient, through
from suites.front.workloads import ENVIRONMENT, GATEWAY, OUTSIDE, POLICY, call


@dataclass(frozen=True)
class Door:
    """One gateway, configured by one of the APIs.

    Attributes:
        outside: the client outside the cluster that uses this gateway.
        policy: manifests that require a token at it.
        own: it has controls of its own (`X-GWAPI-…`) instead of the document's.
    """

    gateway: Workload
    outside: OutsideClient
    environment: tuple[str, ...]
    policy: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    own: bool = False

    @property
    def call(self):
        """`suites.front.workloads.call`, by this gateway."""
        return partial(call, source=self.outside)

    @property
    def inside(self):
        """Its address in the cluster."""
        return f"http://{self.gateway.app}.{self.gateway.namespace}"

    def control(self, name):
        """Id of the same control for this gateway: `CRA-AUTH-01`, or `X-GWAPI-AUTH-01`."""
        return re.sub(r"^(CRA|X-FRONT)-", "X-GWAPI-", name) if self.own else name


ISTIO = Door(GATEWAY, OUTSIDE, ENVIRONMENT, POLICY)
"""Gateway and VirtualService; policies select the gateway's pods by their labels."""

FRONT_DOOR = Workload("gke-system", "front-door", "istio-proxy")
GATEWAY_API = Door(
    FRONT_DOOR,
    through(FRONT_DOOR, "front-door"),
    (*ENVIRONMENT, "front/gateway-api"),
    ("front/gateway-api-jwt/front-door.yaml",),
    frozenset({"gateway-api"}),
    own=True,
)
"""Gateway and HTTPRoutes of gateway.networking.k8s.io; policies name the Gateway, which the mesh deploys."""
