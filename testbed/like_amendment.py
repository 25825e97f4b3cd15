"""The start of the embedded cluster with the mesh of another one; see `testbed.like`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import yaml

from clients.model.errors import ClusterError
from testbed.amendment import Amended, Amendment
from testbed.like import REVISION, ROOT_NAMESPACE, Carried, merged
from testbed.mesh import FILE

_ISTIOD = "app=istiod"


class LikeAmendment(Amendment):
    """See `Amendment`.

    Attributes:
        refused: policies and tags that this version of the mesh did not accept, each with the reason; after a start.
    """

    def __init__(self, carried: Carried) -> None:
        self.carried = carried
        self.identity = carried.identity
        self.refused: list[str] = []

    def apply(self, cluster: Amended) -> None:
        """MeshConfig and istiod's variables, before istiod starts."""
        cluster.note("the mesh as in the file")
        installed = [one for one in yaml.safe_load_all((cluster.installed / "manifests" / FILE).read_text()) if one]
        cluster.api.apply(yaml.safe_dump_all(changed_objects(installed, self.carried)))
        if self.carried.variables:
            cluster.api.delete("replicasets,pods", ROOT_NAMESPACE, _ISTIOD)

    def finish(self, cluster: Amended) -> None:
        """Tags and policies, which istiod validates."""
        cluster.note("tags and policies as in the file")
        for tag in self.carried.tags:
            self._try(f"tag {tag}", cluster, lambda tag=tag: _tag(cluster, tag))
        for body in self.carried.policies:
            what = f"{body['kind']} {body['metadata']['name']}"
            self._try(what, cluster, lambda body=body: yaml.safe_dump(dict(body)))

    def _try(self, what: str, cluster: Amended, text: Any) -> None:
        try:
            cluster.api.apply(text())
        except ClusterError as error:
            self.refused.append(f"{what}: {error.message}")


def changed_objects(installed: list[dict[str, Any]], carried: Carried) -> Iterator[dict[str, Any]]:
    """The ConfigMap and the Deployment of istiod among the installed objects, with what is carried over.

    Raises:
        ClusterError: one of them is not there.
    """
    found = {one["kind"]: one for one in installed if (one["kind"], one["metadata"]["name"]) in _CHANGED}
    if len(found) != len(_CHANGED):
        raise ClusterError("the installed mesh has no ConfigMap istio and Deployment istiod", "see testbed/install")
    mesh, istiod = found["ConfigMap"], found["Deployment"]
    config = merged(yaml.safe_load(mesh["data"]["mesh"]), carried.mesh)
    yield {**mesh, "data": {**mesh["data"], "mesh": yaml.safe_dump(config)}}
    if carried.variables:
        container = istiod["spec"]["template"]["spec"]["containers"][0]
        own = [one for one in container["env"] if one["name"] not in carried.variables]
        container["env"] = [*own, *({"name": name, "value": value} for name, value in carried.variables.items())]
        yield istiod


_CHANGED = {("ConfigMap", "istio"), ("Deployment", "istiod")}


def _tag(cluster: Amended, tag: str) -> str:
    """The webhook of a tag that leads to the only control plane, as istioctl makes it."""
    program = cluster.parts.get(cluster.parts.program(cluster.parts.release.module)) / "istioctl"
    command = [str(program), "tag", "generate", tag, "--revision", REVISION, "--overwrite"]
    result = subprocess.run(
        [*command, "--kubeconfig", str(cluster.api.kubeconfig)], capture_output=True, text=True, timeout=60
    )
    if result.returncode:
        raise ClusterError(f"istioctl tag generate failed: {result.stderr.strip()[-200:]}")
    return result.stdout
