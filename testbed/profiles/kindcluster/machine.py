"""The machine on which kind runs: private namespaces with podman in them, of which nothing is left when they end."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed import cgroups
from testbed.addresses import Link
from testbed.store import digest
from testbed.versions import HERE

FILES = Path(__file__).parent / "files" / "machine"
_FOLDERS = ("root", "upper", "work", "containers", "etc", "log")
NODE_WEIGHT = 8
"""Times the usual share of processor time: each of three nodes starts several programs at once."""
_PATH = "/opt/kind:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Programs:
    """Folders of the built parts that the machine runs from."""

    root: Path
    kind: Path
    store: Path
    external: Path


class Machine:
    """One machine, which is found by its state folder alone.

    Its link has two halves: the lower one connects this machine with it, the upper one is the network of the nodes,
    which this machine reaches through it, as it would reach those of a kind cluster of its own.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        name = digest(["kind", str(state.resolve())])
        self.cgroups = cgroups.Cgroups(f"meshproof-{name}")
        self.link_name = f"mp{name[:8]}"

    @property
    def _link_note(self) -> Path:
        return self.state / "link"

    def folder(self, name: str) -> Path:
        """A folder of the machine's state, for instance `log`."""
        return self.state / name

    def pid(self) -> int | None:
        """Its PID 1, or None when it does not run."""
        return cgroups.first_in_namespace(self.cgroups.processes())

    def prepare(self) -> None:
        """End and remove everything that an earlier machine left, and create empty folders."""
        self.stop()
        shutil.rmtree(self.folder("log"), ignore_errors=True)
        for name in _FOLDERS:
            self.folder(name).mkdir(parents=True)

    def start(self, programs: Programs, link: Link) -> None:
        """Start the namespaces and podman's settings in them.

        Raises:
            ClusterError: they could not be created; the message has the last output.
        """
        self.cgroups.create()
        self._weigh()
        groups = ":".join(str(folder) for folder in self.cgroups.folders)
        command = ["sh", str(HERE / "node" / "launch.sh"), groups, "sh", str(FILES / "enter.sh"), str(self.state)]
        command += [str(path) for path in (programs.root, programs.kind, programs.store, programs.external)]
        with (self.folder("log") / "machine.log").open("w") as log:
            # a session of its own and no parent: the machine outlives the process and the shell that started it
            subprocess.run(
                ["setsid", "--fork", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=True
            )
        self._wait("namespaces", lambda: self.pid() is not None)
        self._connect(programs.root, link)
        self._wait("network", (self.folder("etc") / "network-ready").exists)

    def _weigh(self) -> None:
        """Let it have the processor time of as many programs as it has nodes, where others want it too.

        A group counts as one program of this machine (cgroups(7)): three starved nodes lose their leases.
        """
        for folder in self.cgroups.folders:
            for name, weight in (("cpu.shares", 1024 * NODE_WEIGHT), ("cpu.weight", 100 * NODE_WEIGHT)):
                if (folder / name).exists():
                    (folder / name).write_text(str(weight))

    def _wait(self, what: str, done: Callable[[], bool], timeout_s: float = 10) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            ended = self.last_output() != "nothing" and not self.cgroups.processes()
            if ended or time.monotonic() > deadline:
                hint = "see './meshproof doctor'"
                raise ClusterError(f"the machine for kind has no {what}: {self.last_output()}", hint)
            time.sleep(0.01)

    def _connect(self, root: Path, link: Link) -> None:
        """The one link between this machine and that one.

        The last route is a fallback: when the machine is gone, its addresses are unreachable, and this machine does not
        look for them in its own network.
        """
        self._link_note.write_text(f"{root} {link.network}")
        half = f"{link.host}/{link.network.prefixlen + 1}"
        for words in (
            ["route", "replace", "unreachable", str(link.network), "metric", "4096"],
            ["link", "add", self.link_name, "type", "veth", "peer", "name", "eth0", "netns", str(self.pid())],
            ["address", "add", half, "dev", self.link_name],
            ["link", "set", self.link_name, "up"],
            ["route", "add", str(link.balancers), "via", link.node],
        ):
            result = subprocess.run(["chroot", str(root), "/usr/sbin/ip", *words], capture_output=True, text=True)
            if result.returncode:
                raise ClusterError(f"ip {' '.join(words)}: {result.stderr.strip()}", "see './meshproof doctor'")

    def last_output(self) -> str:
        """The last lines of the machine's own log."""
        log = self.folder("log") / "machine.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return " | ".join(lines[-5:]) or "nothing"

    def command(self, words: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """The command that runs `words` inside, in its control groups.

        Raises:
            ClusterError: the machine does not run.
        """
        pid = self.pid()
        if pid is None:
            raise ClusterError("the machine for kind does not run", "start it with './meshproof up --profile kind'")
        groups = ":".join(str(folder) for folder in self.cgroups.folders)
        # into the control groups first: what podman starts belongs to the machine, and ends with it
        script = 'IFS=:; for folder in $1; do echo $$ >"$folder/cgroup.procs"; done; unset IFS; shift; exec "$@"'
        enter = ["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root"]
        values = [f"{name}={value}" for name, value in {"PATH": _PATH, "HOME": "/root", **env}.items()]
        return ["sh", "-c", script, "sh", groups, *enter, "--wd", "--", "env", "-i", *values, *words]

    def run(
        self, *words: str, data: str | None = None, timeout_s: float = 120, env: Mapping[str, str] | None = None
    ) -> str:
        """Run a command inside; returns its output.

        Raises:
            ClusterError: it failed, or took longer than `timeout_s`.
        """
        command = self.command(words, env or {})
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, input=data)
        except subprocess.TimeoutExpired:
            raise ClusterError(f"{' '.join(words[:3])} did not end within {timeout_s:.0f} s") from None
        if result.returncode:
            output = (result.stderr or result.stdout).strip()
            raise ClusterError(f"{' '.join(words[:3])} in the machine for kind failed: {output[-400:]}")
        return result.stdout

    def stop(self) -> None:
        """End every process, and with them all mounts and interfaces; remove all files but the logs."""
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
        for entry in self.state.iterdir() if self.state.exists() else ():
            if entry.name != "log":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
