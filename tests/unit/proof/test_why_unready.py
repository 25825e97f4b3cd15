"""What keeps pods from getting ready is said where an environment, a stage or a client waits for them in vain."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster
from why_samples import network, pod

from clients.mesh.discovery import MeshInfo
from clients.model.errors import ClusterError, UnreadyError
from clients.proof.stage import why_unready

pytestmark = pytest.mark.unit

PLACES = {"mtls-client", "istio-system"}
SHUT = network("shut", {"podSelector": {}, "policyTypes": ["Egress"], "egress": []})
ONLY_NAMES = network("only-dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53}]}]})
NO_NAMES = "NetworkPolicy mtls-client/shut let nothing out of mtls-client/sleep to port 53: it resolves no names"
RUNNING: dict[str, Any] = {"state": {"running": {}}, "ready": False}


def waiting(proxy: dict[str, Any] = RUNNING, *, native: bool = False, **more: Any) -> dict[str, Any]:
    """A pod that is not ready, with the state of its proxy."""
    body = copy.deepcopy(pod("sleep", "mtls-client", **more))
    states = [{"name": "istio-proxy", **proxy}, {"name": "sleep", "state": {"running": {}}, "ready": True}]
    if native:
        body["status"]["initContainerStatuses"] = states[:1]
    body["status"]["containerStatuses"] = states[1:] if native else states
    body["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    return body


def rig(*objects: dict[str, Any], forbidden: tuple[str, ...] = ()) -> Any:
    cluster = FakeCluster(forbidden={("list", kind, "mtls-client") for kind in forbidden})
    cluster.put(*({"apiVersion": "v1", **body} for body in objects))
    return SimpleNamespace(
        cluster=cluster,
        mesh=MeshInfo("istio"),
        overlay=SimpleNamespace(plain=lambda text: text.replace("mp-1-", "")),
        environments=SimpleNamespace(namespaces=PLACES),
    )


@pytest.mark.parametrize("native", [False, True])
def test_a_network_policy_that_keeps_a_proxy_from_its_control_plane_is_named(native: bool) -> None:
    assert why_unready.why(rig(waiting(native=native), SHUT), PLACES).startswith(NO_NAMES)
    found = why_unready.why(rig(waiting(native=native), ONLY_NAMES), PLACES)
    assert found.startswith("NetworkPolicy mtls-client/only-dns let nothing out of mtls-client/sleep to port 15012")


@pytest.mark.parametrize(
    "body",
    [
        pod("sleep", "mtls-client"),
        waiting({"state": {"waiting": {"reason": "ImagePullBackOff"}}, "ready": False}),
        waiting({"state": {"running": {}}, "ready": True}),
        waiting(sidecar=False, proxy={"state": {"terminated": {"exitCode": 1}}}),
    ],
    ids=["no state", "image", "proxy ready", "no sidecar"],
)
def test_a_policy_is_not_blamed_for_pods_whose_proxy_does_not_wait(body: dict[str, Any]) -> None:
    assert why_unready.why(rig(body, SHUT), PLACES) == ""


def test_nothing_is_said_without_an_object_that_causes_it() -> None:
    elsewhere = network("shut", {"podSelector": {}, "policyTypes": ["Egress"], "egress": []}, "other")
    assert why_unready.why(rig(waiting()), PLACES) == ""
    assert why_unready.why(rig(waiting(), elsewhere), PLACES) == ""
    assert why_unready.why(rig(waiting(), SHUT, forbidden=("Pod",)), PLACES) == ""
    assert why_unready.why(rig(waiting(), SHUT, forbidden=("NetworkPolicy",)), PLACES) == ""


def test_an_error_that_something_is_not_ready_gets_the_reason_and_no_other_error_does() -> None:
    made = rig(waiting(), SHUT)
    with pytest.raises(UnreadyError) as unready, why_unready.explaining(made):
        raise UnreadyError("Deployment sleep is not ready in time")
    assert unready.value.why.startswith(NO_NAMES)
    with pytest.raises(ClusterError) as other, why_unready.explaining(made):
        raise ClusterError("the API server is away")
    assert other.value.why == ""
