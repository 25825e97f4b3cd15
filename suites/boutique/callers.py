"""Callers of the frontend, identified by certificate or unknown, as two policies in dry run count them."""

from __future__ import annotations

from functools import partial

from clients.mesh.sidecar import Stats
from clients.proof.rig.rig import Rig
from suites.counters import Growth, dry_run


def _known(stats: Stats, rig: Rig) -> float:  # noqa: ARG001 - the shape of a count
    return dry_run(stats, "allow", "allowed")


def _unknown(stats: Stats, rig: Rig) -> float:  # noqa: ARG001 - the shape of a count
    return dry_run(stats, "deny", "denied")


def _not_allowed(stats: Stats, rig: Rig) -> float:  # noqa: ARG001 - the shape of a count
    return dry_run(stats, "allow", "denied")


proves_itself = partial(Growth, counted=_known, not_counted=_unknown)
"""Counts a probe whose caller has a certificate of the mesh."""
is_unknown = partial(Growth, counted=_unknown, not_counted=_known)
"""Counts a probe whose caller has none."""
is_another = partial(Growth, counted=_not_allowed, not_counted=_known)
"""Counts a probe whose caller is none of those that the policy names."""
