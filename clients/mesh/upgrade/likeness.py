"""What of a cluster's mesh a rehearsal starts with: MeshConfig, variables of istiod, revisions, root policies.

Reads only; secrets are redacted. `testbed.like` reads what is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import kind_and_name, labels_of, spec_of
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.mesh.survey import injection
from clients.mesh.survey.recorded import variables
from clients.mesh.survey.survey import Survey
from clients.mesh.upgrade.view import KINDS
from clients.model.errors import ClusterError
from clients.model.redact import REDACTED
from clients.model.redact_settings import redact_settings

SCHEMA = "meshproof/like/v1"
POLICIES = ("PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication", "Sidecar", "DestinationRule",
            "Telemetry", "EnvoyFilter", "ProxyConfig")  # fmt: skip
"""Kinds whose objects in the root namespace may reach the whole mesh."""
_OF_THE_POD = ("from fieldRef", "from resourceFieldRef")
"""Values that say where istiod runs, and not how it is set."""
_OWN = "meshproof-"
"""Begins the names of what the embedded cluster has in its own root namespace."""
_KEPT_ANNOTATIONS = ("istio.io/", "sidecar.istio.io/", "proxy.istio.io/")


@dataclass(frozen=True)
class Likeness:
    """What the file says.

    Attributes:
        of: which mesh it was read from: `kubernetes`, `version`, `flavour`.
        mesh: MeshConfig of the revision.
        istiod: its variables.
        revision: name of the revision.
        tags: further names by which namespaces ask for it.
        others: the other revisions that inject.
        policies: objects of the root namespace.
        not_read: what is missing here, in words.
    """

    of: Mapping[str, str] = field(default_factory=dict)
    mesh: Mapping[str, Any] = field(default_factory=dict)
    istiod: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    tags: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    not_read: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the file."""
        return {
            "schema": SCHEMA,
            "of": dict(self.of),
            "revision": {"name": self.revision, "tags": list(self.tags), "others": list(self.others)},
            "meshConfig": dict(self.mesh),
            "istiod": dict(self.istiod),
            "policies": list(self.policies),
            "notRead": list(self.not_read),
        }


def read(cluster: Cluster, survey: Survey) -> Likeness:
    """Look at a cluster, for the revision of a survey.

    Raises:
        ClusterError: there is no mesh. AccessError: the webhooks may not be read.
        SettingsError: there is no such revision, or it is not clear which one to use.
    """
    if not survey.injects:
        raise ClusterError("no service mesh was found on the cluster", "name the cluster by --context")
    missing: list[str] = []
    mesh: dict[str, Any] = {}
    for part in survey.configurations:
        mesh |= redact_settings(part)
    if not survey.configurations:
        missing.append("MeshConfig: no ConfigMap of the revision can be read")
    found = {name: value for istiod in survey.istiods for name, value in variables(istiod).items()}
    if not survey.istiods:
        missing.append("istiod: its Deployment is not seen, so that its variables are not known")
    found = {name: value for name, value in found.items() if not value.startswith(_OF_THE_POD)}
    hidden = {name for name, value in found.items() if value == REDACTED or value.startswith("from ")}
    missing += [f"istiod {name}: its value is not in the Deployment, or is secret" for name in sorted(hidden)]
    policies = list(_policies(cluster, survey.root, missing))
    missing += [f"{kind_and_name(one)}: a part is secret, and redacted" for one in policies if REDACTED in str(one)]
    missing += ["MeshConfig: a part is secret, and redacted"] if REDACTED in str(mesh) else []
    chosen = survey.revision.name
    tags = injection.tags(survey.injectors)
    return Likeness(
        of={"kubernetes": cluster.server_version, "version": survey.version, "flavour": survey.flavour.value},
        mesh=mesh,
        istiod={name: value for name, value in found.items() if name not in hidden},
        revision=chosen,
        tags=tuple(sorted(tag for tag, revision in tags.items() if revision == chosen)),
        others=tuple(one for one in injection.revisions(survey.injectors) if one != chosen),
        policies=tuple(policies),
        not_read=tuple(missing),
    )


def _policies(cluster: Cluster, root: str, missing: list[str]) -> Iterator[dict[str, Any]]:
    own = {MANAGED_BY_LABEL: MANAGER}
    for kind in POLICIES:
        api_version, _ = KINDS[kind]
        try:
            listed = cluster.objects(api_version, kind, root) if cluster.has_kind(api_version, kind) else []
        except ClusterError as error:
            missing.append(f"{kind} of {root}: {error.message}")
            continue
        for body in listed:
            ours = own.items() <= labels_of(body).items()
            if not ours and not body["metadata"]["name"].startswith(_OWN):
                yield _plain(body, api_version, kind)


def _plain(body: Mapping[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    """The object without what a server or a tool of deployment adds, and a filter without what it does.

    A filter is never carried over, and its programs and their settings may hold secrets in any form.
    """
    meta = body["metadata"]
    kept = {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "labels": {key: value for key, value in (meta.get("labels") or {}).items() if key.startswith("istio.io/")},
        "annotations": {
            key: value for key, value in (meta.get("annotations") or {}).items() if key.startswith(_KEPT_ANNOTATIONS)
        },
    }
    metadata = {key: value for key, value in kept.items() if value}
    plain: dict[str, Any] = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    if kind != "EnvoyFilter":
        plain["spec"] = redact_settings(spec_of(body))
    return plain
