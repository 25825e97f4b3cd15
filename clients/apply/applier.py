"""From manifests to objects in the cluster, and back: server-side apply, readiness, deletion."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from clients.apply.item import Accepted, Item, bound_role, manifest_files, manifest_text, with_pods
from clients.apply.limits import Limits
from clients.apply.overlay import Overlay
from clients.apply.yaml_text import dump
from clients.kube import readiness
from clients.kube.api import NOT_FOUND, RequestError
from clients.kube.cluster import Cluster, is_gone
from clients.kube.fields import labels_of
from clients.kube.labels import MANAGER, RUN_LABEL
from clients.kube.stuck import why_it_stays
from clients.model.errors import AccessError, ClusterError, ConflictError, ManifestError
from clients.model.evidence import Applied
from clients.model.polling import poll
from clients.model.redact import redact

DRY_RUN_NAMESPACE = "default"
"""Namespace for the dry run of an object whose own does not exist yet, while this process has none."""

In = TypeVar("In")
Out = TypeVar("Out")
_DEFAULTS = Limits()


class Applier:
    """Applies manifests and deletes them again.

    Args:
        manifests: the folder that manifest paths are relative to.

    Attributes:
        pods_changed_at: namespace → monotonic seconds at which what was applied, or deleted, last changed its pods.
    """

    def __init__(
        self,
        cluster: Cluster,
        overlay: Overlay,
        manifests: Path,
        limits: Limits = _DEFAULTS,
    ) -> None:
        self._cluster = cluster
        self._overlay = overlay
        self._manifests = manifests
        self._limits = limits
        self._accepted: dict[tuple[str, str, str, str], Accepted] = {}
        self._spaces: dict[str, None] = {}
        self.pods_changed_at: dict[str, float] = {}

    def named_by(self, overlay: Overlay) -> Applier:
        """The same cluster, manifests and limits, for objects with other names."""
        return Applier(self._cluster, overlay, self._manifests, self._limits)

    @property
    def timeout_s(self) -> float:
        """Time limit of one `apply` or `delete` (see `Limits`)."""
        return self._limits.timeout_s

    def load(self, paths: Sequence[str]) -> list[Item]:
        """The objects of manifests, in order: a path is a file, or a folder whose `*.yaml` are taken by name.

        Raises:
            ManifestError: a path does not exist, or its text is not valid.
        """
        return [
            Item(file.relative_to(self._manifests).as_posix(), body)
            for path in paths
            for file in manifest_files(self._manifests, path)
            for body in self._overlay.objects(manifest_text(file), file.relative_to(self._manifests).as_posix())
        ]

    def check(self, items: Sequence[Item]) -> None:
        """Check before the first change that no object exists yet and that the API server would accept each.

        Raises:
            ConflictError: an object exists already and is not this run's.
            ManifestError: the API server would not accept an object (unknown field, wrong value).
            ClusterError: it did not say, as it is busy or away, or does not know the kind.
        """
        coming = sorted({item.name for item in items if item.kind == "Namespace"})
        there = self._side_by_side(lambda name: self._cluster.get("v1", "Namespace", name) is not None, coming)
        missing = {name for name, exists in zip(coming, there, strict=True) if not exists}
        roles = {(item.namespace, item.name) for item in items if item.kind == "Role"}
        self._side_by_side(partial(self._check, missing, roles), items)

    def admit(self, items: Sequence[Item]) -> None:
        """As `check`, after the namespaces among the objects are made, so that the rest is tried where it will be.

        What a cluster demands in other namespaces (quotas, policies of `default`) says nothing about a run's own.
        Register the deletion first. Raises as `check` does.
        """
        spaces = [item for item in items if item.kind == "Namespace"]
        self.check(spaces)
        self._side_by_side(self._apply, spaces)
        self._wait_for_accounts({item.namespace for item in items if item.kind == "Pod"} & {one.name for one in spaces})
        self.check([item for item in items if item.kind != "Namespace"])

    def _wait_for_accounts(self, namespaces: Iterable[str]) -> None:
        """The API server refuses a pod until a controller has made its namespace's default account."""
        deadline = time.monotonic() + self.timeout_s
        for name in namespaces:
            poll(partial(self._has_account, name), deadline)  # if it never does, the pod's dry run says so

    def _has_account(self, namespace: str) -> bool:
        return self._cluster.get("v1", "ServiceAccount", "default", namespace) is not None

    def apply(self, items: Sequence[Item]) -> list[Applied]:
        """Apply objects of the whole cluster in parallel, then the rest: in order within a namespace, in parallel else.

        Call `check` first, and register the deletion. The result has the order of the items.
        """
        lanes: dict[str, list[Item]] = {}
        for item in items:
            lanes.setdefault(item.namespace, []).append(item)
        wide = lanes.pop("", [])
        applied = dict(zip((item.key for item in wide), self._side_by_side(self._apply, wide), strict=True))
        for done in self._side_by_side(lambda lane: [(item.key, self._apply(item)) for item in lane], lanes.values()):
            applied.update(done)
        return [applied[item.key] for item in items]

    def accepted(self, item: Item) -> Accepted | None:
        """What the API server answered when this object was last applied; None where it never was."""
        return self._accepted.get(item.key)

    def wait_ready(self, items: Sequence[Item], within_s: float = math.inf) -> None:
        """Wait until each object reports that it is ready. After an address that never came, none is waited for.

        Raises:
            ClusterError: an object is not ready in time, or cannot become ready; the message has the reason.
        """
        deadline = time.monotonic() + min(self.timeout_s, within_s)
        for item in sorted(items, key=lambda item: item.kind in ("Service", "Gateway")):
            given = readiness.wait(self._cluster, item.body, deadline, load_balancers=self._limits.load_balancers)
            if not given:
                self._limits = replace(self._limits, load_balancers=False)
        self.pods_changed_at |= dict.fromkeys(with_pods(items), time.monotonic())

    def delete(self, items: Sequence[Item]) -> None:
        """Delete objects, the last first, and wait until they are gone. A deleted namespace takes its objects with it.

        Only objects with this run's label are deleted. Every deletion is attempted before an error is raised.

        Raises:
            ClusterError: an object could not be deleted, or is still there after the time limit.
        """
        self.ask_to_delete(items)()

    def ask_to_delete(self, items: Sequence[Item]) -> Callable[[], None]:
        """As `delete`, without waiting. The returned function waits and raises; its time limit starts now."""
        self.pods_changed_at |= dict.fromkeys(with_pods(items), time.monotonic())
        namespaces = {item.name for item in items if item.kind == "Namespace"}
        self._spaces = {name: None for name in self._spaces if name not in namespaces}
        wanted = [item for item in reversed(items) if item.namespace not in namespaces]
        asked = self._side_by_side(self._try_to_delete, wanted)
        problems = [problem for _, _, problem in asked if problem]
        deadline = time.monotonic() + self.timeout_s

        def wait() -> None:
            for item, uid, _ in asked:
                if uid and not readiness.wait_gone(self._cluster, item.key, uid, deadline):
                    why = why_it_stays(self._cluster.get(item.api_version, item.kind, item.name, item.namespace))
                    problems.append(f"{item} is still there {self.timeout_s:g} s after its deletion{why}")
            self.pods_changed_at |= dict.fromkeys(with_pods(items), time.monotonic())
            if problems:
                raise ClusterError("; ".join(problems), "remove it by `meshproof cleanup`")

        return wait

    def _apply(self, item: Item) -> Applied:
        meta = self._cluster.apply(item.body, manager=MANAGER).get("metadata", {})
        if item.kind == "Namespace":
            self._spaces[item.name] = None
        self._accepted[item.key] = Accepted(str(meta.get("uid", "")), meta.get("generation"))
        return Applied(item.manifest, item.kind, item.namespace, item.name, redact(dump([item.body])))

    def _side_by_side(self, do: Callable[[In], Out], them: Iterable[In]) -> list[Out]:
        """Results in order. After all started calls have ended, the first error in that order is raised."""
        with ThreadPoolExecutor(self._limits.at_once) as threads:
            return list(threads.map(do, them))

    def _check(self, missing: set[str], roles: set[tuple[str, str]], item: Item) -> None:
        if item.namespace not in missing and not (item.kind == "Namespace" and item.name in missing):
            self._refuse_foreign(item)
        self._try(item, elsewhere=item.namespace in missing, roles=roles)

    def _refuse_foreign(self, item: Item) -> None:
        found = self._cluster.get(item.api_version, item.kind, item.name, item.namespace)
        if found is not None and labels_of(found).get(RUN_LABEL) != self._overlay.run:
            hint = "remove or rename it, or run `meshproof cleanup` if a killed run left it"
            raise ConflictError(f"{item} exists already and is not this run's", hint)

    def _try(self, item: Item, *, elsewhere: bool, roles: set[tuple[str, str]]) -> None:
        """Server-side dry run; of a namespace that does not exist yet, under a random name in another one.

        Args:
            roles: (namespace, name) of the Roles that are coming. The API server looks for the Role of a RoleBinding,
                as an identity may only bind what it may do itself, and a dry run leaves none there.
        """
        body = item.body
        if elsewhere:
            space = next(iter(self._spaces), DRY_RUN_NAMESPACE)
            meta = {**body["metadata"], "namespace": space, "name": f"dry-run-{secrets.token_hex(4)}"}
            body = {**body, "metadata": meta}
        try:
            self._cluster.apply(body, manager=MANAGER, dry_run=True)
        except AccessError:
            raise
        except RequestError as error:
            if error.status == NOT_FOUND and bound_role(item) in roles:
                return
            if error.of_the_server:
                raise ClusterError(f"{item} could not be checked: {error.message}", error.hint) from None
            raise ManifestError(f"{item.manifest}: {item} is not accepted: {error.detail}") from None
        except ClusterError as error:
            raise ClusterError(f"{item.manifest}: {item}: {error.message}", error.hint) from None

    def _try_to_delete(self, item: Item) -> tuple[Item, str, str]:
        """The object, its uid while it is being deleted, and the error if there was one."""
        try:
            return item, self._delete(item), ""
        except ClusterError as error:
            return item, "", f"{item} could not be deleted: {error.message}"

    def _delete(self, item: Item) -> str:
        """Request the deletion of an object of this run; returns its uid, empty if there is nothing to wait for."""
        found = self._cluster.get(item.api_version, item.kind, item.name, item.namespace)
        if found is None or labels_of(found).get(RUN_LABEL) != self._overlay.run:
            return ""
        uid = str(found["metadata"]["uid"])
        answer = self._cluster.delete(item.api_version, item.kind, item.name, item.namespace, uid=uid)
        if item.kind == "Namespace":
            # The namespace controller starts after five seconds, and returns some seconds later if pods are left.
            with suppress(ClusterError):
                self._cluster.delete_pods(item.name)
        return "" if is_gone(answer) else uid
