"""The target `kind`: a cluster of the program `kind`, which finds it and loads images. All else is as on a live one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from clients.model.errors import ClusterError, SettingsError
from runner.config.settings import Settings
from runner.target.access import Access, Say
from runner.target.live import Live

TIMEOUT_S = 300
PREFIX = "kind-"
_LOOK = "look whether kind and its container runtime work: kind get clusters"
"""The program names a context by this prefix and the name of the cluster."""


class Kind(Live):
    """See `Target`."""

    kind = "kind"
    summary = "a cluster of the program kind"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.context and not settings.context.startswith(PREFIX):
            raise SettingsError(
                f"the context of a kind cluster is named {PREFIX}…, not {settings.context}",
                f"name one by --context {PREFIX}NAME (kind get clusters), or use --target live",
            )

    @classmethod
    def implied_by(cls, settings: Settings) -> bool:
        """Whether the context is named as one of a kind cluster, and the program is here, or images are to be loaded.

        Without either it is reached as any cluster is: the kubeconfig is enough.
        """
        return settings.context.startswith(PREFIX) and bool(settings.archives or shutil.which("kind"))

    def context(self) -> str:
        """The named context, or that of the only cluster."""
        return context(self.settings.context)

    def access(self, say: Say) -> Access:
        """The settings' image archives are loaded into every node."""
        there = super().access(say)
        load_archives(there.context, self.settings.archives)
        return there

    def look(self, say: Say) -> Access:
        """Without the images."""
        return super().access(say)

    def name(self, access: Access, server: str) -> str:
        """With the cluster's name for the context's."""
        return super().name(access, server).replace(PREFIX, "", 1)


def context(wanted: str) -> str:
    """The kubeconfig context of the kind cluster: the wanted one, or that of the only cluster there is.

    Raises:
        SettingsError: `kind` is not installed, the cluster does not exist, or it is not clear which one is meant.
        ClusterError: `kind` failed.
    """
    clusters = [f"{PREFIX}{name}" for name in _kind("get", "clusters").split()]
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
            raise SettingsError(f"the image archive {archive} does not exist", "correct the setting archives")
        _kind("load", "image-archive", str(archive), "--name", context_name.removeprefix(PREFIX))


def _kind(*arguments: str) -> str:
    program = shutil.which("kind")
    if not program:
        raise SettingsError("the program kind is not on PATH", "install kind, or use --target embedded")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"kind {arguments[0]} did not end within {TIMEOUT_S} s", _LOOK) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ClusterError(f"kind {' '.join(arguments[:2])} failed: {lines[-1]}", _LOOK)
    return done.stdout
