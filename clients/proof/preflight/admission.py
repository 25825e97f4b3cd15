"""Whether the cluster accepts a run's namespaces and workloads, also without what a run can do without."""

from __future__ import annotations

from collections.abc import Iterable

from clients.model.errors import MeshproofError
from clients.proof.preflight.shown import CheckName, Shown, Tried

HINT = "see what admission policies demand; [namespaces] and [pods] set labels, resources and more"


def named_in(error: MeshproofError, optional: Iterable[str]) -> tuple[str, ...]:
    """Those annotations that a refusal names: GKE Autopilot before 1.27 refuses `safe-to-evict`, for instance."""
    return tuple(name for name in optional if name in error.message)


def refused(error: MeshproofError) -> Shown:
    """Nothing can be proven."""
    line = Tried(CheckName.ADMISSION, False, error.message, error.hint or HINT, needed=True, blocks=True)
    return Shown((line,))


def accepted(without: tuple[str, ...] = ()) -> Shown:
    """Accepted, perhaps only without some annotations of pods, which a run then leaves out."""
    more = f" without the annotation {' and '.join(without)}, which is refused" if without else ""
    line = Tried(CheckName.ADMISSION, True, f"a namespace with workloads is accepted{more}")
    return Shown((line,), refused_annotations=without)
