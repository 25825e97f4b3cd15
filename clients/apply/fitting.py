"""What a cluster demands of everything that is created in it: labels, tolerations, pull secrets, resources.

Pure functions: the settings decide, and `clients.apply.overlay` applies them to every object that it adapts. What a
manifest states itself is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from clients.apply import gateway_pods
from clients.apply.families import listening_by_both, past_the_sidecar
from clients.apply.service_types import as_type
from clients.kube.families import Families
from clients.model.api_groups import GATEWAY_API, ISTIO_NETWORKING
from clients.model.service_type import LOAD_BALANCER

PULL_SECRET = "meshproof-pull"
"""Name of the copy of the user's pull secret in every namespace of a run."""
CONSTRAINED = "meshproof-constraint"
"""Name of the RoleBinding that lets the accounts of a namespace use security context constraints (OpenShift)."""
OPEN_NETWORK = "meshproof-open-network"
"""Name of the network policy that lets everything in and out."""
EXPORT_TO = "networking.istio.io/exportTo"
"""Annotation of a Service: the namespaces that know it (Istio, Resource Annotations)."""
_EXPORTING = frozenset({"VirtualService", "DestinationRule", "ServiceEntry"})
_RBAC = "rbac.authorization.k8s.io"
_TEMPLATED = frozenset({"Deployment", "Job", "DaemonSet", "StatefulSet"})


@dataclass(frozen=True)
class PullSecret:
    """The content of the user's Secret for a registry.

    Attributes:
        kind: its type, `kubernetes.io/dockerconfigjson`.
        data: in base64, as the API server has it. Secret.
    """

    kind: str
    data: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Fitting:
    """What is added to objects of some kinds.

    Attributes:
        namespace_labels, namespace_annotations: of namespaces.
        node_selector, tolerations: of pods, and of those that the mesh makes for a Gateway.
        pod_labels: of pods, of what makes them, and of the pods that the mesh makes for a Gateway.
        pod_annotations: of both too.
        pull_secret: copied into every namespace, and used by every pod.
        requests, limits: of containers, `cpu` and `memory`; each for containers that do not state it.
        least: requests of containers that state smaller ones; some clusters set limits by requests.
        service_annotations: of Services of type LoadBalancer, and of Gateways that get one.
        annotations_of: `namespace/service`, by the documents' names → more annotations of that one.
        constraint: security context constraints that the accounts of each namespace may use; empty for none.
        exported: what others may use states that it is for all namespaces, as the mesh does not take that for granted.
        service_types: `namespace/service`, by the documents' names → its type, in the place of LoadBalancer.
        families: which addresses the cluster has; manifests are written for IPv4.
        open_network: namespaces get a network policy that lets everything in and out, as the cluster's own do not.
    """

    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    pull_secret: PullSecret | None = None
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    least: Mapping[str, str] = field(default_factory=dict)
    service_annotations: Mapping[str, str] = field(default_factory=dict)
    annotations_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    service_types: Mapping[str, str] = field(default_factory=dict)
    open_network: bool = False
    exported: bool = False
    constraint: str = ""
    families: Families = field(default_factory=Families)

    def fit(self, body: dict[str, Any], documented: str) -> dict[str, Any]:
        """The object with what it lacks. `body` is not changed.

        Args:
            documented: `namespace/name` by the documents' names.
        """
        kind, spec = body["kind"], body.get("spec") or {}
        if kind == "Namespace":
            return self._namespace(body)
        if kind == "Pod":
            return self._pod_object(body)
        if kind in _TEMPLATED and "template" in spec:
            body = {**body, "metadata": self._labelled(body["metadata"])}
            return {**body, "spec": {**spec, "template": self._pod_object(spec["template"])}}
        if self.families.ipv6_first:
            body = listening_by_both(body)
        if instead := self.service_types.get(documented):
            body = as_type(body, instead)
        if annotations := {**self.service_annotations, **self.annotations_of.get(documented, {})}:
            body = _annotated(body, annotations)
        if gateway_pods.is_gateway(body):
            body = self._gateway(body)
        return _exported(body) if self.exported else body

    def _gateway(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.pod_labels:
            body = gateway_pods.with_defaults(body, "labels", self.pod_labels)
        if self.node_selector or self.tolerations or self.pod_annotations:
            body = gateway_pods.with_parameters(body)
        return body

    def before(self, body: dict[str, Any], labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """What must be there before a fitted object: for a Gateway, what its pods have in addition to the mesh's own.

        Istio merges it into the Deployment that it makes (Istio, Kubernetes Gateway API, section "Automated
        Deployment"; ignored before 1.26). Only fields that the add-on of AKS lets users set are among it: no pull
        secret, as the image of a proxy is the mesh's.
        """
        if not gateway_pods.is_gateway(body) or gateway_pods.reference(body).get("name") != gateway_pods.name_of(body):
            return []
        head = _head("v1", "ConfigMap", gateway_pods.name_of(body), body["metadata"]["namespace"], labels)
        template: dict[str, Any] = {"spec": self._scheduled({})}
        if self.pod_annotations:
            template["metadata"] = {"annotations": dict(self.pod_annotations)}
        return [{**head, "data": {"deployment": json.dumps({"spec": {"template": template}})}}]

    def of_namespace(self, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """What each namespace needs before its first pod: the pull secret, a constraint, an open network."""
        made: list[dict[str, Any]] = []
        if secret := self.pull_secret:
            head = _head("v1", "Secret", PULL_SECRET, namespace, labels)
            made.append({**head, "type": secret.kind, "data": dict(secret.data)})
        if self.constraint:
            made.append(
                {**_head(f"{_RBAC}/v1", "RoleBinding", CONSTRAINED, namespace, labels), **self._bound(namespace)}
            )
        if self.open_network:
            spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}
            made.append(
                {**_head("networking.k8s.io/v1", "NetworkPolicy", OPEN_NETWORK, namespace, labels), "spec": spec}
            )
        return made

    def _pod_object(self, body: dict[str, Any]) -> dict[str, Any]:
        """A pod, or the template of one."""
        made = {**body, "spec": self.pod(body.get("spec") or {})}
        meta = self._labelled(body.get("metadata") or {})
        notes = {**self.pod_annotations, **(meta.get("annotations") or {})}
        if self.families.ipv6:
            notes = past_the_sidecar(notes)
        if notes or self.pod_labels:
            made["metadata"] = {**meta, "annotations": notes} if notes else meta
        return made

    def _labelled(self, meta: dict[str, Any]) -> dict[str, Any]:
        if not self.pod_labels:
            return meta
        return {**meta, "labels": {**self.pod_labels, **(meta.get("labels") or {})}}

    def _bound(self, namespace: str) -> dict[str, Any]:
        """Role and subjects; the role is OpenShift's own, which it has for each of its constraints."""
        role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"system:openshift:scc:{self.constraint}"}
        accounts = {"apiGroup": _RBAC, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}
        return {"roleRef": role, "subjects": [accounts]}

    def pod(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The specification of a pod with what it lacks."""
        made = self._scheduled(spec)
        if self.pull_secret:
            made["imagePullSecrets"] = [*spec.get("imagePullSecrets", ()), {"name": PULL_SECRET}]
        for name in ("initContainers", "containers"):
            if name in spec and (self.requests or self.limits):
                made[name] = [self._container(one) for one in spec[name]]
        return made

    def _scheduled(self, spec: dict[str, Any]) -> dict[str, Any]:
        made = dict(spec)
        if self.node_selector:
            made["nodeSelector"] = {**self.node_selector, **spec.get("nodeSelector", {})}
        if self.tolerations:
            made["tolerations"] = [*spec.get("tolerations", ()), *map(dict, self.tolerations)]
        return made

    def _container(self, container: dict[str, Any]) -> dict[str, Any]:
        stated = container.get("resources") or {}
        limits = {**self.limits, **stated.get("limits", {})}
        requests = {**self.requests, **stated.get("requests", {})}
        requests |= {name: _larger(least, requests.get(name)) for name, least in self.least.items()}
        resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
        return {**container, "resources": {**stated, **resources}}

    def _namespace(self, body: dict[str, Any]) -> dict[str, Any]:
        meta = dict(body["metadata"])
        meta["labels"] = {**self.namespace_labels, **meta.get("labels", {})}
        if self.namespace_annotations:
            meta["annotations"] = {**self.namespace_annotations, **meta.get("annotations", {})}
        return {**body, "metadata": meta}


def _larger(quantity: str, stated: str | None) -> str:
    amounts = [parse_quantity(one) for one in (quantity, stated or quantity)]  # type: ignore[no-untyped-call]
    return stated if stated and amounts[0] <= amounts[1] else quantity


def _head(version: str, kind: str, name: str, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": version, "kind": kind, "metadata": meta}


def _exported(body: dict[str, Any]) -> dict[str, Any]:
    """A Service, a route or a rule that is for all namespaces, unless it states for which."""
    group, meta, spec = body["apiVersion"].partition("/")[0], body["metadata"], body.get("spec") or {}
    if group == ISTIO_NETWORKING and body["kind"] in _EXPORTING:
        return {**body, "spec": {"exportTo": ["*"], **spec}}
    if (body["apiVersion"], body["kind"]) == ("v1", "Service"):
        return {**body, "metadata": {**meta, "annotations": {EXPORT_TO: "*", **meta.get("annotations", {})}}}
    return _annotated(body, {EXPORT_TO: "*"}) if group == GATEWAY_API else body


def _annotated(body: dict[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    """A Service of type LoadBalancer, or a Gateway for which one is made, with more annotations."""
    spec = body.get("spec") or {}
    if body["kind"] == "Service" and spec.get("type") == LOAD_BALANCER:
        meta = body["metadata"]
        return {**body, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **annotations}}}
    return gateway_pods.with_infrastructure(body, "annotations", annotations) if gateway_pods.is_gateway(body) else body


def known_as(body: Mapping[str, Any]) -> str:
    """`namespace/name` of an object."""
    return f"{body['metadata'].get('namespace', '')}/{body['metadata']['name']}"
