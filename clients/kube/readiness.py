"""Whether an object is ready by its own status, and why it is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from clients.kube import refusals, unready
from clients.kube.fields import label_selector
from clients.kube.labels import GATEWAY_NAME_LABEL
from clients.kube.pods import Pod
from clients.kube.refusals import Refusal
from clients.model.api_groups import GATEWAY_API
from clients.model.errors import ClusterError, UnreadyError

if TYPE_CHECKING:
    from clients.kube.cluster import Cluster

ProblemOf = Callable[["Cluster", dict[str, Any]], str]
"""Why an object, as it is now, is not ready; empty when it is."""

_ROOT_CERTIFICATE = "istio-ca-root-cert"
"""ConfigMap that istiod puts into the namespaces that it discovers; pods with a sidecar mount it."""
_SELECTED = "istiod puts it where its discoverySelectors match: set the labels of [namespaces] so that they do"
DIAGNOSTICS = "see the diagnostics of the run"
_NO_ADDRESS = "AddressNotAssigned"
_JOB_NAME = "job-name"
"""Label of the pods of a Job (Kubernetes, Jobs; the name before 1.27, which newer versions set too)."""


def wait(cluster: Cluster, body: dict[str, Any], deadline: float, *, load_balancers: bool = False) -> bool:
    """Wait until the object is ready. Kinds without a status count as ready at once.

    Returns whether it has its address: one that is never given is no error, as there are other ways in.

    Args:
        load_balancers: something gives Services of type LoadBalancer an address, so it is waited for.

    Raises:
        UnreadyError: not ready at the monotonic `deadline`.
        ClusterError: a container of it cannot start.
    """
    kind, meta = body["kind"], body["metadata"]
    problem_of = _problem_of(body, load_balancers=load_balancers)
    if problem_of is None:
        return True
    why, found = "", None
    refused_at: dict[Refusal, float] = {}
    for found in cluster.states(body["apiVersion"], kind, meta["name"], meta.get("namespace", ""), deadline=deadline):
        if not (why := problem_of(cluster, found) if found else "it is missing"):
            return True
        refusal, now = refusals.of(why), time.monotonic()
        refused_at = {refusal: refused_at.get(refusal, now)} if refusal else {}
        if refusal and now >= refused_at[refusal] + refusal.lasts_s:
            break
    if load_balancers and found and _lacks_only_address(cluster, found, _problem_of(body, load_balancers=False)):
        return False
    warning = _warning(cluster, body)
    text = "; ".join(filter(None, (f"{kind} {meta['name']} is not ready in time: {why}", warning)))
    raise UnreadyError(text, _hint(why, warning))


def _hint(why: str, warning: str) -> str:
    if refusal := refusals.of(why):
        return refusal.hint
    return _SELECTED if _ROOT_CERTIFICATE in warning else DIAGNOSTICS


def _lacks_only_address(cluster: Cluster, found: dict[str, Any], problem_of: ProblemOf | None) -> bool:
    return problem_of is None or not problem_of(cluster, found)


def wait_gone(cluster: Cluster, key: tuple[str, str, str, str], uid: str, deadline: float) -> bool:
    """Wait until an object is gone, by its API version, kind, namespace and name; False at the monotonic `deadline`.

    Another object of the same name, of another uid, means that the first one is gone.
    """
    api_version, kind, namespace, name = key
    states = cluster.states(api_version, kind, name, namespace, deadline=deadline)
    return any(found is None or found["metadata"]["uid"] != uid for found in states)


def _problem_of(body: dict[str, Any], *, load_balancers: bool) -> ProblemOf | None:
    """The check of its kind; None where the kind has no state to wait for."""
    kind = body["kind"]
    if kind == "Service":
        return _service if load_balancers and body["spec"].get("type") == "LoadBalancer" else None
    if kind == "Gateway" and not body["apiVersion"].startswith(f"{GATEWAY_API}/"):
        return None  # Istio's own, which no controller programs
    gateway = partial(_gateway, addressed=load_balancers)
    checks: dict[str, ProblemOf] = {
        "Namespace": _namespace,
        "Deployment": _deployment,
        "Gateway": gateway,
        "Job": _job,
        "Pod": _pod,
    }
    return checks.get(kind)


def _namespace(_: Cluster, found: dict[str, Any]) -> str:
    phase = found.get("status", {}).get("phase", "not yet Active")
    return "" if phase == "Active" else f"it is {phase}"


def _service(_: Cluster, found: dict[str, Any]) -> str:
    """Empty when its load balancer has an address."""
    given = found.get("status", {}).get("loadBalancer", {}).get("ingress")
    return "" if given else "its load balancer has no address yet"


def _deployment(cluster: Cluster, found: dict[str, Any]) -> str:
    """Empty when the controller has seen the newest generation and every replica wanted is available, and no other."""
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return "its controller has not seen it yet"
    counts = {key: status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    if all(count == wanted for count in counts.values()):
        return ""
    return _with(f"{counts['availableReplicas']} of {wanted} replicas available", _reason(cluster, found))


def _job(cluster: Cluster, found: dict[str, Any]) -> str:
    """Empty when as many of its pods are ready as run at a time, or when it has ended."""
    status, wanted = found.get("status", {}), found["spec"].get("parallelism", 1)
    ended = {one["type"] for one in status.get("conditions", ()) if one["status"] == "True"} & {"Complete", "Failed"}
    if ended or status.get("ready", 0) + status.get("succeeded", 0) >= wanted:
        return ""
    pods = _pods(cluster, "Job", found)
    why = unready.why(pods) or ("" if pods else unready.not_made(cluster, "Job", found["metadata"]))
    return _with(f"{status.get('ready', 0)} of {wanted} pods ready", why)


def _pod(_: Cluster, found: dict[str, Any]) -> str:
    """Empty when it is ready or has ended, or when an init container of its own runs, from which requests are sent."""
    pod = Pod.from_json(found)
    own = [one for one in pod.initializing if not one.startswith("istio-")]
    if pod.ready or own or pod.phase in {"Succeeded", "Failed"}:
        return ""
    return _with(f"it is {pod.phase or 'not scheduled'}", unready.why([found]))


def _gateway(cluster: Cluster, found: dict[str, Any], *, addressed: bool) -> str:
    """Empty when the controller has programmed the newest generation and its Deployment is available.

    Args:
        addressed: it gets an address. Where none is given, nothing else may be missing (Gateway API, GatewayReason).
    """
    meta = found["metadata"]
    conditions = {one["type"]: one for one in found.get("status", {}).get("conditions", ())}
    programmed = conditions.get("Programmed", {})
    fine = programmed.get("status") == "True" or (not addressed and programmed.get("reason") == _NO_ADDRESS)
    if not fine or programmed.get("observedGeneration", 0) < meta["generation"]:
        return f"it is not programmed{': ' if 'message' in programmed else ''}{programmed.get('message', '')[:300]}"
    labels = f"{GATEWAY_NAME_LABEL}={meta['name']}"
    problems = (
        _deployment(cluster, one) for one in cluster.objects("apps/v1", "Deployment", meta["namespace"], labels)
    )
    return next((problem for problem in problems if problem), "")


def _reason(cluster: Cluster, deployment: dict[str, Any]) -> str:
    """Raises ClusterError where a container never will start."""
    pods = [pod for pod in _pods(cluster, "Deployment", deployment) if "deletionTimestamp" not in pod["metadata"]]
    if hopeless := unready.hopeless(pods):
        name, space = deployment["metadata"]["name"], deployment["metadata"].get("namespace", "default")
        raise ClusterError(f"Deployment {name} cannot start: {hopeless}", f"kubectl describe pods -n {space} says more")
    return unready.why(pods) or _refused_pods(deployment)


def _with(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text


def _warning(cluster: Cluster, body: dict[str, Any]) -> str:
    """The newest warning about pods of an object that is not ready; empty where there is none to be had."""
    try:
        return unready.newest_warning(cluster, _pods(cluster, body["kind"], body))
    except ClusterError:
        return ""


def _pods(cluster: Cluster, kind: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods of an object, or itself; none for other kinds. The kind is said: an item of a list does not have it."""
    meta = body["metadata"]
    if kind == "Pod":
        found = cluster.get("v1", "Pod", meta["name"], meta.get("namespace", ""))
        return [found] if found else []
    chosen = body.get("spec", {}).get("selector", {}).get("matchLabels", {})
    if kind == "Gateway":
        chosen = {GATEWAY_NAME_LABEL: meta["name"]}
    elif kind == "Job":
        chosen = {_JOB_NAME: meta["name"]}
    elif kind != "Deployment":
        return []
    labels = label_selector(chosen)
    return cluster.objects("v1", "Pod", meta.get("namespace", ""), labels=labels) if labels else []


def _refused_pods(deployment: dict[str, Any]) -> str:
    """The controller's message when the API server refuses its pods (quota, pod security, a failing webhook)."""
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message", ""))[: unready.SHOWN]
    return ""
