"""The settings of the ways in: `[ingress]`, and `[ingress.<gateway>]` for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from clients.model.entrance import Entrance, Way
from clients.model.service_type import CLUSTER_IP, NODE_PORT
from runner.config.texts import formed

SERVICES = {
    "front": "gke-system/istio-ingress",
    "front_api": "gke-system/front-door",
    "iap": "iap-ingress/istio-ingressgateway",
    "boutique": "boutique-ingress/istio-ingressgateway",
    "shop": "frontend/frontend-external",
    "traps": "traps-ingress/istio-ingress",
}
"""Name of a gateway in the settings → namespace and name of its Service, as the manifests have them."""
BALANCED = frozenset(SERVICES.values()) - {SERVICES["iap"]}
"""Those that ask for a load balancer."""
WITHOUT_BALANCER = {Way.NODE_PORT: NODE_PORT, Way.PORT_FORWARD: CLUSTER_IP}
"""Ways that use no load balancer → the type of Service that is enough for them."""
Address = Annotated[str, formed(r"[A-Za-z0-9._:\[\]-]*", "a host name or an IP address, without scheme and path")]
"""Where gateways are reached."""
OWN_ADDRESS = frozenset({"front_api", "shop"})
"""They lead elsewhere than the ingress gateways, so an address for all of these is not theirs."""


class Gateway(BaseModel):
    """One gateway that clients outside the cluster use.

    Attributes:
        address: host name or IP where it is reached, instead of what its Service says; its Service's ports count.
        way: the only way to use: `address`, `node-port`, `port-forward`; empty takes that of all.
        annotations: more of them for its Service, and of other values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Address = ""
    way: Way | None = None
    annotations: dict[str, str] = {}


class Ingress(BaseModel):
    """How gateways are reached from outside.

    Attributes:
        way: the only way to use for all of them; `auto` takes the first that is open.
        annotations: of all Services of type LoadBalancer that a run makes, for instance for internal load balancers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    way: Way = Way.AUTO
    annotations: dict[str, str] = {}
    front: Gateway = Gateway()
    front_api: Gateway = Gateway()
    iap: Gateway = Gateway()
    boutique: Gateway = Gateway()
    shop: Gateway = Gateway()
    traps: Gateway = Gateway()

    def entrances(self, address: str = "") -> dict[str, Entrance]:
        """`namespace/service` → its way in.

        Args:
            address: of every ingress gateway that has none of its own.
        """
        found = {}
        for name, service in SERVICES.items():
            own: Gateway = getattr(self, name)
            given = own.address or ("" if name in OWN_ADDRESS else address)
            found[service] = Entrance(given, own.way or self.way)
        return found

    def service_types(self, accepted: str = "") -> dict[str, str]:
        """`namespace/service` → its type in the place of LoadBalancer, where that is not used, or cannot be had.

        Args:
            accepted: the type that the cluster accepts instead; empty where it accepts load balancers.
        """
        found = {service: WITHOUT_BALANCER.get(one.way, accepted) for service, one in self.entrances().items()}
        return {service: kind for service, kind in found.items() if kind}

    def service_annotations(self) -> dict[str, Mapping[str, str]]:
        """`namespace/service` → annotations of that Service alone."""
        return {service: getattr(self, name).annotations for name, service in SERVICES.items()}
