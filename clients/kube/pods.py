"""A pod, reduced to what probes need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from clients.model import addresses

SIDECAR = "istio-proxy"
"""Name of the sidecar's container, or of its init container where it is a native sidecar (Istio's injection)."""

_VALIDATION = "istio-validation"
"""Init container that has seen the plug-in's redirection; `istio-init` has its place without the plug-in (Istio's
injection)."""
REDIRECTED = "ambient.istio.io/redirection"
"""Annotation, `enabled` where a node's proxy takes a pod's connections (Istio's CNI plug-in, ambient mode)."""
SIDECARS_USER = 1337
"""Its traffic is not redirected (Istio, Application Requirements)."""
_ROUTER = "router"
_EXCLUDES_INBOUND = "traffic.sidecar.istio.io/excludeInboundPorts"


@dataclass(frozen=True, order=True)
class RunningImage:
    """What a container runs.

    Attributes:
        image: as the pod names it.
        pulled: as the node knows it, by digest where it came from a registry (`curlimages/curl@sha256:…`).
    """

    container: str
    image: str
    pulled: str


@dataclass(frozen=True)
class Pod:
    """One pod.

    Attributes:
        ip: its first address, canonical (`clients.model.addresses`); empty while it has none.
        more_ips: its further ones: in a dual-stack cluster it has one of each family.
        containers: names of its containers and of its init containers that keep running (native sidecars); of those
            alone while other init containers run, because the containers have not started.
        ready: the pod's Ready condition is True and it is not being deleted.
        initializing: names of its init containers that run now and do not keep running; none once it is being deleted.
        past_sidecar: ports, as text, that an annotation keeps out of its sidecar; `*` for all.
        node: name of the node that it runs on; empty while it is not scheduled.
        images: of its containers and init containers, as far as a node has pulled them.
        cut_off: Istio's CNI plug-in leads its connections to its sidecar, which has not started: each is refused there.
        in_ambient: the proxy of its node takes its connections (ambient mode), without a sidecar.
        uid: by which the API server tells it from a later one of the same name.
        role: of its proxy, as its first arguments state it: `sidecar`, or `router` for a gateway's; empty where they
            do not.
        not_past: containers that run as the user whose traffic Istio does not redirect, where its proxy has another.
        injected: it has a sidecar proxy.
    """

    namespace: str
    name: str
    ip: str = ""
    phase: str = ""
    ready: bool = False
    containers: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    initializing: tuple[str, ...] = ()
    past_sidecar: frozenset[str] = frozenset()
    node: str = ""
    cut_off: bool = False
    images: tuple[RunningImage, ...] = field(default=(), compare=False)
    more_ips: tuple[str, ...] = ()
    in_ambient: bool = False
    uid: str = field(default="", compare=False)
    role: str = field(default="", compare=False)
    not_past: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def addresses(self) -> frozenset[str]:
        """All of its addresses, by which it sends and is reached."""
        return addresses_of([self])

    @property
    def injected(self) -> bool:
        """Whether a sidecar proxy runs in it."""
        return SIDECAR in self.containers

    @property
    def is_gateway(self) -> bool:
        """Whether its proxy is a gateway's: by its role, or as it is alone; others may add containers to any pod."""
        return self.role == _ROUTER or (not self.role and self.containers == (SIDECAR,))

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """The pod of an API object."""
        meta, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
        conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
        native = [c["name"] for c in spec.get("initContainers", ()) if c.get("restartPolicy") == "Always"]
        deleted = "deletionTimestamp" in meta
        initializing = tuple(name for name in _running_init(status) if name not in native and not deleted)
        started = () if initializing else (c["name"] for c in spec.get("containers", ()))
        ended = {c["name"] for c in status.get("initContainerStatuses", ()) if "terminated" in c.get("state", {})}
        return cls(
            namespace=meta["namespace"],
            name=meta["name"],
            ip=next(iter(_ips(status)), ""),
            phase=status.get("phase", ""),
            ready=conditions.get("Ready") == "True" and not deleted,
            containers=(*started, *native),
            labels=dict(meta.get("labels", {})),
            initializing=initializing,
            past_sidecar=_ports(meta.get("annotations", {}).get(_EXCLUDES_INBOUND, "")),
            node=spec.get("nodeName", ""),
            cut_off=bool(initializing) and SIDECAR not in native and _VALIDATION in ended,
            images=tuple(_images(spec, status)),
            more_ips=tuple(_ips(status)[1:]),
            in_ambient=meta.get("annotations", {}).get(REDIRECTED) == "enabled",
            uid=meta.get("uid", ""),
            role=_role(spec),
            not_past=_not_past(spec),
        )


def addresses_of(pods: Iterable[Pod]) -> frozenset[str]:
    """All addresses of these pods."""
    return frozenset(one for pod in pods for one in (pod.ip, *pod.more_ips) if one)


def _ips(status: dict[str, Any]) -> list[str]:
    """Addresses that the API states, each once, `podIP` first."""
    stated = [status.get("podIP", ""), *(one.get("ip", "") for one in status.get("podIPs") or ())]
    return list(dict.fromkeys(addresses.canonical(one) for one in stated if one))


def _images(spec: dict[str, Any], status: dict[str, Any]) -> Iterator[RunningImage]:
    for kind in ("container", "initContainer"):
        pulled = {one["name"]: one.get("imageID", "") for one in status.get(f"{kind}Statuses") or ()}
        for one in spec.get(f"{kind}s") or ():
            if found := pulled.get(one["name"]):
                yield RunningImage(one["name"], one.get("image", ""), found)


def _containers(spec: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return (*spec.get("containers", ()), *spec.get("initContainers", ()))


def _role(spec: dict[str, Any]) -> str:
    """What the arguments of its proxy begin with: `proxy sidecar`, `proxy router` (Istio's injection templates)."""
    words: list[str] = next((list(one.get("args") or ()) for one in _containers(spec) if one["name"] == SIDECAR), [])
    return words[1] if words[:1] == ["proxy"] and len(words) > 1 else ""


def _not_past(spec: dict[str, Any]) -> frozenset[str]:
    """On OpenShift the proxy's user is one of its namespace's own (Istio, "OpenShift"), and root with TPROXY."""
    users = {one["name"]: (one.get("securityContext") or {}).get("runAsUser") for one in _containers(spec)}
    if users.get(SIDECAR) in (None, 0, SIDECARS_USER):
        return frozenset()
    return frozenset(name for name, user in users.items() if user == SIDECARS_USER)


def _ports(listed: str) -> frozenset[str]:
    return frozenset(filter(None, (one.strip() for one in listed.split(","))))


def _running_init(status: dict[str, Any]) -> list[str]:
    """Names of the init containers that run now."""
    found = status.get("initContainerStatuses", ())
    return [one["name"] for one in found if one.get("state", {}).get("running") is not None]
