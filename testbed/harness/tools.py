"""Programs that tests of `deploy/` use, each built of its Go module on demand; no cluster needs them."""

from __future__ import annotations

from pathlib import Path

from testbed.lock import held
from testbed.parts import Parts
from testbed.progress import Say
from testbed.versions import istio_release

TOOLS = {
    "act": "runs the jobs of a workflow for GitHub Actions on this machine",
    "helm": "renders, lints and installs the chart",
    "tekton": "validates Tekton's Tasks and Pipelines as its admission webhook does",
    "versitygw": "a server with the interface of S3, on a folder",
}
"""Name of the program, and of its folder below `testbed/modules/` → what it does."""


def built(name: str) -> Path | None:
    """The program, if it is built."""
    parts = Parts(istio_release(None), lambda _line: None)
    part = parts.program(name)
    return parts.store.path(part) / name if parts.store.has(part) else None


def program(name: str, say: Say) -> Path:
    """The program, built if missing.

    Raises:
        BuildError: its modules cannot be fetched or compiled.
    """
    parts = Parts(istio_release(None), say)
    with held(parts.store.root.parent / "parts.lock", f"build of {name}", say):
        return parts.get(parts.program(name)) / name
