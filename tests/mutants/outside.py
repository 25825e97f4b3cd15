"""The mesh from outside of the run: the testbed's administrator, and the processes of the node."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from clients.kube.api import RequestError
from clients.kube.cluster import Cluster
from clients.model.polling import poll
from testbed import api
from testbed.profiles import manager, table

PATIENCE_S = 60.0
SPREAD_S = 3.0
"""All stale answers come within a second of a change (docs/convergence.md)."""
PROFILE = "MUTANTS_ON_PROFILE"
"""Variable of the environment: the profile that the run is against, instead of the testbed."""


_FIREWALL = ("ip", "meshproof_external")


class Firewall:
    """The rules by which the testbed's node lets only gateways reach the external hosts."""

    def __init__(self) -> None:
        self._rules = ""

    def take_down(self) -> None:
        """Let every pod reach them."""
        if not self._rules:
            self._save()
            api.run_in_node("nft", "delete", "table", *_FIREWALL)

    def let_through(self, *condition: str) -> None:
        """Let every pod reach them by what meets a condition of nft(8): `tcp dport 8080`."""
        if not self._rules:
            self._save()
            api.run_in_node("nft", "insert", "rule", *_FIREWALL, "forward", *condition, "accept")

    def restore(self) -> None:
        """Undo it; nothing where nothing was done."""
        if self._rules:
            table = "table " + " ".join(_FIREWALL)  # declared first: only what is there can be deleted
            rules = f"{table} {{ }}\ndelete {table}\n{self._rules}"
            api.run_in_node("sh", "-c", f"nft -f - <<'RULES'\n{rules}\nRULES\n")
        self._rules = ""

    def _save(self) -> None:
        self._rules = api.run_in_node("nft", "list", "table", *_FIREWALL)


def administrator() -> Cluster:
    """A connection with the rights of the testbed's own kubeconfig, whatever the run's identity may do."""
    if name := os.environ.get(PROFILE):
        return Cluster.connect(Path(manager.status(name).detail["administrator's kubeconfig"]))
    return Cluster.connect(Path(api.status().detail["kubeconfig"]))


def _processes() -> set[int]:
    """Of the cluster, as this machine numbers them."""
    if name := os.environ.get(PROFILE):
        return table.of(name).processes(manager.folder_of(name))
    return set(api.processes())


def wait(what: str, done: Callable[[], bool]) -> None:
    """Wait until `done` is true; a mutant that cannot be made is an error, not a verdict."""
    if not poll(done, time.monotonic() + PATIENCE_S):
        raise TimeoutError(f"the mutant waited {PATIENCE_S:g} s without success for: {what}")


def set_replicas(cluster: Cluster, namespace: str, deployment: str, replicas: int) -> None:
    """Scale, and wait until exactly this number of pods exists, all ready."""
    cluster.patch("apps/v1", "Deployment", deployment, namespace, {"spec": {"replicas": replicas}})
    found = cluster.get("apps/v1", "Deployment", deployment, namespace)
    assert found is not None
    labels = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"]["matchLabels"].items())
    if not replicas:
        _hurry(cluster, namespace, labels)

    def scaled() -> bool:
        pods = cluster.pods(namespace, labels)
        return len(pods) == replicas and all(pod.ready for pod in pods)

    wait(f"{replicas} pods of {namespace}/{deployment}", scaled)


def _hurry(cluster: Cluster, namespace: str, labels: str) -> None:
    """Give pods that are ending one second. (With none, they would leave the API before they have ended.)"""

    def going() -> bool:
        return all("deletionTimestamp" in pod["metadata"] for pod in cluster.objects("v1", "Pod", namespace, labels))

    wait(f"the pods in {namespace} to go", going)
    for pod in cluster.pods(namespace, labels):
        path = f"/api/v1/namespaces/{namespace}/pods/{pod.name}"
        with suppress(RequestError):  # gone meanwhile
            cluster.api.json("DELETE", path, body={"gracePeriodSeconds": 1})


def pids(uid: str, name: str) -> list[int]:
    """Processes of one name in the pod of this uid, as this machine numbers them."""
    found = []
    for pid in _processes():
        proc = Path(f"/proc/{pid}")
        try:
            groups, command = (proc / "cgroup").read_text(), (proc / "comm").read_text().strip()
        except OSError:
            continue
        if command == name and (uid in groups or uid.replace("-", "_") in groups):
            found.append(pid)
    return found
