"""An identity that may do what a run needs, and the mutant that takes exec away from it in the midst of one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from clients.kube.cluster import Cluster
from clients.proof.world import World
from tests.mutants import outside
from tests.mutants.mutant import Mutant, Object

NAME = "conformance-tester"
EXEC = f"{NAME}-exec"
NAMESPACE = "default"
_RBAC = "rbac.authorization.k8s.io"
_ALL = ["get", "list", "watch", "create", "update", "patch", "delete"]
_RULES = [
    {"apiGroups": [""], "resources": ["namespaces", "serviceaccounts", "services"], "verbs": _ALL},
    {"apiGroups": [""], "resources": ["pods", "pods/log", "events", "configmaps"], "verbs": ["get", "list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": _ALL},
    {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get", "list"]},
    {"apiGroups": ["security.istio.io", "networking.istio.io"], "resources": ["*"], "verbs": _ALL},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": _ALL},
    {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["mutatingwebhookconfigurations"],
        "verbs": ["get", "list"],
    },
]
_EXEC_RULES = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}]


def _binding(role: str) -> Object:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def _objects() -> list[Object]:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}}
    roles: list[Object] = [
        {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
        for name, rules in ((NAME, _RULES), (EXEC, _EXEC_RULES))
    ]
    return [account, *roles, _binding(NAME), _binding(EXEC)]


@contextmanager
def restricted(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """A kubeconfig of a service account with the rights that a namespaced run needs, exec apart from the others."""
    try:
        for body in _objects():
            cluster.create(body)
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token"
        token = cluster.api.json("POST", path, body=request)["status"]["token"]
        yield _kubeconfig(cluster, folder / "kubeconfig", token)
    finally:
        for body in reversed(_objects()):
            meta = body["metadata"]
            cluster.delete(body["apiVersion"], body["kind"], meta["name"], meta.get("namespace", ""))


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


class ExecForbidden(Mutant):
    """In the midst of the run the identity loses its right to exec, and the shells that it has open end."""

    def __init__(self) -> None:
        self._forbidden = False

    def entered(self, world: World) -> None:
        cluster = outside.administrator()
        self._forbidden = True
        cluster.delete(f"{_RBAC}/v1", "ClusterRoleBinding", EXEC)
        namespaces = [world.overlay.namespace(name) for name in ("mtls-client", "legacy-client")]
        outside.wait(
            "the API server to refuse exec",
            lambda: not any(world.cluster.can_i("create", "pods", one, subresource="exec") for one in namespaces),
        )
        for namespace in namespaces:
            for pod in cluster.objects("v1", "Pod", namespace, "app=sleep"):
                for pid in outside.pids(pod["metadata"]["uid"], "sh"):
                    os.kill(pid, signal.SIGKILL)

    def undo(self) -> None:
        if self._forbidden:
            outside.administrator().create(_binding(EXEC))
        self._forbidden = False
