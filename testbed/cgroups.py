"""The node's control groups, by which every process that it has ever started can be found and ended.

Both layouts work: one folder per controller (cgroup v1) and the single hierarchy (cgroup v2). See cgroups(7).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import MeshproofError


def _hierarchies() -> Iterator[Path]:
    """Mount points of this machine's cgroup hierarchies."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] in ("cgroup", "cgroup2"):
            yield Path(before.split()[4])


@dataclass(frozen=True)
class Cgroups:
    """One named group in every hierarchy."""

    name: str

    @property
    def folders(self) -> list[Path]:
        """The group's folder in each hierarchy, whether it exists or not."""
        return [place / self.name for place in _hierarchies()]

    def create(self) -> None:
        """Create the group in every hierarchy."""
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                # cgroup v1 refuses processes in a cpuset without processors and memory nodes
                own, above = folder / setting, folder.parent / setting
                if own.exists() and above.exists() and not own.read_text().strip():
                    own.write_text(above.read_text())

    def processes(self) -> set[int]:
        """Ids of all processes in the group and below it."""
        found: set[int] = set()
        for folder in self.folders:
            for path, _, files in os.walk(folder):
                if "cgroup.procs" in files:
                    try:
                        found.update(int(pid) for pid in Path(path, "cgroup.procs").read_text().split())
                    except OSError:
                        continue
        return found - {0}

    def end(self, timeout_s: float = 15.0) -> None:
        """End every process of the group and remove the group.

        Raises:
            MeshproofError: processes are left after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if time.monotonic() > deadline:
                raise MeshproofError(
                    f"processes of the node do not end: {sorted(left)[:10]}", "look at them with ps and try again"
                )
            time.sleep(0.01)
        while not self._remove():
            if time.monotonic() > deadline:
                raise MeshproofError(
                    f"control group {self.name} cannot be removed", "a process moved into it: see its cgroup.procs"
                )
            time.sleep(0.01)

    def _remove(self) -> bool:
        clean = True
        for folder in self.folders:
            for path, _, _ in os.walk(folder, topdown=False):
                try:
                    Path(path).rmdir()
                except FileNotFoundError:
                    continue
                except OSError:
                    clean = False
        return clean


def first_in_namespace(pids: set[int]) -> int | None:
    """The process that is number 1 one namespace below ours: the node's PID 1 (field NSpid of proc(5))."""
    for pid in sorted(pids):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("NSpid:") and (numbers := line.split()[1:])[1:] == ["1"] and numbers[0] == str(pid):
                return pid
    return None
