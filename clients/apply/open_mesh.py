"""Objects that let a run's own namespaces start from an open mesh, where the mesh as it was found is not one.

What a stage or an environment states itself is left to it: the objects here are in the place of what neither states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients.apply.item import Item
from clients.kube.fields import spec_of, targets_of
from clients.kube.labels import GATEWAY_NAME_LABEL, runs_dry
from clients.model import cluster_domain
from clients.model.api_groups import NETWORKING_V1, SECURITY_V1, TELEMETRY_V1

NAME = "meshproof-open-mesh"
LOG_NAME = "meshproof-access-log"
MANIFEST = "open mesh"
"""Stands in place of a manifest's path."""
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "Job", "Pod"})


@dataclass(frozen=True)
class OpenMesh:
    """What has to be set against the mesh (see `clients.mesh.survey.prior.Prior`), and the provider of access logs.

    Attributes:
        labels: of every object that this process creates.
        provider: of access logs, for a Telemetry of the run's namespaces; empty where the mesh writes them by itself.
        domain: of the cluster, in the full names of Services.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    permissive: bool = False
    allow: bool = False
    open: bool = False
    provider: str = ""
    rules: bool = False
    domain: str = cluster_domain.DEFAULT

    @property
    def needed(self) -> bool:
        """Whether something has to be set against the mesh."""
        return self.permissive or self.allow or self.open or self.rules

    def with_logs(self, items: Sequence[Item]) -> list[Item]:
        """The objects of an environment, and a Telemetry for each namespace among them."""
        if not self.provider:
            return list(items)
        spec = {"accessLogging": [{"providers": [{"name": self.provider}]}]}
        spaces = [item for item in items if item.kind == "Namespace"]
        logs = [self._item(TELEMETRY_V1, "Telemetry", LOG_NAME, one.name, spec, one.manifest) for one in spaces]
        return [*items, *logs]

    def additions(self, environment: Sequence[Item], stage: Sequence[Item]) -> list[Item]:
        """What must be in force besides the objects of a stage.

        Args:
            environment: the objects of all environments that are deployed.
            stage: the objects of the stage, and of its steps.
        """
        made: list[Item] = []
        for namespace in dict.fromkeys(item.name for item in environment if item.kind == "Namespace"):
            stated = [item for item in (*environment, *stage) if item.namespace == namespace]
            if self.permissive and not _wide(stated, "PeerAuthentication"):
                mode = {"mtls": {"mode": "PERMISSIVE"}}
                made.append(self._item(SECURITY_V1, "PeerAuthentication", NAME, namespace, mode))
            if self.open and not _wide(stated, "Sidecar"):
                scope = {"egress": [{"hosts": ["*/*"]}], "outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}
                made.append(self._item(NETWORKING_V1, "Sidecar", NAME, namespace, scope))
            if self.allow:
                made += self._allowing(namespace, stated)
            if self.rules:
                made += self._ruling(namespace, stated)
        return made

    def _allowing(self, namespace: str, stated: Sequence[Item]) -> list[Item]:
        """Policies that allow all to workloads which no policy of ALLOW of the stage is for."""
        policies = [item for item in stated if _is_allow(item)]
        if not policies:
            return [self._allow(namespace, NAME, {})]
        if any(not _selector(policy) for policy in policies):
            return []
        workloads = [labels for item in stated if (labels := _labels(item))]
        others = [one for one in workloads if not any(_selector(p).items() <= one.items() for p in policies)]
        return [self._allow(namespace, f"{NAME}-{number}", labels) for number, labels in enumerate(others)]

    def _ruling(self, namespace: str, stated: Sequence[Item]) -> list[Item]:
        """Rules without a policy, for the hosts of a namespace: the first that is found there is the only one.

        Each is for one host, as `istioctl analyze` reports rules for hosts that are not there. Those that a stage has
        rules for have none of these.
        """
        services = [item.name for item in stated if item.kind == "Service"]
        entries = [spec_of(item.body) for item in stated if item.kind == "ServiceEntry"]
        hosts = {f"{name}.{namespace}.svc.{self.domain}": name for name in services}
        hosts |= {host: host.replace("*", "any") for entry in entries for host in entry.get("hosts") or ()}
        ruled = {spec_of(item.body).get("host") for item in stated if item.kind == "DestinationRule"}
        return [
            self._item(NETWORKING_V1, "DestinationRule", f"{NAME}-{name}", namespace, {"host": host, "exportTo": ["*"]})
            for host, name in hosts.items()
            if host not in ruled
        ]

    def _allow(self, namespace: str, name: str, labels: Mapping[str, str]) -> Item:
        which = {"selector": {"matchLabels": dict(labels)}} if labels else {}
        spec = {**which, "action": "ALLOW", "rules": [{}]}
        return self._item(SECURITY_V1, "AuthorizationPolicy", name, namespace, spec)

    def _item(
        self, version: str, kind: str, name: str, namespace: str, spec: Mapping[str, Any], manifest: str = MANIFEST
    ) -> Item:
        meta = {"name": name, "namespace": namespace, "labels": dict(self.labels)}
        return Item(manifest, {"apiVersion": version, "kind": kind, "metadata": meta, "spec": dict(spec)})


NOTHING_NEEDED = OpenMesh()
"""For a mesh that is open as it was found, and writes access logs by itself."""


def _wide(items: Iterable[Item], kind: str) -> bool:
    """Whether one of them is of this kind and for the whole namespace."""
    return any(item.kind == kind and not _selector(item) for item in items)


def _selector(item: Item) -> dict[str, str]:
    """Labels of the workloads that it is for; a gateway counts by the label that its pods have; empty for all."""
    spec = spec_of(item.body)
    if targets := targets_of(item.body):
        return {GATEWAY_NAME_LABEL: str(targets[0].get("name", ""))}
    selector = spec.get("selector") or spec.get("workloadSelector") or {}
    return dict(selector.get("matchLabels") or selector.get("labels") or {})


def _is_allow(item: Item) -> bool:
    """Whether it is a policy that refuses what it does not match; one in dry run refuses nothing."""
    allows = item.kind == "AuthorizationPolicy" and (spec_of(item.body).get("action") or "ALLOW") == "ALLOW"
    return allows and not runs_dry(item.body)


def _labels(item: Item) -> dict[str, str]:
    """Labels of the pods of a workload; none for another kind."""
    if item.kind not in _WORKLOADS:
        return {}
    pods = item.body if item.kind == "Pod" else spec_of(item.body).get("template") or {}
    meta = pods.get("metadata") or {}
    return dict(meta.get("labels") or {})
