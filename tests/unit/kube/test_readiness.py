"""Readiness as the object itself says, and the reason where it is not."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.kube import readiness, refusals
from clients.model.errors import ClusterError, UnreadyError

pytestmark = pytest.mark.unit


def deployment(status: dict[str, Any], *, replicas: int = 2, generation: int = 3) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "shop", "generation": generation}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec, "status": status}


def full(count: int, generation: int = 3) -> dict[str, Any]:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count)
    return {"observedGeneration": generation, **counts}


def wait(body: dict[str, Any], *more: dict[str, Any]) -> None:
    cluster = FakeCluster()
    cluster.put(body, *more)
    readiness.wait(cluster, body, time.monotonic())


def test_a_deployment_with_all_its_replicas_is_ready():
    wait(deployment(full(2)))


def test_a_deployment_scaled_to_zero_is_ready_when_nothing_is_left():
    wait(deployment({"observedGeneration": 3}, replicas=0))
    with pytest.raises(ClusterError, match="of 0 replicas"):
        wait(deployment({"observedGeneration": 3, "replicas": 1}, replicas=0))


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (full(2, generation=2), "has not seen it yet"),
        (full(2) | {"availableReplicas": 1}, "1 of 2 replicas available"),
        (full(2) | {"replicas": 3}, "2 of 2 replicas available"),
        (full(2) | {"updatedReplicas": 1}, "2 of 2 replicas available"),
        (
            {
                "observedGeneration": 3,
                "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "quota exceeded"}],
            },
            "quota exceeded",
        ),
    ],
)
def test_a_deployment_that_is_not_ready_says_why(status: dict[str, Any], why: str):
    with pytest.raises(ClusterError, match=why):
        wait(deployment(status))


@pytest.mark.parametrize(
    ("reason", "message", "restarts"),
    [
        ("ErrImageNeverPull", "no such image", 0),
        ("ImagePullBackOff", "manifest unknown: no such image", 0),
        ("CrashLoopBackOff", "back-off: no such image", 3),
    ],
)
def test_a_container_that_cannot_start_is_told_at_once(reason: str, message: str, restarts: int):
    began = time.monotonic()
    with pytest.raises(ClusterError, match=f"web of shop/web-1 is in {reason}: .*no such image"):
        wait_for_waiting(reason, message, restarts, began + 60)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("reason", "message", "restarts"),
    [("ImagePullBackOff", "429 Too Many Requests", 0), ("CrashLoopBackOff", "back-off", 2)],
)
def test_what_may_pass_is_waited_for_and_told_in_the_end(reason: str, message: str, restarts: int):
    began = time.monotonic()
    with pytest.raises(ClusterError, match=f"not ready in time: .*web-1 is in {reason}: {message}"):
        wait_for_waiting(reason, message, restarts, began + 0.1)
    assert time.monotonic() - began >= 0.1


def wait_for_waiting(reason: str, message: str, restarts: int, deadline: float) -> None:
    waiting = {"waiting": {"reason": reason, "message": message}}
    state = {"name": "web", "state": waiting, "restartCount": restarts}
    meta = {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": {"containerStatuses": [state]}}
    cluster = FakeCluster()
    body = deployment({"observedGeneration": 3})
    cluster.put(body, pod)
    readiness.wait(cluster, body, deadline)


def stuck(*, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """A pod of the Deployment that is not ready."""
    meta = {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}, "uid": "u-1"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec or {}, "status": status}


def waits(name: str, reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}, **more}


def event(reason: str, message: str, at: str, name: str = "web-1", kind: str = "Warning") -> dict[str, Any]:
    meta = {"name": f"{name}.{reason}.{at}", "namespace": "shop"}
    involved = {"kind": "Pod", "name": name, "namespace": "shop"}
    times = {"lastTimestamp": at}
    return {"kind": "Event", "metadata": meta, "involvedObject": involved, "type": kind, "reason": reason, **times} | {
        "message": message
    }


UNSCHEDULABLE = stuck(
    phase="Pending",
    conditions=[
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 node(s) had untolerated taint {kubernetes.io/arch: arm64}.",
        }
    ],
)
NATIVE = stuck(
    initContainerStatuses=[waits("istio-proxy", "ImagePullBackOff", "Back-off pulling image: 429 Too Many Requests")],
    containerStatuses=[waits("web", "PodInitializing")],
)
UNVALIDATED = stuck(
    initContainerStatuses=[waits("istio-validation", "CrashLoopBackOff", "back-off 40s restarting", restartCount=5)],
    containerStatuses=[waits("web", "PodInitializing")],
)
UNMOUNTED = stuck(containerStatuses=[waits("web", "ContainerCreating")])
NOT_READY = stuck(containerStatuses=[{"name": "web", "ready": False, "state": {"running": {}}}])
ENDED = stuck(containerStatuses=[{"name": "web", "state": {"terminated": {"reason": "Error", "exitCode": 137}}}])
WHYS = [
    (UNSCHEDULABLE, r"pod shop/web-1 is not scheduled: 0/3 nodes are available: .* taint {kubernetes.io/arch: arm64}"),
    (NATIVE, "container istio-proxy of shop/web-1 is in ImagePullBackOff: .*429 Too Many"),
    (UNVALIDATED, "container istio-validation of shop/web-1 is in CrashLoopBackOff: back-off 40s"),
    (UNMOUNTED, "container web of shop/web-1 is in ContainerCreating$"),
    (NOT_READY, "container web of shop/web-1 runs and is not ready"),
    (ENDED, "container web of shop/web-1 has ended: Error, exit code 137"),
]


@pytest.mark.parametrize(("pod", "why"), WHYS)
def test_what_keeps_a_pod_from_being_ready_is_told(pod: dict[str, Any], why: str):
    """A bare `0 of 1 replicas available` was."""
    with pytest.raises(ClusterError, match="not ready in time: 0 of 2 replicas available: ") as caught:
        wait(deployment({"observedGeneration": 3}), pod)
    assert re.search(why, caught.value.message)


@pytest.mark.parametrize(("pod", "why"), WHYS)
def test_jobs_and_pods_say_it_too(pod: dict[str, Any], why: str):
    labels = {"job-name": "work"}
    with pytest.raises(ClusterError, match="0 of 2 pods ready: ") as caught:
        wait(job(), {**pod, "metadata": {**pod["metadata"], "labels": labels}})
    assert re.search(why, caught.value.message)
    with pytest.raises(ClusterError, match="Pod web-1 is not ready in time: it is ") as caught:
        wait(pod)
    assert re.search(why, caught.value.message)


def test_an_init_container_that_never_can_start_is_told_at_once():
    pod = stuck(initContainerStatuses=[waits("istio-proxy", "ImagePullBackOff", "manifest unknown")])
    cluster = FakeCluster()
    cluster.put(deployment({"observedGeneration": 3}), pod)
    with pytest.raises(
        ClusterError, match=r"Deployment web cannot start: container istio-proxy .*manifest unknown"
    ) as caught:
        readiness.wait(cluster, deployment({}), time.monotonic() + 60)
    assert caught.value.hint.startswith("kubectl describe pods")


def test_pods_that_are_deleted_or_ready_are_not_why():
    gone = stuck(containerStatuses=[waits("web", "CrashLoopBackOff", restartCount=9)])
    gone["metadata"] |= {"name": "web-0", "deletionTimestamp": "2026-11-28T12:00:00Z"}
    fine = stuck(conditions=[{"type": "Ready", "status": "True"}], containerStatuses=[waits("web", "Odd")])
    with pytest.raises(ClusterError, match=r"0 of 2 replicas available; see"):
        wait(deployment({"observedGeneration": 3}), gone, fine)


MISSING = 'MountVolume.SetUp failed for volume "istiod-ca-cert" : configmap "istio-ca-root-cert" not found'


def test_the_newest_warning_about_the_pod_is_told_where_its_events_may_be_read():
    events = [
        event("FailedMount", MISSING, "2026-11-28T12:00:09Z"),
        event("FailedScheduling", "no node", "2026-11-28T12:00:01Z"),
        event("Scheduled", "to a node", "2026-11-28T12:00:10Z", kind="Normal"),
        event("FailedMount", "of another", "2026-11-28T12:00:11Z", name="web-2"),
    ]
    with pytest.raises(ClusterError, match=f"is in ContainerCreating; FailedMount: {re.escape(MISSING)}") as caught:
        wait(deployment({"observedGeneration": 3}), UNMOUNTED, *events)
    assert "discoverySelectors" in caught.value.hint
    with pytest.raises(ClusterError, match=r"it is not scheduled: .*; FailedMount: "):
        wait(UNMOUNTED, *events)
    cluster = FakeCluster(forbidden={("list", "Event", "shop")})
    cluster.put(deployment({"observedGeneration": 3}), UNMOUNTED, *events)
    with pytest.raises(ClusterError, match=r"is in ContainerCreating; see"):
        readiness.wait(cluster, deployment({}), time.monotonic())


def test_a_namespace_is_ready_when_active():
    active = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}, "status": {"phase": "Active"}}
    wait(active)
    with pytest.raises(ClusterError, match="it is Terminating"):
        wait({**active, "status": {"phase": "Terminating"}})


def test_kinds_without_a_state_are_ready():
    readiness.wait(FakeCluster(), {"kind": "Service", "metadata": {"name": "web"}}, time.monotonic())


@pytest.mark.parametrize("given", [[], [{"ip": "198.18.0.129"}], [{"hostname": "lb.example"}]])
def test_a_load_balancer_is_ready_with_its_address_where_something_gives_one(given: list[dict[str, str]]):
    spec, status = {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": given}}
    meta = {"name": "door", "namespace": "shop"}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec, "status": status}
    cluster = FakeCluster()
    cluster.put(body)
    readiness.wait(cluster, body, time.monotonic())  # nothing gives addresses: not waited for
    began = time.monotonic()
    assert readiness.wait(cluster, body, began + 0.3, load_balancers=True) is bool(given)
    assert given or time.monotonic() >= began + 0.3, "it is waited for, and there are other ways in"


def test_a_gateway_without_an_address_is_ready_where_nothing_gives_one():
    pending = {**programmed("False"), "reason": "AddressNotAssigned"}
    wait(gateway(pending), deployed(full(2)))
    cluster = FakeCluster()
    cluster.put(gateway(pending), deployed(full(2)))
    assert not readiness.wait(cluster, gateway(pending), time.monotonic(), load_balancers=True)
    other = {**pending, "reason": "Invalid"}
    cluster.put(gateway(other))
    with pytest.raises(ClusterError, match="not programmed: no address yet"):
        readiness.wait(cluster, gateway(other), time.monotonic(), load_balancers=True)
    with pytest.raises(ClusterError, match="1 of 2 replicas available"):
        wait(gateway(pending), deployed(full(2) | {"availableReplicas": 1}))


def gateway(*conditions: dict[str, Any], api: str = "gateway.networking.k8s.io/v1") -> dict[str, Any]:
    meta = {"name": "door", "namespace": "shop", "generation": 2}
    return {"apiVersion": api, "kind": "Gateway", "metadata": meta, "status": {"conditions": list(conditions)}}


def programmed(status: str, generation: int = 2) -> dict[str, Any]:
    return {"type": "Programmed", "status": status, "observedGeneration": generation, "message": "no address yet"}


def deployed(status: dict[str, Any]) -> dict[str, Any]:
    body = deployment(status)
    return {**body, "metadata": {**body["metadata"], "labels": {"gateway.networking.k8s.io/gateway-name": "door"}}}


def test_a_gateway_is_ready_when_it_is_programmed_and_what_serves_it_is_available():
    wait(gateway(programmed("True")), deployed(full(2)))
    with pytest.raises(ClusterError, match="1 of 2 replicas available"):
        wait(gateway(programmed("True")), deployed(full(2) | {"availableReplicas": 1}))


@pytest.mark.parametrize("conditions", [(), (programmed("False"),), (programmed("True", generation=1),)])
def test_a_gateway_that_is_not_programmed_says_why(conditions: tuple[dict[str, Any], ...]):
    with pytest.raises(ClusterError, match="not programmed: no address yet" if conditions else "not programmed"):
        wait(gateway(*conditions), deployed(full(2)))


def test_a_gateway_of_the_other_api_has_no_state_of_its_own():
    wait(gateway(api="networking.istio.io/v1"))


def job(**status: Any) -> dict[str, Any]:
    meta = {"name": "work", "namespace": "shop"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"parallelism": 2}, "status": status}


def test_a_job_is_ready_with_its_pods_or_once_it_has_ended():
    wait(job(ready=2))
    wait(job(ready=1, succeeded=1))
    wait(job(conditions=[{"type": "Failed", "status": "True"}]))
    with pytest.raises(ClusterError, match="1 of 2 pods ready"):
        wait(job(ready=1, conditions=[{"type": "Complete", "status": "False"}]))


def starting(*running: str, **status: Any) -> dict[str, Any]:
    states = [{"name": name, "state": {"running": {}}} for name in running]
    meta = {"name": "first", "namespace": "shop"}
    status = {"phase": "Pending", "initContainerStatuses": states, **status}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": status}


def test_a_pod_is_ready_once_an_init_container_of_its_own_runs():
    wait(starting("mine"))
    wait(starting(conditions=[{"type": "Ready", "status": "True"}]))
    wait(starting(phase="Succeeded"))
    with pytest.raises(ClusterError, match="it is Pending"):
        wait(starting("istio-init"))


CONSTRAINED = (
    'pods "web-5d8-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": '
    "Forbidden: not usable by user or serviceaccount]"
)


def refusing(message: str) -> dict[str, Any]:
    failure = {"type": "ReplicaFailure", "status": "True", "message": message}
    return deployment({"observedGeneration": 3, "conditions": [failure]})


QUOTA = 'pods "web-5d8-" is forbidden: exceeded quota: bank, requested: pods=1, used: pods=60, limited: pods=60'
UNSTATED = 'pods "web-5d8-" is forbidden: failed quota: bank: must specify limits.cpu for: istio-proxy'
TOO_LARGE = 'pods "web-5d8-" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
RATIO = 'pods "web-5d8-" is forbidden: cpu max limit to request ratio per Container is 10, but provided ratio is 100.0'
SECURITY = 'pods "web-5d8-" is forbidden: violates PodSecurity "restricted:latest": seccompProfile'
POLICY = 'admission webhook "validate.kyverno.svc-fail" denied the request: require-labels: label team is required'


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No refusal lasts."""
    shorter = tuple(replace(one, lasts_s=0.0) for one in refusals.REFUSALS)
    monkeypatch.setattr(refusals, "REFUSALS", shorter)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("message", "words", "hint"),
    [
        (CONSTRAINED, "unable to validate against any security context", "system:openshift:scc:nonroot-v2"),
        (QUOTA, "exceeded quota: bank, requested: pods=1, used: pods=60", "raise this quota"),
        (UNSTATED, "failed quota: bank: must specify limits.cpu for: istio-proxy", "sidecar.istio.io/proxyCPU"),
        (TOO_LARGE, "maximum cpu usage per Container is 1, but limit is 2", "[pods] requests and limits"),
        (RATIO, "ratio per Container is 10", "[pods] requests and limits"),
        (SECURITY, "violates PodSecurity", "[namespaces] labels"),
        (POLICY, "label team is required", "[namespaces] and [pods]"),
    ],
)
def test_pods_that_are_refused_end_the_wait_with_what_refuses_them_and_what_to_do(message: str, words: str, hint: str):
    """All of `ready_s` passed, and the hint was to look at events of pods, of which there are none."""
    cluster = FakeCluster()
    cluster.put(refusing(message))
    began = time.monotonic()
    with pytest.raises(UnreadyError, match=re.escape(words)) as caught:
        readiness.wait(cluster, refusing(message), began + 60.0)
    assert time.monotonic() < began + 30.0
    assert hint in caught.value.hint


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "message",
    [
        'Internal error occurred: failed calling webhook "rev.sidecar-injector.istio.io": connection refused',
        'pods "web-5d8-" is forbidden: error looking up service account shop/web: serviceaccount "web" not found',
    ],
)
def test_what_passes_by_itself_is_no_refusal(message: str):
    cluster = FakeCluster()
    states = iter([refusing(message), refusing(message), deployment(full(2))])
    cluster.states = lambda *_, **__: states  # type: ignore[method-assign]
    assert readiness.wait(cluster, deployment({}), time.monotonic() + 60.0)


@pytest.mark.usefixtures("at_once")
def test_a_job_whose_pods_are_refused_ends_the_wait_too():
    """It has no condition for that, but an event; one of an earlier Job of its name is not its own."""
    made = job(active=0)
    made["metadata"]["uid"] = "later"
    cluster = FakeCluster()
    cluster.put(made, of_job("a", "earlier", UNSTATED), of_job("b", "later", QUOTA))
    with pytest.raises(UnreadyError, match=r"0 of 2 pods ready: .*exceeded quota: bank") as caught:
        readiness.wait(cluster, made, time.monotonic() + 60.0)
    assert "raise this quota" in caught.value.hint


def of_job(name: str, uid: str, message: str) -> dict[str, Any]:
    made = job()["metadata"]
    about = {"kind": "Job", "name": made["name"], "uid": uid}
    meta = {"name": name, "namespace": made["namespace"]}
    return {"kind": "Event", "metadata": meta, "involvedObject": about, "reason": "FailedCreate", "message": message}


def test_a_quota_that_is_used_up_may_be_free_in_a_moment():
    """Pods that are being deleted count until they have gone; what a manifest lacks does not come by itself."""
    lasting = {one.text: one.lasts_s for one in refusals.REFUSALS}
    assert lasting["exceeded quota: "] > lasting["failed quota: "] > 0
    assert max(lasting.values()) <= 30


def test_such_a_refusal_may_pass(monkeypatch: pytest.MonkeyPatch):
    """The binding was made a moment ago."""
    cluster = FakeCluster()
    states = iter([refusing(CONSTRAINED), refusing(CONSTRAINED), deployment(full(2))])
    monkeypatch.setattr(cluster, "states", lambda *_, **__: states, raising=False)
    assert readiness.wait(cluster, deployment({}), time.monotonic() + 60.0)
