"""Held traffic on a cluster: start it, look at it, mark a moment of it, and stop it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from clients.apply.applier import Applier
from clients.apply.item import Item
from clients.hold import reading
from clients.hold.account import Account, Page, accounts
from clients.hold.holes import holes
from clients.hold.reading import POLL_S
from clients.hold.seen import Seen
from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.exec import exec_once
from clients.kube.fields import labels_of
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL
from clients.kube.pods import Pod
from clients.model.errors import ClusterError, ConflictError, InfrastructureError, MeshproofError

MANIFESTS = "hold"
LABEL = "meshproof.dev/hold"
"""Label of its namespaces (`held`), of the accounts (`account`) and of the marks (`marks`)."""
HOME, SERVERS, GATEWAYS, OUTSIDE = "hold-client", "hold-server", "hold-gateway", "hold-outside"
NAMESPACES = (SERVERS, HOME, GATEWAYS, OUTSIDE)
STARTED = "started"
"""The first mark."""
STEADY_S, PATIENCE_S, GONE_S = 3.0, 90.0, 120.0
"""How long each flow must have had what is due before it counts; how long that is waited for; time limit of an end."""
CONTAINER, PROGRAM = "traffic", "traffic"
_MARKS = "hold-marks"


@dataclass(frozen=True)
class Held:
    """Held traffic that is on a cluster.

    Attributes:
        id: of the hold; the label `meshproof.dev/run` of all its objects.
        namespaces: by the manifests' names, the real ones.
    """

    id: str
    namespaces: dict[str, str]

    @property
    def home(self) -> str:
        """The namespace of the clients in the mesh, which also has the marks."""
        return self.namespaces[HOME]


def find(cluster: Cluster) -> Held | None:
    """The held traffic of the cluster; None where there is none.

    Raises:
        ClusterError: the cluster does not answer.
    """
    found = cluster.objects("v1", "Namespace", labels=f"{LABEL}=held,{MANAGED_BY_LABEL}={MANAGER}")
    if not found:
        return None
    run = labels_of(found[0]).get(RUN_LABEL, "")  # two that started at once are two: each is removed as a whole
    names = [str(one["metadata"]["name"]) for one in found if labels_of(one).get(RUN_LABEL, "") == run]
    real = {name: one for name in NAMESPACES for one in names if one == name or one.endswith(f"-{name}")}
    return Held(run, real)


def require(cluster: Cluster) -> Held:
    """The held traffic of the cluster.

    Raises:
        ClusterError: there is none, or only a part of it.
    """
    found = find(cluster)
    if found is None:
        raise ClusterError("no traffic is held on this cluster", "start it by `meshproof hold start`")
    if missing := [name for name in NAMESPACES if name not in found.namespaces]:
        hint = "remove the rest by `meshproof hold stop`"
        raise ClusterError(f"the held traffic {found.id} is not whole: {missing[0]} is missing", hint)
    return found


def start(cluster: Cluster, applier: Applier, say: Callable[[str], None]) -> Held:
    """Deploy it, wait until every flow has what is due, and let the accounts begin. Nothing is left of a failed start.

    Raises:
        ConflictError: traffic is held already.
        ClusterError: it does not start, or a flow does not get what is due.
    """
    if there := find(cluster):
        hint = "look at it by `meshproof hold check`, or end it by `meshproof hold stop`"
        raise ConflictError(f"traffic is held on this cluster already ({there.id})", hint)
    items = applier.load([MANIFESTS])
    applier.check(items)
    try:
        say("deploying servers, gateways and clients")
        applier.apply(items)
        applier.wait_ready(items)
        held = require(cluster)
        say("waiting until every flow has what is due")
        _settle(cluster, held)
        _begin(cluster, held, applier)
    except BaseException:
        with suppress(MeshproofError):
            insist(lambda: applier.delete(items))
        raise
    return held


def insist(remove: Callable[[], None]) -> None:
    """Remove something, and begin that again where it is interrupted: traffic that is left goes on for ever.

    Raises:
        KeyboardInterrupt: it was interrupted; where that was once only, all is removed.
    """
    try:
        remove()
    except KeyboardInterrupt:
        remove()
        raise


def check(cluster: Cluster, held: Held, earlier: Sequence[Page] = ()) -> Seen:
    """What has been seen since the start; waits some seconds until every process that runs has written.

    Args:
        earlier: what an earlier look has read; an image of the generator of before writes over it in the same pod.

    Raises:
        ClusterError: the cluster does not answer, or the traffic was never started to its end.
    """
    marks = _marks(cluster, held)
    read = reading.fresh(cluster, held.namespaces.values(), running(cluster, held))
    now, since = cluster.api.time(), marks[0][0]
    known = {one.process: one for one in (*earlier, *read.pages) if one.written >= since}  # before, nothing counts
    pages = tuple(known.values())
    found = accounts(pages)
    silent = tuple(one.flow.name for one in found if not one.requests)
    missed = tuple(holes(pages, since, now, read.alive))
    return Seen(held.id, since, now, tuple(found), marks, missed, silent, read.unread, pages)


def mark(cluster: Cluster, held: Held, name: str) -> float:
    """Note that something begins now, such as a phase; returns the time by the API server's clock."""
    now = cluster.api.time()
    marks = [*_marks(cluster, held), (now, name)]
    cluster.patch("v1", "ConfigMap", _MARKS, held.home, {"data": {"marks": json.dumps(marks)}})
    return now


def stop(cluster: Cluster, held: Held) -> None:
    """Remove all of it, and wait until it is gone.

    Raises:
        ClusterError: something is still there after the time limit.
    """
    asked: list[tuple[str, str]] = []
    for name in held.namespaces.values():
        found = cluster.get("v1", "Namespace", name)
        if found is not None and labels_of(found).get(RUN_LABEL) == held.id:
            uid = str(found["metadata"]["uid"])
            cluster.delete("v1", "Namespace", name, uid=uid)
            asked.append((name, uid))
    deadline = time.monotonic() + GONE_S
    for name, uid in asked:
        if not readiness.wait_gone(cluster, ("v1", "Namespace", "", name), uid, deadline):
            raise ClusterError(f"Namespace {name} is still there after {GONE_S:g} s", "see what holds it: finalizers")


def senders(cluster: Cluster, held: Held) -> list[Pod]:
    """Pods that run the generator now."""
    return [
        pod
        for namespace in held.namespaces.values()
        for pod in cluster.pods(namespace)
        if CONTAINER in pod.containers and pod.ready
    ]


def running(cluster: Cluster, held: Held) -> frozenset[str]:
    """Names of the pods that write an account now."""
    return frozenset(pod.name for pod in senders(cluster, held))


def _marks(cluster: Cluster, held: Held) -> tuple[tuple[float, str], ...]:
    found: dict[str, Any] = cluster.get("v1", "ConfigMap", _MARKS, held.home) or {}
    hint = "use `meshproof hold stop`"
    if not found:
        raise ClusterError(f"the held traffic {held.id} was never started to its end", hint)
    try:
        marks = tuple((float(at), str(name)) for at, name in json.loads(found["data"]["marks"]))
    except (KeyError, TypeError, ValueError):
        marks = ()
    if not marks:
        raise ClusterError(f"the marks of the held traffic {held.id} cannot be read", hint)
    return marks


def _settle(cluster: Cluster, held: Held) -> None:
    """Wait until no flow has had anything but what is due for a while.

    Raises:
        ClusterError: a flow does not get there in time.
    """
    deadline = time.monotonic() + PATIENCE_S
    while unsteady := _unsteady(_accounts(cluster, held), cluster.api.time()):
        if time.monotonic() >= deadline:
            one = unsteady[0]
            seen = one.rows[-1].outcome if one.rows else "nothing"
            message = (
                f"the flow {one.flow.name} is not steady after {PATIENCE_S:g} s: expected {one.flow.due}, saw {seen}"
            )
            hint = "see which policies and NetworkPolicies reach every namespace: doctor --policies"
            raise ClusterError(f"{message}; and {len(unsteady) - 1} others" if unsteady[1:] else message, hint)
        time.sleep(POLL_S)


def _accounts(cluster: Cluster, held: Held) -> list[Account]:
    return accounts(reading.written(cluster, held.namespaces.values()).pages)


def _unsteady(found: Sequence[Account], now: float) -> list[Account]:
    return [one for one in found if not one.due or any(row.end > now - STEADY_S for row in one.rows)]


def _begin(cluster: Cluster, held: Held, applier: Applier) -> None:
    """Let every process begin its account from here on, and write the first mark."""
    for pod in senders(cluster, held):
        done = exec_once(cluster, pod, CONTAINER, [PROGRAM, "begin"], timeout_s=10)
        if done.exit_code:
            raise InfrastructureError(f"{pod}: {done.stderr.strip()[:200]}")
    marks = json.dumps([(cluster.api.time(), STARTED)])
    labels = {LABEL: "marks", MANAGED_BY_LABEL: MANAGER, RUN_LABEL: held.id}
    meta = {"name": _MARKS, "namespace": held.home, "labels": labels}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"marks": marks}}
    applier.apply([Item(MANIFESTS, body)])
    time.sleep(2 * POLL_S)
