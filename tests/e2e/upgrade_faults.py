"""Faults of upgrades, each on real objects of the profile `canary`: a hook of `meshproof upgrade` runs one by its name.

python tests/e2e/upgrade_faults.py KUBECONFIG FAULT...
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clients.hold.held import SERVERS, require
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGER

ADMISSION, HOOKS = "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"
SECURITY = "security.istio.io/v1"
TAG, OLD_TAG, NEW_TAG = "istio-revision-tag-{}", "stable", "next"
AWAY_S = 0.3


def policy_away(cluster: Cluster) -> None:
    """The servers' policy is gone for a third of a second."""
    where = (SECURITY, "AuthorizationPolicy", "server", servers(cluster))
    body = cluster.get(*where)
    assert body is not None
    meta = {key: body["metadata"][key] for key in ("name", "namespace", "labels")}
    cluster.delete(*where)
    time.sleep(AWAY_S)
    cluster.apply({**body, "metadata": meta}, manager=MANAGER)


def policy_of_old_revision(cluster: Cluster) -> None:
    """The servers' policy has the old revision's label, so that the new one ignores it."""
    label_policy(cluster, revisions(cluster)[0])


def policy_of_all(cluster: Cluster) -> None:
    """Undo `policy_of_old_revision`."""
    label_policy(cluster, None)


def permissive(cluster: Cluster) -> None:
    """The servers take plain text."""
    set_mode(cluster, "PERMISSIVE")


def strict(cluster: Cluster) -> None:
    """Undo `permissive`."""
    set_mode(cluster, "STRICT")


def tag_early(cluster: Cluster) -> None:
    """The tag of the old revision leads to the new one already."""
    lead(cluster, TAG.format(OLD_TAG), revisions(cluster)[1])


def tag_back(cluster: Cluster) -> None:
    """Undo `tag_early`."""
    lead(cluster, TAG.format(OLD_TAG), revisions(cluster)[0])


def injected_by_old(cluster: Cluster) -> None:
    """What asks for the new revision's tag is injected by the old one."""
    old = revisions(cluster)[0]
    call(cluster, TAG.format(NEW_TAG), f"istiod-{old}")


def injected_by_new(cluster: Cluster) -> None:
    """Undo `injected_by_old`."""
    new = revisions(cluster)[1]
    call(cluster, TAG.format(NEW_TAG), f"istiod-{new}")


FAULTS: dict[str, Callable[[Cluster], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        policy_away,
        policy_of_old_revision,
        policy_of_all,
        permissive,
        strict,
        tag_early,
        tag_back,
        injected_by_old,
        injected_by_new,
    )
}


def servers(cluster: Cluster) -> str:
    return require(cluster).namespaces[SERVERS]


def revisions(cluster: Cluster) -> tuple[str, str]:
    """The names of both, the old one first: those of the control planes, as tags may lead elsewhere."""
    names = [str(one["metadata"]["labels"]["istio.io/rev"]) for one in istiods(cluster)]
    old, new = (next(name for name in names if name.endswith(f"-{tag}")) for tag in (OLD_TAG, NEW_TAG))
    return old, new


def istiods(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.objects("apps/v1", "Deployment", "istio-system", "app=istiod")


def label_policy(cluster: Cluster, revision: str | None) -> None:
    body = {"metadata": {"labels": {"istio.io/rev": revision}}}
    cluster.patch(SECURITY, "AuthorizationPolicy", "server", servers(cluster), body)


def set_mode(cluster: Cluster, mode: str) -> None:
    cluster.patch(SECURITY, "PeerAuthentication", "strict", servers(cluster), {"spec": {"mtls": {"mode": mode}}})


def lead(cluster: Cluster, name: str, revision: str) -> None:
    """As `istioctl tag set --overwrite` does it."""
    call(cluster, name, f"istiod-{revision}")
    cluster.patch(ADMISSION, HOOKS, name, "", {"metadata": {"labels": {"istio.io/rev": revision}}})


def call(cluster: Cluster, name: str, service: str) -> None:
    """Let a configuration of webhooks call this Service."""
    body = cluster.get(ADMISSION, HOOKS, name)
    assert body is not None
    for hook in body["webhooks"]:
        hook["clientConfig"]["service"]["name"] = service
    cluster.patch(ADMISSION, HOOKS, name, "", {"webhooks": body["webhooks"]})


def main(kubeconfig: str, *faults: str) -> None:
    cluster = Cluster.connect(Path(kubeconfig))
    for fault in faults:
        FAULTS[fault](cluster)
    cluster.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
