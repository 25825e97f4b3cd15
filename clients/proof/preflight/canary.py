"""What a cluster does, found out by trying it, in a namespace of its own: one line each, with what to do.

A client and a server with sidecars and a pair without, a network policy that denies one of them, and a Service that
asks for a load balancer. It takes some seconds; where addresses or images are slow, up to its time limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from clients.apply.applier import Applier
from clients.apply.item import Item
from clients.apply.open_mesh import NOTHING_NEEDED, OpenMesh
from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.pods import SIDECAR, Pod
from clients.mesh.survey import generated
from clients.model.addresses import joined
from clients.model.errors import ClusterError, MeshproofError
from clients.model.service_type import LOAD_BALANCER
from clients.probe.way_in import WaysIn
from clients.proof.preflight import (
    admission,
    cluster_checks,
    label_checks,
    mesh_checks,
    namespace_checks,
    network_checks,
    opening_checks,
)
from clients.proof.preflight.door import open_door
from clients.proof.preflight.shown import CheckName, Shown, Tried

HOME, PLAIN_HOME, DOOR = "canary", "canary-plain", "door"
PAIRS, DENY, IMAGES = "canary/1-pairs.yaml", "canary/deny/plain.yaml", "canary/images/all.yaml"
OPEN = "canary/open/all.yaml"
START_S = 60.0
"""Limit for pods to start, where a run's have less."""


@dataclass
class Canary:
    """Deploys it, looks, and removes it. Never raises for what the cluster does.

    Args:
        applier: with an overlay that has images, labels and the revision of the run; its limit is that of the pods.
        namespace: real name of `HOME`.
        open_mesh: what a run sets against the mesh as it was found; the canary starts from the same.
        enters: whether the run has clients outside; without them no load balancer is waited for, nor a way in tried.
        optional: annotations of pods that may be left out, and how an applier without some of them is made.
    """

    cluster: Cluster
    applier: Applier
    namespace: str
    ways_in: WaysIn
    open_mesh: OpenMesh = NOTHING_NEEDED
    enters: Callable[[], bool] = lambda: True
    optional: tuple[str, ...] = ()
    without: Callable[[tuple[str, ...]], Applier] | None = None
    _shown: Shown = field(default_factory=Shown)
    _items: list[Item] = field(default_factory=list)
    _opened_at: float = 0.0
    _gone: Callable[[], None] | None = None

    def look(self, *, images: bool = False) -> Shown:
        """Deploy it and try everything, then ask for its removal; `images` pulls all of them."""
        try:
            for found in self._checks(images=images):
                self._shown = self._shown.plus(found)
        finally:
            if self._items:
                self._gone = self.applier.ask_to_delete(self._items)
        return self._shown

    def wait_gone(self) -> None:
        """Wait until it is removed.

        Raises:
            ClusterError: it could not be removed.
        """
        gone, self._gone = self._gone, None
        if gone:
            gone()

    def _checks(self, *, images: bool) -> Iterator[Tried | Shown]:
        yield cluster_checks.clock(self.cluster)
        yield cluster_checks.nodes(self.cluster)
        admitted = self._admit()
        yield admitted
        if not admitted.lines[0].ok:
            return
        opening = Shown()
        for found in self._open_mesh():
            opening = opening.plus(found)
        yield opening
        if any(line.blocks for line in opening.lines):
            return
        door, refused = open_door(self.applier, [item for item in self._items if _is_door(item)])
        self._opened_at = time.monotonic()
        if refused:
            yield refused
        if secured := cluster_checks.pod_security(self.cluster, self._deployment("plain")):
            yield secured
        pods: dict[str, Pod] = {}
        yield self._start(pods)
        changes = label_checks.labels(self.cluster, self._items)
        yield from filter(None, (changes, label_checks.outside(pods, changes)))
        if guarding := network_checks.guarding(self.cluster, self.namespace):
            yield self._open_network(guarding)
        yield from self._policies()
        if images:
            yield self._pulls()
        if "client" not in pods or "server" not in pods:
            return
        yield from self._mesh(pods)
        if "outsider" in pods and "plain" in pods:
            yield from self._network(pods, door=door)

    def _mesh(self, pods: dict[str, Pod]) -> Iterator[Tried]:
        yield mesh_checks.injected(pods)
        yield mesh_checks.runs_curl(self.cluster, pods["client"])
        yield from cluster_checks.node_clocks(self.cluster, pods)
        if SIDECAR in pods["client"].containers:
            yield mesh_checks.request_in_mesh(self.cluster, self.namespace, pods)

    def _network(self, pods: dict[str, Pod], *, door: str) -> Iterator[Tried | Shown]:
        """Args: door: type of the Service that leads in; empty where there is none."""
        balanced = self._load_balancer() if door == LOAD_BALANCER else None
        if balanced:
            yield balanced
        if balanced or (door and door != LOAD_BALANCER and self.enters()):
            yield network_checks.way_in(self.cluster, self.ways_in, self.namespace)
        if self._shown.guarding:
            yield network_checks.not_alone(self._shown.guarding)
        else:
            yield self._network_policy(pods)  # the last, as it shuts the way in

    def _admit(self, left_out: tuple[str, ...] = ()) -> Shown:
        """The namespaces and the workloads; once more without the optional annotations that a refusal names."""
        try:
            self._items = self.applier.load([PAIRS])
            others = [item for item in self._items if not _is_door(item)]
            self.applier.admit(others)
            self.applier.apply(others)
        except MeshproofError as error:
            named = admission.named_in(error, self.optional)
            if left_out or not (named and self.without):
                return admission.refused(error)
            self.applier = self.without(named)
            return self._admit(named)
        return admission.accepted(left_out)

    def _open_mesh(self) -> Iterator[Tried | Shown]:
        """What a run sets against the mesh as it was found: each kind decides by itself what can be proven."""
        logs = self.open_mesh.with_logs(self._items)[len(self._items) :]
        more = [*logs, *self.open_mesh.additions(self._items, ())]
        for kind in dict.fromkeys(item.kind for item in more):
            if why := self._refusal([item for item in more if item.kind == kind]):
                yield opening_checks.refused(kind, why)

    def _refusal(self, items: list[Item]) -> str:
        """Apply more objects; why they are refused, empty where they are not."""
        self._items = [*self._items, *items]
        try:
            self.applier.admit(items)
            self.applier.apply(items)
        except MeshproofError as error:
            return error.message
        return ""

    def _deployment(self, name: str) -> dict[str, Any]:
        return next(item.body for item in self._items if (item.kind, item.name) == ("Deployment", name))

    def _start(self, pods: dict[str, Pod]) -> Tried:
        """Fills `pods` with what is ready, by app."""
        began, why, hint = time.monotonic(), "", ""
        try:
            self.applier.wait_ready([item for item in self._items if item.kind == "Deployment"])
        except MeshproofError as error:
            why, hint = error.message, error.hint
        try:
            for namespace in sorted({item.namespace for item in self._items if item.kind == "Deployment"}):
                pods |= {pod.labels.get("app", ""): pod for pod in self.cluster.pods(namespace) if pod.ready}
        except ClusterError as error:
            why = why or error.message
        took = f"all ready after {time.monotonic() - began:.0f} s"
        if hint in ("", readiness.DIAGNOSTICS):
            hint = "see the events of its pods; ready_s is a setting"
        blocks = not {"client", "server"} <= pods.keys()
        return Tried(CheckName.WORKLOADS, not why, why or took, hint, needed=True, blocks=blocks)

    def _pulls(self) -> Tried:
        items = self.applier.load([IMAGES])
        try:
            self._items = [*self._items, *items]
            self.applier.apply(items)
            return cluster_checks.images(lambda: self._not_pulled(items[0].name))
        except MeshproofError as error:
            return Tried(CheckName.IMAGES, False, error.message, cluster_checks.IMAGES_HINT)

    def _not_pulled(self, name: str) -> dict[str, str]:
        return cluster_checks.not_pulled(self.cluster.get("v1", "Pod", name, self.namespace) or {})

    def _open_network(self, guarding: tuple[str, ...]) -> Tried | Shown:
        """Allow everything, as a run does in its namespaces."""
        if why := self._refusal(self.applier.load([OPEN])):
            return Tried(CheckName.NEW_NAMESPACES, False, f"{', '.join(guarding)} denies, and: {why}", needed=True)
        return network_checks.opened(guarding)

    def _policies(self) -> Iterator[Tried | Shown]:
        """What others have put there; what allows nothing is set aside, as a run does in its namespaces."""
        found = generated.look(self.cluster, self.namespace)
        if found.denying:
            yield self._allow(found.denying)
        yield from filter(None, (namespace_checks.decided(found), namespace_checks.left(found)))

    def _allow(self, denying: tuple[str, ...]) -> Tried | Shown:
        if why := self._refusal(replace(self.open_mesh, allow=True).additions(self._items, ())):
            return namespace_checks.not_set_aside(denying, why)
        return namespace_checks.set_aside(denying)

    def _load_balancer(self) -> Tried | Shown | None:
        return network_checks.load_balancer(
            self.cluster, self.ways_in, self.namespace, self._opened_at, wanted=self.enters
        )

    def _network_policy(self, pods: dict[str, Pod]) -> Tried | Shown:
        url = f"http://{joined(pods['plain'].ip, 8080)}/status/200"

        def ask() -> str:
            return mesh_checks.curl(self.cluster, pods["outsider"], "outsider", url)

        if wrong := network_checks.without_policy(ask):
            return wrong
        items = self.applier.load([DENY])
        try:
            self._items += items
            self.applier.apply(items)
        except MeshproofError as error:
            return Tried(CheckName.NETWORK_POLICIES, False, error.message)
        return network_checks.network_policy(ask)


def _is_door(item: Item) -> bool:
    return (item.kind, item.name) == ("Service", DOOR)
