"""As test_open, at a gateway of Kubernetes' Gateway API, which the mesh deploys."""

from __future__ import annotations

import pytest

from clients.model import api_groups
from clients.model.errors import InfrastructureError
from clients.model.service_type import NO_ADDRESS
from clients.model.stage import Stage
from suites.front.door import FRONT_DOOR, GATEWAY_API
from suites.front.matrix import open_cases
from suites.front.workloads import INSIDE

STAGE = Stage(
    "front-gateway-api-open",
    title="Gateway API: front door without policies routes by path",
    environment=GATEWAY_API.environment,
    needs=GATEWAY_API.needs,
)

CASES = open_cases(GATEWAY_API)
ROUTES = {"backend": "api", "frontend": "public"}
NOT_ADMITTED = "not-admitted"
API = f"{api_groups.GATEWAY_API}/v1"


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
        other = rig.cluster.get(API, "HTTPRoute", NOT_ADMITTED, rig.overlay.namespace(INSIDE.namespace))
        parents = (other or {}).get("status", {}).get("parents", ())
        if not parents or any(_true(parent["conditions"], "Accepted") for parent in parents):
            return f"HTTPRoute {NOT_ADMITTED} of a namespace that is not admitted is not refused: {parents}"
        return None

    expected = "the Gateway is Programmed and has an address; its routes are Accepted, and no other namespace's"
    observe("X-GWAPI-GW-01", expected, problem)


def _true(conditions, name):
    return any(one["type"] == name and one["status"] == "True" for one in conditions)
