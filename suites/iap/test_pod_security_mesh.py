"""The injected application under pod security: takes Istio's CNI plug-in, so that no pod needs NET_ADMIN."""

from __future__ import annotations

import pytest

from clients.stage import Stage
from suites.iap.places import GROUND

STAGE = Stage("iap-pod-security-mesh", ground=GROUND, needs=frozenset({"istio-cni"}))


@pytest.mark.control("IAP-PSP-01")
def test_mesh_and_application_run_under_pod_security(observe):
    """No target has the capability so far: this is where the skip and its reason come from."""
    observe("IAP-PSP-01", "the application restarts and answers under the level `baseline`", lambda: "not tried")
