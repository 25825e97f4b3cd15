"""The node: a set of private namespaces with its own root file system, network and processes."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed import cgroups
from testbed.addresses import Link
from testbed.store import digest
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
class Programs:
    """Folders of the built parts that the node runs from."""

    root: Path
    kubernetes: Path
    calico: Path
    etcd: Path
    external: Path
    istio: Path


class Node:
    """One node, which is found by its state folder alone."""

    def __init__(self, state: Path) -> None:
        self.state = state
        name = digest([str(state.resolve())])
        self.cgroups = cgroups.Cgroups(f"meshproof-{name}")
        self.link_name = f"mp{name[:8]}"

    @property
    def _link_note(self) -> Path:
        return self.state / "link"

    def folder(self, name: str) -> Path:
        """A folder of the node's state, for instance `log`."""
        return self.state / name

    def pid(self) -> int | None:
        """The node's PID 1, or None when it does not run."""
        return cgroups.first_in_namespace(self.cgroups.processes())

    def prepare(self) -> None:
        """End and remove everything that an earlier node left, and create empty folders."""
        self.stop()
        for name in _FOLDERS:
            if name != "log":
                shutil.rmtree(self.folder(name), ignore_errors=True)
        shutil.rmtree(self.folder("log"), ignore_errors=True)
        for name in _FOLDERS:
            self.folder(name).mkdir(parents=True)

    def start(self, programs: Programs, link: Link, inner: str = "eth0") -> None:
        """Start the namespaces and every service that `etc/env` enables, with a link to this machine.

        Args:
            inner: name of the link in the node.

        Raises:
            ClusterError: the namespaces could not be created; the message has the node's last output.
        """
        self._connect(programs.root, self._run_namespaces(programs), link, inner)

    def start_behind(self, programs: Programs, first: Node, port: str) -> None:
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

    def _run_namespaces(self, programs: Programs) -> int:
        """Start the namespaces; returns their PID 1."""
        self.cgroups.create()
        folders = ":".join(str(folder) for folder in self.cgroups.folders)
        command = [
            "sh",
            str(HERE / "node" / "launch.sh"),
            folders,
            "sh",
            str(HERE / "node" / "enter.sh"),
            str(self.state),
        ]
        command += [str(path) for path in self._mounted(programs)]
        with (self.folder("log") / "node.log").open("w") as log:
            # a session of its own and no parent: the node outlives the process and the shell that started it
            subprocess.run(
                ["setsid", "--fork", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=True
            )
        deadline = time.monotonic() + 10
        while (pid := self.pid()) is None:
            failed = self.last_output() != "nothing" and not self.cgroups.processes()
            if failed or time.monotonic() > deadline:
                raise ClusterError(
                    f"the node's namespaces could not be made: {self.last_output()}", "see './meshproof doctor'"
                )
            time.sleep(0.005)
        return pid

    @staticmethod
    def _mounted(programs: Programs) -> tuple[Path, ...]:
        """The arguments of enter.sh, in its order."""
        return programs.root, programs.kubernetes, programs.calico, programs.etcd, programs.external, programs.istio

    def _connect(self, root: Path, pid: int, link: Link, inner: str) -> None:
        """The one link between this machine and the node, for the API server only.

        The second route is a fallback: when the node is gone, its address is unreachable, and this machine does not
        look for it in its own network.
        """
        self._link_note.write_text(f"{root} {link.network}")
        self._ip(root, "route", "replace", "unreachable", str(link.network), "metric", "4096")
        self._ip(root, "link", "add", self.link_name, "type", "veth", "peer", "name", inner, "netns", str(pid))
        self._ip(root, "address", "add", f"{link.host}/{link.network.prefixlen}", "dev", self.link_name)
        self._ip(root, "link", "set", self.link_name, "up")

    def _ip(self, root: Path, *words: str) -> None:
        """Run iproute2 from the node's root file system in this machine's network, as it need not be installed here."""
        result = subprocess.run(["chroot", str(root), "/usr/sbin/ip", *words], capture_output=True, text=True)
        if result.returncode:
            raise ClusterError(
                f"ip {' '.join(words)}: {result.stderr.strip()}; the node printed: {self.last_output()}",
                "see './meshproof doctor'",
            )

    def api_is_ready(self) -> None:
        """Release the services that wait for the API server; earlier they would only fail and restart."""
        (self.folder("etc") / "api-ready").touch()

    def gone(self) -> str | None:
        """The node's last output if it has ended; None while it runs."""
        return None if self.pid() else self.last_output()

    def last_output(self) -> str:
        """The last lines of the node's own log."""
        log = self.folder("log") / "node.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return " | ".join(lines[-5:]) or "nothing"

    def run(self, command: Sequence[str], *, timeout_s: float = 120, data: str | None = None) -> str:
        """Run a command inside the node; returns its output.

        Raises:
            ClusterError: the node does not run, or the command failed.
        """
        pid = self.pid()
        if pid is None:
            raise ClusterError("the node does not run", "start it with './meshproof up'")
        words = [
            "nsenter",
            "--target",
            str(pid),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--cgroup",
            "--root",
            "--wd",
            "--",
        ]
        result = subprocess.run([*words, *command], capture_output=True, text=True, timeout=timeout_s, input=data)
        if result.returncode:
            raise ClusterError(f"{command[0]} in the node failed: {(result.stderr or result.stdout).strip()[-400:]}")
        return result.stdout

    def stop(self) -> None:
        """End every process of the node, and with them its mounts and interfaces. Does nothing if it does not run."""
        self.cgroups.end()
        if self._link_note.exists():
            # the kernel removes a network namespace some seconds later: do not wait with the link until then
            root, network = self._link_note.read_text().split()
            for words in (
                ["link", "delete", self.link_name],
                ["route", "delete", "unreachable", network, "metric", "4096"],
            ):
                subprocess.run(["chroot", root, "/usr/sbin/ip", *words], capture_output=True)
            self._link_note.unlink()
