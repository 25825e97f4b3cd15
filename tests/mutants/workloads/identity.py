"""An identity that may do what a run needs, and the mutant that takes exec away from it during a run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import yaml

from clients.kube.cluster import Cluster
from clients.model.errors import ClusterError
from clients.model.polling import poll
from clients.proof.rig.rig import Rig
from runner.config import rbac
from runner.config.settings import ROOT
from tests.mutants import outside
from tests.mutants.entry import LOST, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object
from tests.mutants.places import STRICT

NAME, NAMESPACE = rbac.NAME, rbac.NAME
_RBAC = "rbac.authorization.k8s.io/v1"
_EXEC = "pods/exec"


def _objects(*, mesh_wide: bool) -> list[Object]:
    """The file that a user applies by kubectl."""
    text = (ROOT / rbac.file_for(mesh_wide=mesh_wide)).read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


@contextmanager
def restricted(cluster: Cluster, folder: Path, *, mesh_wide: bool = False) -> Iterator[Path]:
    """A kubeconfig of the account in `deploy/rbac/`, which may do what that file allows and nothing else."""
    objects = _objects(mesh_wide=mesh_wide)
    try:
        for body in objects:
            cluster.apply(body, manager="e2e")
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token"
        token = cluster.api.json("POST", path, body=request)["status"]["token"]
        kubeconfig = _kubeconfig(cluster, folder / "kubeconfig", token)
        assert poll(partial(_confined, Cluster.connect(kubeconfig)), time.monotonic() + 60)
        yield kubeconfig
    finally:
        for body in reversed(objects):
            meta = body["metadata"]
            cluster.delete(body["apiVersion"], body["kind"], meta["name"], meta.get("namespace", ""))
        deadline = time.monotonic() + 60
        assert poll(lambda: cluster.get("v1", "Namespace", NAMESPACE) is None, deadline)


def _confined(account: Cluster) -> bool:
    """Whether the admission policy is in force: the API server needs a second for that. Changes nothing."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "of-others"}}
    try:
        account.apply(body, manager="e2e", dry_run=True)
    except ClusterError as error:
        return "own runs only" in error.message
    return False


def _kubeconfig(cluster: Cluster, path: Path, token: str) -> Path:
    authority = cluster.api.configuration.ssl_ca_cert
    where = {"server": cluster.server, "certificate-authority": str(authority)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": where}],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))
    return path


@mutant(
    "exec-forbidden",
    Area.LIES,
    STRICT,
    cases("LAB-NSMTLS-02 03 04", LOST),
    {"LAB-NSMTLS-02": "orbidden", "LAB-NSMTLS-03": "orbidden"},
    restricted=True,
)
class ExecForbidden(Mutant):
    """During the run the identity loses its right to exec, and its open shells end."""

    def __init__(self) -> None:
        self._forbidden = False

    def entered(self, rig: Rig) -> None:
        cluster = outside.administrator()
        self._forbidden = True
        _grant_exec(cluster, granted=False)
        namespaces = [rig.overlay.namespace(name) for name in ("mtls-client", "legacy-client")]
        outside.wait(
            "the API server to refuse exec",
            lambda: not any(rig.cluster.can_i("create", "pods", one, subresource="exec") for one in namespaces),
        )
        for namespace in namespaces:
            for pod in cluster.objects("v1", "Pod", namespace, "app=sleep"):
                for pid in outside.pids(pod["metadata"]["uid"], "sh"):
                    os.kill(pid, signal.SIGKILL)

    def undo(self) -> None:
        if self._forbidden:
            _grant_exec(outside.administrator(), granted=True)
        self._forbidden = False


def _grant_exec(cluster: Cluster, *, granted: bool) -> None:
    """The role with exec, or without it."""
    [role] = [body for body in _objects(mesh_wide=False) if body["kind"] == "ClusterRole"]
    rules = [rule for rule in role["rules"] if granted or _EXEC not in rule["resources"]]
    cluster.patch(_RBAC, "ClusterRole", NAME, "", {"rules": rules})
