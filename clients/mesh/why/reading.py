"""The view of a cluster: what this identity may read of policies, pods and Services."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from clients.kube.cluster import Cluster
from clients.kube.fields import labels_of
from clients.kube.labels import REVISION_LABEL
from clients.mesh.survey.survey import ROOT_NAMESPACE
from clients.mesh.why.network_objects import NETWORK
from clients.mesh.why.objects import POLICY_KINDS, Json
from clients.mesh.why.view import PolicyView, view_of
from clients.model.api_groups import NETWORKING_V1, SECURITY_V1
from clients.model.errors import AccessError, ClusterError

KINDS = {
    **dict.fromkeys(POLICY_KINDS, SECURITY_V1),
    "DestinationRule": NETWORKING_V1,
    "ServiceEntry": NETWORKING_V1,
    NETWORK: "networking.k8s.io/v1",
    "Service": "v1",
    "Pod": "v1",
}
_OF_THE_ROOT = frozenset({*POLICY_KINDS, "DestinationRule", "ServiceEntry"})
"""Kinds of which those in the root namespace apply elsewhere."""
_TAG_LABEL = "istio.io/tag"
_WEBHOOK = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")


def read(cluster: Cluster, namespaces: Iterable[str], root: str = ROOT_NAMESPACE) -> PolicyView:
    """The view of some namespaces, and of the policies of the whole mesh. What may not be read is not known.

    Never raises for a cluster that refuses or does not answer.
    """
    places = sorted({*namespaces, root})
    objects: list[Json] = []
    known = set()
    for kind, api_version in KINDS.items():
        try:
            here = places if kind in _OF_THE_ROOT else [place for place in places if place != root]
            objects += [_of(body, kind) for place in here for body in cluster.objects(api_version, kind, place)]
        except ClusterError:
            continue
        known.add(kind)
    return view_of(objects, known=known, revisions=_revisions(cluster), root=root)


def read_all(cluster: Cluster, root: str = ROOT_NAMESPACE) -> tuple[PolicyView, list[str]]:
    """The view of all namespaces, and what of it could not be read, in words.

    A kind that may not be listed in all namespaces at once is listed in each; where that fails too, it is not known.
    """
    objects: list[Json] = []
    known, refused = set(), []
    for kind, api_version in KINDS.items():
        try:
            objects += [_of(body, kind) for body in cluster.objects(api_version, kind)]
        except AccessError as error:
            found = _in_each(cluster, api_version, kind)
            objects += found
            where = f"only {len({body['metadata']['namespace'] for body in found})} namespaces" if found else "not read"
            refused.append(f"{kind}: {where}: {error.message}")
        except ClusterError as error:
            refused.append(f"{kind}: not read: {error.message}")
        else:
            known.add(kind)
    return view_of(objects, known=known, revisions=_revisions(cluster), root=root), refused


def _in_each(cluster: Cluster, api_version: str, kind: str) -> list[Json]:
    """The objects of a kind in those namespaces in which this identity may list them."""
    found: list[Json] = []
    try:
        namespaces = [body["metadata"]["name"] for body in cluster.objects("v1", "Namespace")]
    except ClusterError:
        return found
    for namespace in namespaces:
        with suppress(ClusterError):
            found += [_of(body, kind) for body in cluster.objects(api_version, kind, namespace)]
    return found


def _of(body: Json, kind: str) -> Json:
    """The object with its kind, which the API server leaves out of the items of a list."""
    return {"kind": kind, **body}


def _revisions(cluster: Cluster) -> dict[str, str] | None:
    """Names of revisions, tags too → revision, by the injection webhooks; None where they may not be read."""
    try:
        hooks = cluster.objects(*_WEBHOOK, labels="app=sidecar-injector")
    except ClusterError:
        return None
    found: dict[str, str] = {}
    for hook in hooks:
        labels = labels_of(hook)
        if revision := labels.get(REVISION_LABEL):
            found |= {revision: revision} | ({tag: revision} if (tag := labels.get(_TAG_LABEL)) else {})
    return found
