"""Pod security: outside the mesh's own namespace no pod gets host paths or privileges. By dry run only."""

from __future__ import annotations

import pytest

from clients.model.errors import InfrastructureError
from clients.model.stage import Stage
from suites.iap.admission import POD_SECURITY, refusal

# its pods in the mesh's own namespace are dry runs
STAGE = Stage(
    "iap-pod-security",
    title="Pod security: host paths and privileges only in istio-system",
    environment=("iap/pod-security",),
    needs=frozenset({"mesh-wide"}),
    safe_in_parallel=True,
)


@pytest.mark.control("IAP-PSP-02")
def test_a_pod_outside_the_mesh_namespace_gets_no_access_to_the_node(observe, stage):
    rig = stage.rig
    greedy, same, modest = (
        rig.applier.load([f"iap/pods/{name}.yaml"]) for name in ("in-guarded", "in-istio-system", "modest")
    )

    def problem():
        for item in greedy:
            if not (why := refusal(rig, item)):
                return f"{item}: admitted"
            if POD_SECURITY not in why:
                raise InfrastructureError(f"another admission policy refuses {item} first: {why}")
        for item in (*same, *modest):
            why = refusal(rig, item)
            if why and POD_SECURITY not in why:
                raise InfrastructureError(f"another admission policy refuses {item}: {why}")
            if why:
                return f"{item}: {why}"
        return None

    expected = "host path and privileges refused; the same pods admitted in istio-system, and a modest one here"
    observe("IAP-PSP-02", expected, problem)
