"""As test_open, at a gateway of Kubernetes' Gateway API, which the mesh deploys."""

from __future__ import annotations

import pytest

from clients.model.errors import InfrastructureError
from clients.model.service_type import NO_ADDRESS
from clients.model.stage import Stage
from suites.front.door import FRONT_DOOR, GATEWAY_API
from suites.front.matrix import open_cases

STAGE = Stage(
    "front-gateway-api-open",
    title="Gateway API: front door without policies routes by path",
    environment=GATEWAY_API.environment,
    needs=GATEWAY_API.needs,
)

CASES = open_cases(GATEWAY_API)
ROUTES = {"backend": "api", "frontend": "public"}
API = "gateway.networking.k8s.io/v1"


def test_case(case, prove):
    prove(case)


@pytest.mark.control("X-GWAPI-GW-01")
def test_the_mesh_accepts_gateway_and_routes(observe, stage):
    rig = stage.rig

    def problem():
        gateway = rig.cluster.get(API, "Gateway", FRONT_DOOR.app, rig.overlay.namespace(FRONT_DOOR.namespace))
        status = (gateway or {}).get("status", {})
        if any(one.get("reason") == "AddressNotAssigned" for one in status.get("conditions", ())):
            raise InfrastructureError(f"Gateway {FRONT_DOOR.app} has no external address", NO_ADDRESS)
        if not _true(status.get("conditions", ()), "Programmed"):
            return f"Gateway {FRONT_DOOR.app} is not Programmed: {status.get('conditions')}"
        if not status.get("addresses"):
            return f"Gateway {FRONT_DOOR.app} has no address"
        for name, namespace in ROUTES.items():
            route = rig.cluster.get(API, "HTTPRoute", name, rig.overlay.namespace(namespace))
            parents = (route or {}).get("status", {}).get("parents", ())
            for condition in ("Accepted", "ResolvedRefs"):
                if not parents or not all(_true(parent["conditions"], condition) for parent in parents):
                    return f"HTTPRoute {name} is not {condition}: {parents}"
        return None

    observe("X-GWAPI-GW-01", "the Gateway is Programmed and has an address, its routes are Accepted", problem)


def _true(conditions, name):
    return any(one["type"] == name and one["status"] == "True" for one in conditions)
