"""What one test left on a cluster that others use at the same time: theirs is neither reported nor removed."""

from __future__ import annotations

import time
from collections.abc import Iterable

from clients.kube import lease, readiness
from clients.kube.cleanup import Leftover
from clients.kube.cluster import Cluster
from clients.kube.labels import RUN_LABEL
from runner.target.in_use import ended_here

GONE_S = 120.0
"""Seconds in which a removed object must be gone."""


def others_run(cluster: Cluster) -> str:
    """Id of the run that goes on now, which is another's once a test has ended its own; empty where there is none."""
    who = lease.holder(cluster)
    if not who or ended_here(who):
        return ""
    found = cluster.get("coordination.k8s.io/v1", "Lease", lease.NAME, lease.NAMESPACE)
    return str(found["metadata"].get("annotations", {}).get(RUN_LABEL, "")) if found else ""


def of_this_test(before: Iterable[Leftover], now: Iterable[Leftover], others: str) -> list[Leftover]:
    """The objects that a test has left.

    Args:
        before: what was there when the test began.
        now: what is there at its end.
        others: id of the run of another that goes on; its lease has the id as an annotation, so no `Leftover` has it.
    """
    was = {one.uid for one in before}
    lease_key = ("Lease", lease.NAMESPACE, lease.NAME)
    return [
        one
        for one in now
        if one.uid not in was
        and not (others and (one.run == others or (one.kind, one.namespace, one.name) == lease_key))
    ]


def remove(cluster: Cluster, left: Iterable[Leftover]) -> None:
    """Delete these objects and wait until they are gone, for the next test."""
    objects = sorted(left, key=lambda one: one.kind == "Namespace")
    for one in objects:
        cluster.delete(one.api_version, one.kind, one.name, one.namespace, uid=one.uid)
    deadline = time.monotonic() + GONE_S
    for one in objects:
        assert readiness.wait_gone(cluster, one.key, one.uid, deadline), f"{one} is still there"
