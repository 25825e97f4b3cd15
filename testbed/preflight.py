"""What the testbed needs of the machine, checked before any work starts, each with a hint."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed.addresses import BENCHMARKING, choose_link, routed
from testbed.store import cache_root

DISK_BUILD_GIB = 14
DISK_RUN_GIB = 2
INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")


@dataclass(frozen=True)
class Needs:
    """What a cluster takes of the machine.

    Attributes:
        memory_gib: memory in GiB that is to be available when it starts.
        inotify_instances: of one user (inotify(7)): three for each sidecar, and all sidecars have the same user id.
    """

    memory_gib: float = 4
    inotify_instances: int = 96


USUAL = Needs()
"""The embedded target's."""


@dataclass(frozen=True)
class Requirement:
    """One requirement, and whether the machine meets it."""

    name: str
    ok: bool
    detail: str
    hint: str


def checks(*, built: bool, needs: Needs = USUAL) -> list[Requirement]:
    """All requirements, the most basic first.

    Args:
        built: every part is built, so that the requirements of a build are left out.
    """
    questions: list[Callable[[], Requirement]] = [
        _system,
        _root,
        _tools,
        _namespaces,
        _overlay,
        lambda: _memory(needs),
        lambda: _inotify(needs),
        lambda: _disk(built),
        _addresses,
    ]
    if not built:
        questions.insert(3, _build_tools)
    results = []
    for question in questions:
        results.append(question())
        if not results[-1].ok and question in (_system, _root):
            break  # all others would fail for the same reason
    return results


def require(*, built: bool, needs: Needs = USUAL) -> None:
    """Raise ClusterError for the first requirement that is not met."""
    for check in checks(built=built, needs=needs):
        if not check.ok:
            raise ClusterError(f"the testbed cannot run here: {check.name}: {check.detail}", check.hint)


def _system() -> Requirement:
    where = f"{platform.system()} {platform.machine()}"
    ok = sys.platform == "linux" and platform.machine() == "x86_64"
    return Requirement("system", ok, where, "use Linux on x86_64, or another target: --context NAME")


def _root() -> Requirement:
    ok = os.geteuid() == 0
    return Requirement(
        "root",
        ok,
        "yes" if ok else f"user id {os.geteuid()}",
        "run as root (sudo), or use another target: --context NAME",
    )


def _tools() -> Requirement:
    missing = [name for name in ("unshare", "nsenter", "setsid", "chroot", "sh", "cp") if not shutil.which(name)]
    detail = f"missing: {', '.join(missing)}" if missing else "unshare, nsenter, setsid, chroot, sh, cp"
    return Requirement("tools", not missing, detail, "apt-get install util-linux coreutils")


def _build_tools() -> Requirement:
    missing = [name for name in ("apt-get", "dpkg-deb", "tar") if not shutil.which(name)]
    detail = f"missing: {', '.join(missing)}" if missing else "apt-get, dpkg-deb, tar"
    return Requirement(
        "build tools", not missing, detail, "build on Debian 12, or bring the parts: ./meshproof testbed import FILE"
    )


def _namespaces() -> Requirement:
    command = ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child", "true"]
    result = subprocess.run(command, capture_output=True, text=True)
    detail = "net, mount, pid, uts, ipc, cgroup" if not result.returncode else result.stderr.strip()
    return Requirement(
        "namespaces",
        not result.returncode,
        detail,
        "use a kernel with these namespaces, and a container only if it is privileged",
    )


def _overlay() -> Requirement:
    folder = cache_root() / "testbed"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            for name in ("lower", "upper", "work", "merged"):
                Path(work, name).mkdir()
            options = f"lowerdir={work}/lower,upperdir={work}/upper,workdir={work}/work"
            script = 'mount -t overlay -o "$1" probe "$2" && nft list tables >/dev/null 2>&1; mount | grep -q "^probe"'
            command = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                script,
                "sh",
                options,
                f"{work}/merged",
            ]
            result = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return Requirement(
            "overlay file system", False, f"{folder}: {error.strerror}", "set MESHPROOF_CACHE_DIR to a writable folder"
        )
    detail = f"works in {folder}" if not result.returncode else result.stderr.strip() or "mount refused"
    hint = "set MESHPROOF_CACHE_DIR to a folder on ext4 or xfs, not on another overlay; load the kernel module overlay"
    return Requirement("overlay file system", not result.returncode, detail, hint)


def available_gib() -> float:
    """Memory that programs may still take, in GiB (proc(5), MemAvailable)."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) / 2**20


def _memory(needs: Needs) -> Requirement:
    available = available_gib()
    hint = f"free at least {needs.memory_gib:g} GiB, for instance by ending another cluster: ./meshproof status"
    return Requirement("memory", available >= needs.memory_gib, f"{available:.1f} GiB available", hint)


def _inotify(needs: Needs) -> Requirement:
    limit = int(INOTIFY_LIMIT.read_text())
    hint = "sysctl fs.inotify.max_user_instances=512"
    detail = f"{limit} instances for each user, {needs.inotify_instances} needed"
    return Requirement("file watches", limit >= needs.inotify_instances, detail, hint)


def _disk(built: bool) -> Requirement:
    folder = cache_root()
    while not folder.exists():
        folder = folder.parent
    needed = DISK_RUN_GIB if built else DISK_BUILD_GIB
    free = shutil.disk_usage(folder).free / 2**30
    hint = f"free {needed} GiB there, or set MESHPROOF_CACHE_DIR to another disk"
    return Requirement("disk", free >= needed, f"{free:.1f} GiB free in {folder}, {needed} GiB needed", hint)


def _addresses() -> Requirement:
    try:
        link = choose_link(routed())
    except ClusterError as error:
        return Requirement("addresses", False, error.message, error.hint)
    return Requirement("addresses", True, f"{link.network} of {BENCHMARKING} is free", "")
