"""Workloads of manifests, before injection: what makes pods, and pods themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from clients.kube.fields import annotations_of, labels_of, namespace_of, spec_of
from clients.kube.labels import REVISION_LABEL
from clients.mesh.why.objects import Json, WorkloadView

_OF_JOBS = "CronJob"
WORKLOAD_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", _OF_JOBS})
"""Kinds whose objects make pods by a template."""
_INJECT = "sidecar.istio.io/inject"
_NAMESPACE_INJECTS = "istio-injection"


def workload_of(body: Json, uninjected: Mapping[str, bool]) -> WorkloadView:
    """The workload of a manifest: of one of `WORKLOAD_KINDS`, or of a pod.

    Args:
        uninjected: of `uninjected_namespaces`.
    """
    template = _template(body)
    namespace = namespace_of(body)
    meta = template.get("metadata") or {}
    made = WorkloadView.of_spec(namespace, meta, spec_of(template), str(body["metadata"]["name"]))
    stated = {**made.labels, **(meta.get("annotations") or {})}.get(_INJECT, "").lower()
    asks = (stated == "true" or REVISION_LABEL in made.labels) and uninjected.get(namespace) is not True
    refused = stated == "false" or (namespace in uninjected and not asks)
    return replace(made, injected=False if refused else None)


def uninjected_namespaces(bodies: Iterable[Json]) -> dict[str, bool]:
    """Namespaces of which a manifest says that no sidecar is injected: name → whether a pod cannot ask for one either.

    Source: istio.io, "Installing the Sidecar": labels of the namespace, and of the pod where that has none.
    """
    found = {}
    for body in bodies:
        labels = labels_of(body)
        stated = labels.get(_NAMESPACE_INJECTS)
        if stated != "enabled" and (stated or REVISION_LABEL not in labels):
            found[str(body["metadata"]["name"])] = stated == "disabled"
    return found


def is_of_the_api(pod: Json) -> bool:
    """Whether a pod is one that the API returned, after injection, and no manifest."""
    return "status" in pod


def _template(body: Json) -> Json:
    if body["kind"] == "Pod":
        return {"metadata": {"labels": labels_of(body), "annotations": annotations_of(body)}, "spec": spec_of(body)}
    spec = spec_of(body)
    return dict((spec_of(spec["jobTemplate"]) if body["kind"] == _OF_JOBS else spec)["template"])
