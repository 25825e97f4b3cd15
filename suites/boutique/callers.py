"""Callers as the frontend's sidecar counts them, by two policies in dry run: known by certificate, and unknown."""

from __future__ import annotations

from functools import partial

from clients.mesh.sidecar import Stats
from clients.proof.world import World
from suites.counters import Growth, dry_run


def _known(stats: Stats, world: World) -> float:  # noqa: ARG001 - the shape of a count
    return dry_run(stats, "allow", "allowed")


def _unknown(stats: Stats, world: World) -> float:  # noqa: ARG001 - the shape of a count
    return dry_run(stats, "deny", "denied")


proves_itself = partial(Growth, counted=_known, not_counted=_unknown)
"""The probe's caller proves who it is."""
is_unknown = partial(Growth, counted=_unknown, not_counted=_known)
"""The probe's caller does not."""
