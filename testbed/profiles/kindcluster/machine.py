"""The machine on which kind runs: private namespaces with podman in them, of which nothing is left when they end."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed.addresses import Link
from testbed.enclosure import ENTER, START_S, Enclosure

FILES = Path(__file__).parent / "files" / "machine"
_FOLDERS = ("root", "upper", "work", "containers", "etc", "log")
NODE_WEIGHT = 8
"""Times the usual share of processor time: each of three nodes starts several programs at once."""
_PATH = "/opt/kind:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class MachinePrograms:
    """Folders of the built parts that the machine runs from."""

    root: Path
    kind: Path
    store: Path
    external: Path


class Machine(Enclosure):
    """One machine, which is found by its state folder alone.

    Its link has two halves: the lower one connects this machine with it, the upper one is the network of the nodes,
    which this machine reaches through it, as it would reach those of a kind cluster of its own.
    """

    noun = "machine for kind"

    def __init__(self, state: Path) -> None:
        super().__init__(state, "kind")

    @property
    def _log(self) -> Path:
        return self.folder("log") / "machine.log"

    def prepare(self) -> None:
        """End and remove everything that an earlier machine left, and create empty folders."""
        self.stop()
        shutil.rmtree(self.folder("log"), ignore_errors=True)
        for name in _FOLDERS:
            self.folder(name).mkdir(parents=True)

    def start(self, programs: MachinePrograms, link: Link) -> None:
        """Start the namespaces and podman's settings in them.

        Raises:
            ClusterError: they could not be created; the message has the last output.
        """
        self.cgroups.create()
        self._weigh()
        pid = self._launch(FILES / "enter.sh", (programs.root, programs.kind, programs.store, programs.external))
        self._link(programs.root, pid, link, f"{link.host}/{link.network.prefixlen + 1}")
        self._ip(programs.root, "route", "add", str(link.balancers), "via", link.node)
        deadline = time.monotonic() + START_S
        while not (self.folder("etc") / "network-ready").exists():
            self._go_on_waiting("network", deadline)

    def _weigh(self) -> None:
        """Let it have the processor time of as many programs as it has nodes, where others want it too.

        A group counts as one program of this machine (cgroups(7)): three starved nodes lose their leases.
        """
        for folder in self.cgroups.folders:
            for name, weight in (("cpu.shares", 1024 * NODE_WEIGHT), ("cpu.weight", 100 * NODE_WEIGHT)):
                if (folder / name).exists():
                    (folder / name).write_text(str(weight))

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
        enter = ["nsenter", "--target", str(pid), *ENTER]
        values = [f"{name}={value}" for name, value in {"PATH": _PATH, "HOME": "/root", **env}.items()]
        return ["sh", "-c", script, "sh", groups, *enter, "env", "-i", *values, *words]

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
        super().stop()
        for entry in self.state.iterdir() if self.state.exists() else ():
            if entry.name != "log":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
