"""Calls for the start of a cluster: readiness, apply, and what is still missing. Uses the cluster's own kubectl."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from clients.model.errors import ClusterError

CORE = (("istio-system", "istiod"), ("kube-system", "coredns"))
"""(namespace, name) of the Deployments without which there is no mesh."""

_AT_ONCE = ("--cascade=background", "--force", "--grace-period=0", "--wait=false")


@dataclass(frozen=True)
class ApiServer:
    """The API server of a running node.

    Attributes:
        kubeconfig: that of the administrator.
        kubectl: program of the same version as the server.
        work: private folder for certificates and kubectl's cache.
        alive: gives the reason why the node has ended, or None while it runs; called during waits.
    """

    kubeconfig: Path
    kubectl: Path
    work: Path
    alive: Callable[[], str | None] = lambda: None

    def session(self) -> tuple[requests.Session, str]:
        """An HTTP session with the administrator's certificate, and the server's address."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.work.mkdir(parents=True, exist_ok=True)
        files = {}
        for name, data in (
            ("ca", cluster["certificate-authority-data"]),
            ("crt", user["client-certificate-data"]),
            ("key", user["client-key-data"]),
        ):
            files[name] = self.work / f"administrator.{name}"
            files[name].touch(mode=0o600)
            files[name].write_bytes(base64.b64decode(data))
        session = requests.Session()
        session.trust_env = False
        session.verify = str(files["ca"])
        session.cert = (str(files["crt"]), str(files["key"]))
        return session, cluster["server"]

    def wait(self, what: str, question: Callable[[requests.Session, str], str | None], timeout_s: float) -> None:
        """Call `question` every 50 ms until it returns no complaint.

        Raises:
            ClusterError: there is still one after `timeout_s`; the message has the last complaint.
        """
        session, server = self.session()
        deadline, complaint = time.monotonic() + timeout_s, "no answer yet"
        while time.monotonic() < deadline:
            if gone := self.alive():
                raise ClusterError(f"{what}: the node ended: {gone}", "see './meshproof logs node'")
            try:
                answer = question(session, server)
            except (requests.RequestException, ValueError, KeyError) as error:
                answer = f"{type(error).__name__}: {error}"
            if answer is None:
                return
            complaint = answer
            time.sleep(0.05)
        raise ClusterError(f"{what} took longer than {timeout_s:.0f} s: {complaint[-300:]}", "see './meshproof logs'")

    def apply(self, text: str, *extra: str) -> None:
        """Server-side apply of YAML documents.

        Raises:
            ClusterError: the server refused one.
        """
        self._kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", *extra, text=text)

    def delete(self, resources: str, namespace: str, selector: str) -> None:
        """Delete the objects that have these labels at once: no controller and no kubelet is asked.

        Args:
            resources: names of kinds with commas between them.
        """
        where = ("--namespace", namespace, "--selector", selector) if namespace else ("--selector", selector)
        self._kubectl("delete", resources, *where, *_AT_ONCE)

    def delete_objects(self, text: str) -> None:
        """Delete the objects of YAML documents, as `delete` does; those that are not there are no error."""
        self._kubectl("delete", "--filename", "-", "--ignore-not-found", *_AT_ONCE, text=text)

    def _kubectl(self, *words: str, text: str = "") -> None:
        command = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.work / "cache")]
        result = subprocess.run([*command, *words], input=text, capture_output=True, text=True, timeout=120)
        if result.returncode:
            raise ClusterError(f"the testbed's API server refused a manifest: {result.stderr.strip()[-400:]}")


def publish_authority(authority: bytes) -> Callable[[requests.Session, str], str | None]:
    """Publish the cluster's authority to the first pods at once; for all namespaces, controllers do so later."""

    def question(session: requests.Session, server: str) -> str | None:
        for namespace in dict.fromkeys(namespace for namespace, _ in CORE):
            body = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": authority.decode()}}
            answer = session.post(f"{server}/api/v1/namespaces/{namespace}/configmaps", json=body, timeout=5)
            if answer.status_code not in (201, 409):
                return answer.text[:200]
        return None

    return question


def ready(session: requests.Session, server: str) -> str | None:
    """The API server reports that it is ready."""
    answer = session.get(f"{server}/readyz", timeout=2)
    if answer.status_code == 200:
        return None
    failed = [line for line in answer.text.splitlines() if not line.startswith("[+]")]
    return "; ".join(failed)[:200]


def nodes_ready(number: int) -> Callable[[requests.Session, str], str | None]:
    """So many nodes are Ready."""

    def question(session: requests.Session, server: str) -> str | None:
        nodes = session.get(f"{server}/api/v1/nodes", timeout=5).json()["items"]
        conditions = [(node, one) for node in nodes for one in node["status"].get("conditions", [])]
        ready = [(node, one) for node, one in conditions if one["type"] == "Ready"]
        for node, condition in ready:
            if condition["status"] != "True":
                return f"node {node['metadata']['name']}: {condition.get('message', '')}"
        return None if len(ready) == number else f"{len(ready)} of {number} nodes have registered"

    return question


def deployments_available(wanted: Sequence[tuple[str, str]]) -> Callable[[requests.Session, str], str | None]:
    """All of (namespace, name) are Available."""

    def question(session: requests.Session, server: str) -> str | None:
        for namespace, name in wanted:
            answer = session.get(f"{server}/apis/apps/v1/namespaces/{namespace}/deployments/{name}", timeout=5)
            if answer.status_code >= 300:
                return f"{namespace}/{name}: {answer.json().get('message', answer.text)[:200]}"
            status: dict[str, Any] = answer.json().get("status", {})
            if status.get("availableReplicas", 0) < 1:
                return f"{namespace}/{name} has no available replica{_why(session, server, namespace, name)}"
        return None

    return question


def _why(session: requests.Session, server: str, namespace: str, name: str) -> str:
    pods = session.get(f"{server}/api/v1/namespaces/{namespace}/pods", timeout=5).json()["items"]
    for pod in pods:
        if pod["metadata"]["name"].startswith(name):
            for container in pod["status"].get("containerStatuses", []):
                if waiting := container["state"].get("waiting"):
                    return f": {waiting.get('reason', '')} {waiting.get('message', '')}"
            return f": pod is {pod['status'].get('phase')}"
    return ": no pod yet"


def injects(labels: Mapping[str, str]) -> Callable[[requests.Session, str], str | None]:
    """A pod with these labels would get a sidecar (a dry run: nothing is created)."""
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "injection-probe", "labels": dict(labels)},
        "spec": {
            # as every Pod Security level wants it
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "probe", "image": "registry.meshproof.test/none", "securityContext": confined}],
        },
    }

    def question(session: requests.Session, server: str) -> str | None:
        answer = session.post(f"{server}/api/v1/namespaces/default/pods?dryRun=All", json=pod, timeout=5)
        if answer.status_code >= 300:
            return f"injection: {answer.json().get('message', answer.text)[:300]}"
        spec = answer.json()["spec"]
        names = [container["name"] for container in [*spec["containers"], *spec.get("initContainers", [])]]
        return None if "istio-proxy" in names else "injection: a pod got no sidecar yet"

    return question
