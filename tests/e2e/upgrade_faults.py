"""Faults of upgrades, each on real objects of the profile `canary`: a hook of `meshproof upgrade` runs one by its name.

python tests/e2e/upgrade_faults.py KUBECONFIG FAULT...
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import upgrade_issuers as issuers
import yaml

from clients.hold.held import GATEWAYS, SERVERS, require
from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGER, REVISION_LABEL
from runner.upgrade import moving

ADMISSION, HOOKS = "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"
SECURITY = "security.istio.io/v1"
TAG, OLD_TAG, NEW_TAG = "istio-revision-tag-{}", "stable", "next"
AWAY_S, START_S = 0.3, 180.0
KEPT = "meshproof.dev/tag-of-before"


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
    label(cluster, "AuthorizationPolicy", "server", revisions(cluster)[0])


def policy_of_all(cluster: Cluster) -> None:
    """Undo `policy_of_old_revision`."""
    label(cluster, "AuthorizationPolicy", "server", None)


def strict_of_old_revision(cluster: Cluster) -> None:
    """STRICT of the servers has the old revision's label, so that the new one starts with its default, PERMISSIVE."""
    label(cluster, "PeerAuthentication", "strict", revisions(cluster)[0])


def strict_of_all(cluster: Cluster) -> None:
    """Undo `strict_of_old_revision`."""
    label(cluster, "PeerAuthentication", "strict", None)


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


def filter_of_new(cluster: Cluster) -> None:
    """The servers get a filter that Envoy has from 1.38 on only, in a form that no istiod looks into."""
    file = Path(__file__).parent / "manifests" / "filter-of-the-new-proxy.yaml"
    body = yaml.safe_load(file.read_text(encoding="utf-8"))
    cluster.apply({**body, "metadata": {**body["metadata"], "namespace": servers(cluster)}}, manager=MANAGER)


def filter_away(cluster: Cluster) -> None:
    """Undo `filter_of_new`."""
    cluster.delete("networking.istio.io/v1alpha3", "EnvoyFilter", "of-the-new-proxy", servers(cluster))


def keys_by_server(cluster: Cluster) -> None:
    """The keys of the servers' issuer come from a server, as most issuers have it; nothing is wrong yet."""
    issuers.serve_keys(cluster, servers(cluster))


def keys_lost(cluster: Cluster) -> None:
    """The issuer's server is gone while the new control plane starts again: it has lost its copy of the keys."""
    issuers.end_server(cluster)
    restart(cluster, revisions(cluster)[1])


def keys_back(cluster: Cluster) -> None:
    """Undo `keys_by_server` and `keys_lost`."""
    issuers.state_keys(cluster, servers(cluster))


def old_proxies(cluster: Cluster) -> None:
    """The new control plane injects the image of the old proxies, as values that an upgrade has kept."""
    old, new = revisions(cluster)
    use_image(cluster, new, values_of(cluster, old)["global"]["tag"])


def new_proxies(cluster: Cluster) -> None:
    """Undo `old_proxies`."""
    _, new = revisions(cluster)
    body = cluster.get("v1", "ConfigMap", f"istio-sidecar-injector-{new}", "istio-system")
    assert body is not None
    use_image(cluster, new, body["metadata"]["annotations"][KEPT])


def out_by_registry(cluster: Cluster) -> None:
    """The old mesh lets only registered hosts through, and the new one all: its setting was lost."""
    set_outbound(cluster, revisions(cluster)[0], "REGISTRY_ONLY")


def out_to_all(cluster: Cluster) -> None:
    """Undo `out_by_registry`."""
    set_outbound(cluster, revisions(cluster)[0], "ALLOW_ANY")


def gateway_back(cluster: Cluster) -> None:
    """The gateways are put back to the old revision, as a tool does that was not asked: they are left behind."""
    moving.roll(cluster, require(cluster).namespaces[GATEWAYS], {REVISION_LABEL: OLD_TAG})


def other_root(cluster: Cluster) -> None:
    """The new control plane has another authority than the old one."""
    issuers.new_authority(cluster)
    use_authority(cluster, issuers.AUTHORITY)


def same_root(cluster: Cluster) -> None:
    """Undo `other_root`."""
    use_authority(cluster, "cacerts")
    issuers.remove_authority(cluster)


FAULTS: dict[str, Callable[[Cluster], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        policy_away,
        policy_of_old_revision,
        policy_of_all,
        strict_of_old_revision,
        strict_of_all,
        permissive,
        strict,
        tag_early,
        tag_back,
        injected_by_old,
        injected_by_new,
        filter_of_new,
        filter_away,
        keys_by_server,
        keys_lost,
        keys_back,
        gateway_back,
        old_proxies,
        new_proxies,
        out_by_registry,
        out_to_all,
        other_root,
        same_root,
    )
}


def servers(cluster: Cluster) -> str:
    return require(cluster).namespaces[SERVERS]


def revisions(cluster: Cluster) -> tuple[str, str]:
    """The names of both, the old one first: those of the control planes, as tags may lead elsewhere."""
    names = [str(one["metadata"]["labels"][REVISION_LABEL]) for one in istiods(cluster)]
    old, new = (next(name for name in names if name.endswith(f"-{tag}")) for tag in (OLD_TAG, NEW_TAG))
    return old, new


def istiods(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.objects("apps/v1", "Deployment", "istio-system", "app=istiod")


def label(cluster: Cluster, kind: str, name: str, revision: str | None) -> None:
    cluster.patch(SECURITY, kind, name, servers(cluster), {"metadata": {"labels": {REVISION_LABEL: revision}}})


def restart(cluster: Cluster, revision: str, **template: Any) -> None:
    """Let a control plane start again, and wait for it."""
    name, root = f"istiod-{revision}", "istio-system"
    stamp = {"annotations": {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat()}}
    cluster.patch("apps/v1", "Deployment", name, root, {"spec": {"template": {"metadata": stamp, **template}}})
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": root}}
    readiness.wait(cluster, body, time.monotonic() + START_S)


def use_authority(cluster: Cluster, secret: str) -> None:
    """Let the new control plane sign by the authority in a Secret (Istio's `cacerts`), and start again."""
    new = revisions(cluster)[1]
    (istiod,) = [one for one in istiods(cluster) if one["metadata"]["labels"][REVISION_LABEL] == new]
    volumes = istiod["spec"]["template"]["spec"]["volumes"]
    (own,) = [one for one in volumes if one["name"] == "cacerts"]
    own["secret"]["secretName"] = secret
    restart(cluster, new, spec={"volumes": volumes})


def values_of(cluster: Cluster, revision: str) -> dict[str, Any]:
    """What the injection of a revision is given."""
    body = cluster.get("v1", "ConfigMap", f"istio-sidecar-injector-{revision}", "istio-system")
    assert body is not None
    values: dict[str, Any] = json.loads(body["data"]["values"])
    return values


def use_image(cluster: Cluster, revision: str, tag: str) -> None:
    """Let a control plane inject proxies of this tag; the tag of before is kept as an annotation."""
    values = values_of(cluster, revision)
    was, values["global"]["tag"] = values["global"]["tag"], tag
    change = {"metadata": {"annotations": {KEPT: str(was)}}, "data": {"values": json.dumps(values)}}
    cluster.patch("v1", "ConfigMap", f"istio-sidecar-injector-{revision}", "istio-system", change)
    restart(cluster, revision)


def set_outbound(cluster: Cluster, revision: str, mode: str) -> None:
    body = cluster.get("v1", "ConfigMap", f"istio-{revision}", "istio-system")
    assert body is not None
    mesh = {**yaml.safe_load(body["data"]["mesh"]), "outboundTrafficPolicy": {"mode": mode}}
    cluster.patch("v1", "ConfigMap", f"istio-{revision}", "istio-system", {"data": {"mesh": yaml.safe_dump(mesh)}})


def set_mode(cluster: Cluster, mode: str) -> None:
    cluster.patch(SECURITY, "PeerAuthentication", "strict", servers(cluster), {"spec": {"mtls": {"mode": mode}}})


def lead(cluster: Cluster, name: str, revision: str) -> None:
    """As `istioctl tag set --overwrite` does it."""
    call(cluster, name, f"istiod-{revision}")
    cluster.patch(ADMISSION, HOOKS, name, "", {"metadata": {"labels": {REVISION_LABEL: revision}}})


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
