"""Whether the target can prove a control, and by which variant."""

from __future__ import annotations

from collections.abc import Iterable

from clients.mesh.capabilities.capabilities import CapabilityName
from runner.config.catalogue import Control
from runner.config.settings import Settings
from runner.target import targets
from runner.target.capabilities import TABLE
from runner.target.descriptor import TargetDescriptor
from runner.target.preflight import TRIED

HERMETIC = "hermetic"
SUBSTITUTED = frozenset({CapabilityName.GKE_ONLY, CapabilityName.BROWSER, CapabilityName.WORKLOAD_IDENTITY})
"""Capabilities that a hermetic substitute replaces, so that it does not need them."""
_BY_STAND_INS = frozenset({CapabilityName.WORKLOAD_IDENTITY})
"""Those of them that are replaced by servers, which only some targets have."""


def variant(control: Control, descriptor: TargetDescriptor) -> str:
    """`hermetic` where a substitute proves a control that, as documented, needs Google Cloud; empty otherwise."""
    return HERMETIC if control.live_only and CapabilityName.GKE_ONLY not in descriptor.capabilities else ""


def reason_to_skip(control: Control, needs: Iterable[str], descriptor: TargetDescriptor, settings: Settings) -> str:
    """Why this control cannot be proven here, naming the missing capability; empty when it can.

    Args:
        needs: capabilities of the control and of its stage.
    """
    wanted = set(needs)
    if variant(control, descriptor):
        if not control.hermetic:
            return f"needs Google Cloud ({CapabilityName.GKE_ONLY}), and there is no substitute"
        servers = {CapabilityName.STAND_INS} if wanted & _BY_STAND_INS else set()
        wanted = wanted - SUBSTITUTED | servers
    missing = sorted(wanted - set(descriptor.capabilities) - {CapabilityName.MESH_WIDE})
    if missing:
        return _lacking(missing, descriptor)
    if CapabilityName.MESH_WIDE in wanted and descriptor.lacks.get(CapabilityName.MESH_WIDE):
        return _lacking([CapabilityName.MESH_WIDE], descriptor)
    if CapabilityName.MESH_WIDE in wanted and not settings.allow_mesh_wide and _shared(descriptor):
        return f"changes the whole mesh ({CapabilityName.MESH_WIDE}); on this target only with --allow-mesh-wide"
    return ""


def _lacking(names: Iterable[str], descriptor: TargetDescriptor) -> str:
    """What the target lacks, why, and what to do about it."""
    explained = {name: f"{name} ({_explained(name, descriptor)})" for name in names}
    hints = dict.fromkeys(filter(None, (hint(name, descriptor.lacks.get(name, "")) for name in explained)))
    to_do = f". To get it: {'; '.join(hints)}" if hints else ""
    return f"the target lacks {'; '.join(explained.values())}{to_do}"


def hint(name: str, why: str) -> str:
    """How to get a capability.

    Args:
        why: the reason that it is lacking. One that was found by trying has its own hint; the result is empty then.
    """
    known = TABLE.get(name)
    return known.hint if known and not why.startswith(TRIED) else ""


def _explained(name: str, descriptor: TargetDescriptor) -> str:
    """What the capability means, and why the target lacks it."""
    known = TABLE.get(name)
    return ": ".join(filter(None, (known.description if known else "not described", descriptor.lacks.get(name))))


def _shared(descriptor: TargetDescriptor) -> bool:
    """Whether others use the mesh too."""
    return targets.of_kind(descriptor.target.kind).mesh_wide_needs_option
