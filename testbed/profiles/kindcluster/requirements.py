"""What a kind cluster needs of this machine besides memory and file watches, checked before anything is built."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.addresses import EXTERNAL, PODS, SERVICES, Network, routed
from testbed.build import golang
from testbed.preflight import Requirement
from testbed.profiles.kindcluster.versions import KIND
from testbed.store import cache_root

DISK_BUILD_GIB, DISK_RUN_GIB = 14, 9
"""A build takes 3 GiB of parts and as much again while it works; the nodes' own stores of images take 6.8 GiB."""
ANSWER_S = 60


def checks(*, built: bool, toolchain: Path | None = None) -> list[Requirement]:
    """All of them, in the order in which a start would run into them.

    Args:
        built: every part is built, so that those of a build are left out.
        toolchain: the Go toolchain, where it is there already.
    """
    found = [ranges(routed()), disk(built=built)]
    if not built:
        found.append(podman())
        if toolchain:
            found.append(served(toolchain))
    return found


def ranges(taken: Sequence[Network]) -> Requirement:
    """The cluster's own ranges: where this machine routes one of them, its addresses would mean two things."""
    for own in (PODS, SERVICES, EXTERNAL):
        for route in taken:
            if own.overlaps(route):
                detail = f"{own} of the cluster overlaps {route}, which this machine routes"
                return Requirement("address ranges", False, detail, "remove that route (ip route), or its interface")
    return Requirement("address ranges", True, f"{PODS}, {SERVICES} and {EXTERNAL} are free", "")


def disk(*, built: bool) -> Requirement:
    """Room for the nodes' stores, and for a build."""
    folder = cache_root()
    while not folder.exists():
        folder = folder.parent
    needed = DISK_RUN_GIB if built else DISK_RUN_GIB + DISK_BUILD_GIB
    free = shutil.disk_usage(folder).free / 2**30
    hint = f"free {needed} GiB there, or set MESHPROOF_CACHE_DIR to another disk"
    detail = f"{free:.1f} GiB free in {folder}, {needed} GiB needed"
    return Requirement("disk for three nodes", free >= needed, detail, hint)


def podman(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Requirement:
    """Podman among the packages that apt knows."""
    hint = "run apt-get update; podman is in the main section of Debian 12"
    try:
        found = run(["apt-cache", "show", "podman"], capture_output=True, text=True, timeout=ANSWER_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Requirement("podman", False, f"apt-cache cannot be asked: {error}", "build on Debian 12")
    versions = [line for line in found.stdout.splitlines() if line.startswith("Version: ")]
    return Requirement("podman", bool(versions), versions[0] if versions else "apt knows no package podman", hint)


def served(toolchain: Path, run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Requirement:
    """The version of kind among those that the module proxy serves, or that were fetched before."""
    command = [str(toolchain / "bin" / "go"), "list", "-m", f"sigs.k8s.io/kind@v{KIND}"]
    env = {**os.environ, **golang.environment(toolchain), "GOFLAGS": "-mod=mod"}
    hint = "set GOPROXY to a proxy that has it, or bring the parts: ./meshproof testbed import FILE"
    try:
        found = run(command, capture_output=True, text=True, timeout=ANSWER_S, env=env, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Requirement("kind", False, f"v{KIND}: the module proxy does not answer: {error}", hint)
    lines = (found.stderr or found.stdout).strip().splitlines() or ["no answer"]
    return Requirement("kind", not found.returncode, lines[-1], hint)
