"""Policies, workloads and Services as the detectors see them: from the API server, or from manifests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.kube.fields import spec_of, targets_of
from clients.kube.labels import GATEWAY_NAME_LABEL, REVISION_LABEL, runs_dry
from clients.kube.pods import REDIRECTED, SIDECAR

Json = Mapping[str, Any]

AUTHORIZATION, PEER, REQUEST = "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"
MARKERS = "meshproof-marker-"
"""Begin the names of policies that only show when a change has arrived (`clients.apply.marker_objects`)."""
POLICY_KINDS = (AUTHORIZATION, PEER, REQUEST)
DEFAULT_REVISION = "default"

_EXCLUDED_INBOUND = "traffic.sidecar.istio.io/excludeInboundPorts"
_INCLUDED_INBOUND = "traffic.sidecar.istio.io/includeInboundPorts"
_OF_GATEWAYS = frozenset({"router", "waypoint"})
"""First arguments of a proxy that is no sidecar."""
_DNS_CAPTURE = {"name": "ISTIO_META_DNS_CAPTURE", "value": "true"}
_STATUS = "sidecar.istio.io/status"
_NO_IDENTITY_OF_A_WORKLOAD = frozenset({"pod-template-hash", "controller-revision-hash", "pod-template-generation"})
"""Labels that tell the pods of one workload, or its rollouts, apart."""


@dataclass(frozen=True)
class Policy:
    """One policy of a mesh.

    Attributes:
        created: its creation time (RFC 3339); empty for one of a manifest.
        dry_run: it only notes what it would do (annotation `istio.io/dry-run`).
    """

    kind: str
    namespace: str
    name: str
    spec: Json = field(hash=False)
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    created: str = ""
    dry_run: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def revision(self) -> str:
        """The only revision of the control plane that reads it; empty for all."""
        return self.labels.get(REVISION_LABEL, "")

    @property
    def selector(self) -> Mapping[str, str]:
        """Labels of the workloads that it selects; empty for all of its namespace."""
        return (self.spec.get("selector") or {}).get("matchLabels") or {}

    @property
    def attached(self) -> bool:
        """Whether it is attached to a Gateway or a Service by reference, and not by labels."""
        return bool(self._targets)

    def may_be_of(self, workload: WorkloadView) -> bool:
        """Whether an attached one may decide about requests to the workload: a sidecar has none of a Gateway's.

        Source: Istio, `ShouldAttachPolicy` in `pilot/pkg/model/policyattachment.go`.
        """
        own = workload.injected is True and not workload.gateway
        return any(not own or one.get("kind") not in ("Gateway", "GatewayClass") for one in self._targets)

    @property
    def _targets(self) -> list[Json]:
        return targets_of({"spec": self.spec})

    @property
    def action(self) -> str:
        """Of an AuthorizationPolicy."""
        return str(self.spec.get("action") or "ALLOW")

    @property
    def rules(self) -> list[Json]:
        """Of an AuthorizationPolicy; an ALLOW policy without rules allows nothing."""
        return list(self.spec.get("rules") or ())

    @property
    def mode(self) -> str:
        """Of a PeerAuthentication: `STRICT`, `PERMISSIVE`, `DISABLE`; empty where it inherits."""
        return _mode(self.spec.get("mtls"))

    @property
    def port_modes(self) -> dict[int, str]:
        """Of a PeerAuthentication: modes of single ports of the container."""
        ports = self.spec.get("portLevelMtls") or {}
        return {int(port): _mode(mode) for port, mode in ports.items() if str(port).isdigit()}

    @classmethod
    def from_json(cls, body: Json) -> Policy:
        """The policy of an API object or of a manifest."""
        meta = body["metadata"]
        return cls(
            kind=body["kind"],
            namespace=str(meta.get("namespace") or "default"),
            name=str(meta["name"]),
            spec=spec_of(body),
            labels=dict(meta.get("labels") or {}),
            created=str(meta.get("creationTimestamp") or ""),
            dry_run=runs_dry(body),
        )


@dataclass(frozen=True)
class WorkloadView:
    """A workload: pods with the same labels.

    Attributes:
        account: its service account.
        ports: that its own containers declare, by name where they have one.
        excluded, included: inbound ports that do not go through its proxy, and those that do; None for all others.
        injected: it has a proxy; None where that is not known (a manifest does not say), or where it is its node's.
        revision: of its proxy; empty where it is not known.
        gateway: its proxy is a gateway, or a waypoint.
        waypoint: its proxy is a waypoint.
        captures_dns: its proxy answers for names (`ISTIO_META_DNS_CAPTURE`).
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    account: str = "default"
    ports: Mapping[str, int] = field(default_factory=dict, hash=False)
    excluded: frozenset[int] = frozenset()
    included: frozenset[int] | None = None
    injected: bool | None = None
    revision: str = ""
    gateway: bool = False
    waypoint: bool = False
    captures_dns: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether a selector matches it."""
        return labels.items() <= self.labels.items()

    def bypasses(self, port: int | None) -> bool:
        """Whether connections to a port of its containers do not go through its proxy."""
        if port is None or self.injected is False:
            return False
        return port in self.excluded or (self.included is not None and port not in self.included)

    @classmethod
    def from_pod(cls, body: Json) -> WorkloadView:
        """The workload of a pod as the API returns it, after injection."""
        spec, meta = spec_of(body), body["metadata"]
        native = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
        proxies = [one for one in [*(spec.get("containers") or ()), *native] if one["name"] == SIDECAR]
        roles = _OF_GATEWAYS.intersection(*[one.get("args") or () for one in proxies]) if proxies else frozenset()
        made = cls.of_spec(str(meta["namespace"]), meta, spec, str(meta["name"]))
        of_the_node = (meta.get("annotations") or {}).get(REDIRECTED) == "enabled"  # ambient mode
        injected = None if of_the_node and not proxies else bool(proxies)
        own = {"injected": injected, "gateway": made.gateway or bool(roles), "waypoint": "waypoint" in roles}
        own["captures_dns"] = any(
            _DNS_CAPTURE.items() <= env.items() for one in proxies for env in one.get("env") or ()
        )
        return cls(**{**vars(made), **own})

    @classmethod
    def of_spec(cls, namespace: str, meta: Json, spec: Json, name: str) -> WorkloadView:
        """The workload by the metadata and the specification of its pods, whether it has a proxy or not."""
        labels = workload_labels(meta.get("labels") or {})
        notes = meta.get("annotations") or {}
        own = [one for one in spec.get("containers") or () if one.get("name") != SIDECAR]
        declared = [port for one in own for port in one.get("ports") or ()]
        included = str(notes.get(_INCLUDED_INBOUND, "*"))
        return cls(
            namespace=namespace,
            name=labels.get("app") or labels.get("app.kubernetes.io/name") or name,
            labels=labels,
            account=str(spec.get("serviceAccountName") or "default"),
            ports={str(port.get("name") or port["containerPort"]): int(port["containerPort"]) for port in declared},
            excluded=_ports(str(notes.get(_EXCLUDED_INBOUND, ""))),
            included=None if "*" in included else _ports(included),
            revision=_revision(notes),
            gateway=GATEWAY_NAME_LABEL in labels or notes.get("inject.istio.io/templates") == "gateway",
        )


def workload_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels of a pod without those that tell the pods of one workload apart."""
    return {key: value for key, value in labels.items() if key not in _NO_IDENTITY_OF_A_WORKLOAD}


def _ports(listed: str) -> frozenset[int]:
    return frozenset(int(port) for port in listed.split(",") if port.strip().isdigit())


def _mode(stated: Any) -> str:
    mode = str((stated or {}).get("mode") or "")
    return "" if mode == "UNSET" else mode


def _revision(notes: Json) -> str:
    """Revision of the control plane that injected the pod (annotations of Istio's injection template)."""
    try:
        stated = json.loads(notes.get(_STATUS) or "{}")
    except ValueError:
        stated = {}
    return str(notes.get(REVISION_LABEL) or (stated.get("revision") if isinstance(stated, dict) else "") or "")
