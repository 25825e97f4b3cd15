"""The `kind` program, kept thin: find the cluster, load image archives into it. Everything else is a plain context."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from clients.model.errors import ClusterError, SettingsError

TIMEOUT_S = 300


def context(wanted: str) -> str:
    """The kubeconfig context of the kind cluster: the wanted one, or that of the only cluster there is.

    Raises:
        SettingsError: `kind` is not installed, the cluster does not exist, or it is not clear which one is meant.
        ClusterError: `kind` failed.
    """
    clusters = [f"kind-{name}" for name in _kind("get", "clusters").split()]
    if wanted and wanted not in clusters:
        raise SettingsError(
            f"there is no kind cluster for context {wanted}", f"there are: {', '.join(clusters) or 'none'}"
        )
    if not wanted and len(clusters) != 1:
        hint = f"name one with --context: {', '.join(clusters)}" if clusters else "make one with `kind create cluster`"
        raise SettingsError(f"{len(clusters)} kind clusters were found, not one", hint)
    return wanted or clusters[0]


def load_archives(context_name: str, archives: Sequence[Path]) -> None:
    """Load image archives into every node of the cluster.

    Raises:
        SettingsError: an archive does not exist.
        ClusterError: `kind` failed.
    """
    for archive in archives:
        if not archive.is_file():
            raise SettingsError(f"the image archive {archive} does not exist")
        _kind("load", "image-archive", str(archive), "--name", context_name.removeprefix("kind-"))


def _kind(*arguments: str) -> str:
    program = shutil.which("kind")
    if not program:
        raise SettingsError("the program kind is not on PATH", "install kind, or use --target embedded")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"kind {arguments[0]} did not end within {TIMEOUT_S} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no message"]
        raise ClusterError(f"kind {' '.join(arguments[:2])} failed: {said[-1]}")
    return done.stdout
