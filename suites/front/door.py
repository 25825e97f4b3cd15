"""The two ways to say what a gateway does: Istio's own API, and Kubernetes' Gateway API. What must hold is the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from clients.model.case import Workload
from clients.probe.outside import OutsideClient, through
from suites.front.workloads import ENVIRONMENT, GATEWAY, OUTSIDE, POLICY, call


@dataclass(frozen=True)
class Door:
    """One gateway, configured by one of the APIs.

    Attributes:
        outside: the client outside the cluster that enters by it.
        policy: manifests that demand a token at it.
        own: controls of its own stand in the place of those of the document.
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

    def control(self, name):
        """The control that states this of this gateway: `CRA-AUTH-01`, or `X-GWAPI-AUTH-01`."""
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
"""Gateway and HTTPRoutes of gateway.networking.k8s.io; policies name the Gateway, which the mesh has deployed."""
