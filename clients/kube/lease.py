"""Keeps a second run out of a live cluster, by a coordination.k8s.io Lease that names its holder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from clients.kube.api import CONFLICT, NOT_FOUND, RequestError
from clients.kube.cluster import Cluster
from clients.kube.fields import annotations_of
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL
from clients.model.errors import ClusterError, ConflictError

_DURATION_S = 60
_API = "coordination.k8s.io/v1"
NAMESPACE, NAME = "default", "meshproof"
_RENEWED_AFTER, _TRIED_AGAIN_AFTER, _GIVEN_UP_AFTER = 1 / 3, 1 / 12, 2 / 3
"""Fractions of the duration. When renewal is given up, a third is left: for the last try, and for the run to stop."""
_TIMEOUTS_S = (2.0, 5.0)
"""Seconds to connect and to read, of one request; a renewal sends two, the client library tries each twice, and all
of it fits into a third of the duration."""


class LeaseLostError(ClusterError):
    """Another run holds the lease, or no run does."""


class RunLease:
    """Context manager around a run: acquire, renew from a thread, release.

    Times in it are those of the API server's clock, so that two machines with wrong clocks agree.

    Args:
        holder: name of this run's holder in the error of a second run: `user@host run-id`.
        run: id of the run. An annotation and not the label, so that a run's own sweep leaves its lease alone.
        duration_s: seconds after which a lease that is not renewed counts as expired and may be taken over.
        on_lost: called once, from the renewing thread, with the reason when the lease is lost.

    Attributes:
        lost: why the lease is no longer ours, although it was not released; empty as long as it is ours.
    """

    def __init__(
        self,
        cluster: Cluster,
        holder: str,
        *,
        run: str,
        namespace: str = NAMESPACE,
        name: str = NAME,
        duration_s: float = _DURATION_S,
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._holder = holder
        self._duration_s = duration_s
        self._on_lost = on_lost
        self._name, self._namespace = name, namespace
        self._marks = {"labels": {MANAGED_BY_LABEL: MANAGER}, "annotations": {RUN_LABEL: run}}
        self._held: dict[str, Any] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = ""

    def acquire(self) -> None:
        """Take it, or take over an expired one; renews it from a thread until `release`.

        It is renewed immediately: an identity that may create a lease but not update it is refused here, and not after
        a minute.

        Raises:
            ConflictError: another run holds it; names the holder.
            ClusterError: the API server does not answer, or this identity lacks a permission.
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
        try:
            self.renew()
        except ClusterError:
            self.release()
            raise
        self._thread = threading.Thread(target=self.keep, args=(self._stop.wait,), name="lease", daemon=True)
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
            # By version: a run that takes over an expired lease keeps the object, and so its uid.
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
            LeaseLostError: it is no longer ours.
            ClusterError: the API server does not answer, or this identity lacks a permission.
        """
        assert self._held is not None
        now = _micro_time(self._cluster.api.time(timeouts=_TIMEOUTS_S, ride_out=False))
        try:
            self._held = self._renewed(self._held, now)
        except RequestError as error:
            if error.status not in {CONFLICT, NOT_FOUND}:
                raise
            self._held = self._renewed(self._still_ours(), now)

    def keep(self, wait: Callable[[float], bool], clock: Callable[[], float] = time.monotonic) -> None:
        """Renew it until it is lost or given back.

        A failure that may pass, of the network or of a permission, is tried again until the lease is about to expire.
        After that another run may begin at any moment, so that it counts as lost.

        Args:
            wait: waits for so many seconds, and returns whether the lease was given back meanwhile.
            clock: seconds of a clock that never goes back.
        """
        renewed, pause = clock(), self._duration_s * _RENEWED_AFTER
        while not wait(pause):
            began = clock()
            try:
                self.renew()
            except LeaseLostError as error:
                return self._lose(error.message)
            except ClusterError as error:
                passed = clock() - renewed
                if passed >= self._duration_s * _GIVEN_UP_AFTER:
                    return self._lose(f"not renewed for {passed:.0f} s: {error.message}")
                pause = self._duration_s * _TRIED_AGAIN_AFTER
            else:
                renewed, pause = began, self._duration_s * _RENEWED_AFTER
        return None

    def _renewed(self, held: dict[str, Any], now: str) -> dict[str, Any]:
        body = {**held, "apiVersion": _API, "kind": "Lease", "spec": {**held["spec"], "renewTime": now}}
        return self._cluster.replace(body, timeouts=_TIMEOUTS_S, ride_out=False)

    def _lose(self, why: str) -> None:
        if not self._stop.is_set():
            self.lost = why
            self._on_lost(why)

    def _still_ours(self) -> dict[str, Any]:
        """The lease as it is now: another client may have changed it without taking it over.

        Raises:
            LeaseLostError: it was deleted, or has another holder.
        """
        found = self._cluster.get(_API, "Lease", self._name, self._namespace)
        if found is None:
            raise LeaseLostError("it was deleted")
        if (holder := found.get("spec", {}).get("holderIdentity")) != self._holder:
            raise LeaseLostError(f"{holder or 'no run'} holds it now")
        return found

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
    """The error of a run that starts while `who` holds the cluster."""
    wait = f"wait for it; if it was killed, its lease expires {_DURATION_S} s after the last renewal"
    return ConflictError(f"the cluster is in use by {who}", hint or wait)


def holder(cluster: Cluster) -> str:
    """The holder of the cluster now, as the error of a second run names it; empty where there is none.

    Raises:
        ClusterError: the API server does not answer, or this identity lacks a permission.
    """
    found = cluster.get(_API, "Lease", NAME, NAMESPACE)
    if found is None or _expired(found, cluster.api.time()):
        return ""
    return str(found["spec"]["holderIdentity"])


def remove(cluster: Cluster, run: str) -> bool:
    """Remove the lease of a run that died without giving it back; returns whether there was one. Another run's stays.

    Raises:
        ClusterError: the API server does not answer, or this identity lacks a permission.
    """
    found = cluster.get(_API, "Lease", NAME, NAMESPACE)
    if found is None or annotations_of(found).get(RUN_LABEL) != run:
        return False
    return cluster.delete(_API, "Lease", NAME, NAMESPACE, uid=found["metadata"]["uid"]) is not None


def _expired(lease: dict[str, Any], now: float) -> bool:
    spec = lease.get("spec", {})
    renewed = spec.get("renewTime")
    if not spec.get("holderIdentity") or not renewed:
        return True
    return datetime.fromisoformat(renewed).timestamp() + float(spec.get("leaseDurationSeconds") or 0) < now


def _micro_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
