"""The node: a set of private namespaces with its own root file system, network and processes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed.addresses import Link
from testbed.enclosure import ENTER, Enclosure
from testbed.versions import HERE

SERVICES = (
    "etcd",
    "kube-apiserver",
    "containerd",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "calico-felix",
    "external",
    "load-balancer",
)
"""Services of the first node."""
FURTHER_SERVICES = ("containerd", "kubelet", "kube-proxy", "calico-felix")
"""Services of every further node."""
_FOLDERS = ("root", "upper", "work", "etcd", "containerd", "kubelet", "etc", "log")


@dataclass(frozen=True)
class NodePrograms:
    """Folders of the built parts that the node runs from."""

    root: Path
    kubernetes: Path
    calico: Path
    etcd: Path
    external: Path
    istio: Path


class Node(Enclosure):
    """One node, which is found by its state folder alone."""

    noun = "node"

    def prepare(self) -> None:
        """End and remove everything that an earlier node left, and create empty folders."""
        self.stop()
        for name in _FOLDERS:
            if name != "log":
                shutil.rmtree(self.folder(name), ignore_errors=True)
        shutil.rmtree(self.folder("log"), ignore_errors=True)
        for name in _FOLDERS:
            self.folder(name).mkdir(parents=True)

    def start(self, programs: NodePrograms, link: Link, inner: str = "eth0") -> None:
        """Start the namespaces and every service that `etc/env` enables, with a link to this machine.

        Args:
            inner: name of the link in the node.

        Raises:
            ClusterError: the namespaces could not be created; the message has the node's last output.
        """
        pid = self._run_namespaces(programs)
        self._link(programs.root, pid, link, f"{link.host}/{link.network.prefixlen}", inner)

    def start_behind(self, programs: NodePrograms, first: Node, port: str) -> None:
        """Start the namespaces as `start` does, with a link to the network that is on the first node.

        Args:
            port: name of the other end of the link, in that network.
        """
        pid, there = self._run_namespaces(programs), first.pid()
        self._ip(
            programs.root,
            *("link", "add", "eth0", "netns", str(pid), "type", "veth"),
            *("peer", "name", port, "netns", str(there)),
        )
        script = f"ip link set {port} netns network && ip -netns network link set {port} master nodes0 up"
        first.run(["sh", "-c", script])

    def _run_namespaces(self, programs: NodePrograms) -> int:
        """Start the namespaces; returns their PID 1."""
        self.cgroups.create()
        return self._launch(HERE / "node" / "enter.sh", self._mounted(programs))

    @staticmethod
    def _mounted(programs: NodePrograms) -> tuple[Path, ...]:
        """The arguments of enter.sh, in its order."""
        return programs.root, programs.kubernetes, programs.calico, programs.etcd, programs.external, programs.istio

    def api_is_ready(self) -> None:
        """Release the services that wait for the API server; earlier they would only fail and restart."""
        (self.folder("etc") / "api-ready").touch()

    def run(self, command: Sequence[str], *, timeout_s: float = 120, data: str | None = None) -> str:
        """Run a command inside the node; returns its output.

        Raises:
            ClusterError: the node does not run, or the command failed.
        """
        pid = self.pid()
        if pid is None:
            raise ClusterError("the node does not run", "start it with './meshproof up'")
        words = ["nsenter", "--target", str(pid), *ENTER]
        result = subprocess.run([*words, *command], capture_output=True, text=True, timeout=timeout_s, input=data)
        if result.returncode:
            raise ClusterError(f"{command[0]} in the node failed: {(result.stderr or result.stdout).strip()[-400:]}")
        return result.stdout
