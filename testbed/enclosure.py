"""Private namespaces with a root file system of their own and one link to this machine; a state folder names them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from clients.model.errors import ClusterError
from testbed import cgroups
from testbed.addresses import Link
from testbed.store import digest
from testbed.versions import HERE

ENTER = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--")
"""Options of nsenter for all that is private, the working folder included; the command follows."""
START_S = 10.0
_POLL_S = 0.005
_HINT = "see './meshproof doctor'"
_METRIC = ("metric", "4096")


def own_environment() -> dict[str, str]:
    """Variables of everything in the namespaces: the caller's are about this machine.

    With a `TMPDIR` of this machine no exec in a pod starts, and a proxy would lead the node's programs out of it.
    """
    return {"PATH": os.environ["PATH"], "HOME": "/root"}


class Enclosure:
    """One set of namespaces, which is found by its state folder alone.

    Attributes:
        noun: what it is, in messages and in the name of its log.
    """

    noun: ClassVar[str]

    def __init__(self, state: Path, *kind: str) -> None:
        self.state = state
        name = digest([*kind, str(state.resolve())])
        self.cgroups = cgroups.Cgroups(f"meshproof-{name}")
        self.link_name = f"mp{name[:8]}"

    @property
    def _link_note(self) -> Path:
        return self.state / "link"

    @property
    def _log(self) -> Path:
        return self.folder("log") / f"{self.noun}.log"

    def folder(self, name: str) -> Path:
        """A folder of its state, for instance `log`."""
        return self.state / name

    def pid(self) -> int | None:
        """Its PID 1, or None when it does not run."""
        return cgroups.first_in_namespace(self.cgroups.processes())

    def last_output(self) -> str:
        """The last lines of its own log."""
        lines = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        return " | ".join(lines[-5:]) or "nothing"

    def gone(self) -> str | None:
        """Its last output if it has ended; None while it runs."""
        return None if self.pid() else self.last_output()

    def _launch(self, script: Path, mounted: Sequence[Path]) -> int:
        """Start the namespaces; returns their PID 1.

        Args:
            script: lays out the root file system and moves into it; gets the state folder and what it mounts there.

        Raises:
            ClusterError: they could not be created; the message has the last output.
        """
        groups = ":".join(str(folder) for folder in self.cgroups.folders)
        command = ["sh", str(HERE / "node" / "launch.sh"), groups, "sh", str(script), str(self.state)]
        command += [str(path) for path in mounted]
        with self._log.open("w") as log:
            # a session of its own and no parent: it outlives the process and the shell that started it
            subprocess.run(
                ["setsid", "--fork", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=own_environment(),
                check=True,
            )
        deadline = time.monotonic() + START_S
        while (pid := self.pid()) is None:
            self._go_on_waiting("namespaces", deadline)
        return pid

    def _go_on_waiting(self, what: str, deadline: float) -> None:
        """Wait a moment for what is still missing.

        Raises:
            ClusterError: it has ended, or the monotonic `deadline` is over.
        """
        ended = self.last_output() != "nothing" and not self.cgroups.processes()
        if ended or time.monotonic() > deadline:
            raise ClusterError(f"the {self.noun} has no {what}: {self.last_output()}", _HINT)
        time.sleep(_POLL_S)

    def _link(self, root: Path, pid: int, link: Link, address: str, inner: str = "eth0") -> None:
        """Make the one link between this machine and the namespaces.

        The first route is a fallback: when they are gone, their addresses are unreachable, and this machine does not
        look for them in its own network.

        Args:
            address: of this machine's end, with the length of its prefix.
            inner: name of the other end.
        """
        self._link_note.write_text(f"{root} {link.network}")
        self._ip(root, "route", "replace", "unreachable", str(link.network), *_METRIC)
        self._ip(root, "link", "add", self.link_name, "type", "veth", "peer", "name", inner, "netns", str(pid))
        self._ip(root, "address", "add", address, "dev", self.link_name)
        self._ip(root, "link", "set", self.link_name, "up")

    def _ip(self, root: Path, *words: str) -> None:
        """Run iproute2 from the enclosed root file system in this machine's network: it need not be installed here."""
        result = subprocess.run(["chroot", str(root), "/usr/sbin/ip", *words], capture_output=True, text=True)
        if result.returncode:
            text = f"ip {' '.join(words)}: {result.stderr.strip()}; the {self.noun} printed: {self.last_output()}"
            raise ClusterError(text, _HINT)

    def stop(self) -> None:
        """End every process, and with them all mounts and interfaces. Does nothing if none runs."""
        self.cgroups.end()
        if self._link_note.exists():
            # the kernel removes a network namespace some seconds later: do not wait with the link until then
            root, network = self._link_note.read_text().split()
            for words in (["link", "delete", self.link_name], ["route", "delete", "unreachable", network, *_METRIC]):
                subprocess.run(["chroot", root, "/usr/sbin/ip", *words], capture_output=True)
            self._link_note.unlink()
