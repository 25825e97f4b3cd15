"""Keeps a second run out of a live cluster, by a coordination.k8s.io Lease that names its holder."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any, Self

from clients.kube.api import CONFLICT, RequestError
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL
from clients.model.errors import ClusterError, ConflictError

_DURATION_S = 60
_API = "coordination.k8s.io/v1"
NAMESPACE, NAME = "default", "meshproof"


class RunLease:
    """Context manager around a run: acquire, renew from a thread, release.

    Times are those of the API server's clock, so that two machines with wrong clocks agree.

    Args:
        holder: who holds it, as the second run will be told: `user@host run-id`.
        run: id of the run. An annotation and not the label, so that a run's own sweep leaves its lease alone.
        duration_s: unrenewed for so long, it counts as expired and is taken over.

    Attributes:
        lost: why the lease is no longer ours, although it was not released; empty as long as it is.
    """

    def __init__(
        self,
        cluster: Cluster,
        holder: str,
        *,
        run: str,
        namespace: str = NAMESPACE,
        name: str = NAME,
        duration_s: int = _DURATION_S,
    ) -> None:
        self._cluster = cluster
        self._holder = holder
        self._duration_s = duration_s
        self._name, self._namespace = name, namespace
        self._marks = {"labels": {MANAGED_BY_LABEL: MANAGER}, "annotations": {RUN_LABEL: run}}
        self._held: dict[str, Any] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = ""

    def acquire(self) -> None:
        """Take it, or take over an expired one; renews it from a thread until `release`.

        Raises:
            ConflictError: another run holds it; names the holder.
            ClusterError: the API server does not answer, or does not let this identity.
        """
        found = self._cluster.get(_API, "Lease", self._name, self._namespace)
        now = self._cluster.api.time()
        if found is not None and not _expired(found, now):
            raise self._taken(found)
        body = self._body(now, found)
        try:
            self._held = self._cluster.replace(body) if found else self._cluster.create(body)
        except RequestError as error:
            if error.status == CONFLICT:
                message = "another run took the cluster's lease at the same moment"
                raise ConflictError(message, "try again later") from None
            raise
        self._thread = threading.Thread(target=self._renew_until_stopped, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give it back, if it is still ours. Never raises."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        held, self._held = self._held, None
        if held is None or self.lost:
            return
        meta = held["metadata"]
        try:
            # By version: who takes an expired lease over keeps the object, and so its uid.
            version = meta["resourceVersion"]
            self._cluster.delete(_API, "Lease", meta["name"], meta["namespace"], version=version)
        except ClusterError:
            return

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def renew(self) -> None:
        """Renew it once.

        Raises:
            ClusterError: it is no longer ours (status 404 or 409), or the API server does not answer.
        """
        assert self._held is not None
        spec = {**self._held["spec"], "renewTime": _micro_time(self._cluster.api.time())}
        self._held = self._cluster.replace({**self._held, "apiVersion": _API, "kind": "Lease", "spec": spec})

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(self._duration_s / 3):
            try:
                self.renew()
            except RequestError as error:
                self.lost = error.message
                return
            except ClusterError:
                continue  # no answer: the lease may well last until the next attempt

    def _taken(self, lease: dict[str, Any]) -> ConflictError:
        spec = lease["spec"]
        since = spec.get("acquireTime") or spec["renewTime"]
        return in_use(f"{spec['holderIdentity']} since {since[:19]}Z")

    def _body(self, now: float, old: dict[str, Any] | None) -> dict[str, Any]:
        meta: dict[str, Any] = {"name": self._name, "namespace": self._namespace, **self._marks}
        if old is not None:
            meta["resourceVersion"] = old["metadata"]["resourceVersion"]
        spec = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": self._duration_s,
            "acquireTime": _micro_time(now),
            "renewTime": _micro_time(now),
        }
        return {"apiVersion": _API, "kind": "Lease", "metadata": meta, "spec": spec}


def in_use(who: str, hint: str = "") -> ConflictError:
    """What everybody is told who comes while `who` holds the cluster."""
    wait = f"wait for it; if it was killed, its lease expires {_DURATION_S} s after the last renewal"
    return ConflictError(f"the cluster is in use by {who}", hint or wait)


def holder(cluster: Cluster) -> str:
    """Who holds the cluster now, as a second run would be told; empty where nobody does.

    Raises:
        ClusterError: the API server does not answer, or does not let this identity.
    """
    found = cluster.get(_API, "Lease", NAME, NAMESPACE)
    if found is None or _expired(found, cluster.api.time()):
        return ""
    return str(found["spec"]["holderIdentity"])


def remove(cluster: Cluster, run: str) -> bool:
    """Remove the lease of a run that died without giving it back; says whether there was one. Another run's stays.

    Raises:
        ClusterError: the API server does not answer, or does not let this identity.
    """
    found = cluster.get(_API, "Lease", NAME, NAMESPACE)
    if found is None or found["metadata"].get("annotations", {}).get(RUN_LABEL) != run:
        return False
    return cluster.delete(_API, "Lease", NAME, NAMESPACE, uid=found["metadata"]["uid"])


def _expired(lease: dict[str, Any], now: float) -> bool:
    spec = lease.get("spec", {})
    renewed = spec.get("renewTime")
    if not spec.get("holderIdentity") or not renewed:
        return True
    return datetime.fromisoformat(renewed).timestamp() + float(spec.get("leaseDurationSeconds") or 0) < now


def _micro_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
