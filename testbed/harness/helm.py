"""The program helm, which tests render and install the chart with; built of its Go module on demand."""

from __future__ import annotations

from pathlib import Path

from testbed.lock import held
from testbed.parts import Parts
from testbed.progress import Say
from testbed.versions import istio_release


def built() -> Path | None:
    """The program, if it is built."""
    parts = Parts(istio_release(None), lambda _line: None)
    part = parts.program("helm")
    return parts.store.path(part) / "helm" if parts.store.has(part) else None


def program(say: Say) -> Path:
    """The program, built if missing.

    Raises:
        BuildError: its modules cannot be fetched or compiled.
    """
    parts = Parts(istio_release(None), say)
    with held(parts.store.root.parent / "parts.lock", "build of helm", say):
        return parts.get(parts.program("helm")) / "helm"
