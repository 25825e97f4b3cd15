"""Whether the target can prove a control, and by which variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.config.catalogue import STAND_IN_CAPABILITIES, Control
from runner.config.settings import Settings, TargetKind
from runner.target.descriptor import TargetDescriptor

HERMETIC = "hermetic"


def variant(control: Control, descriptor: TargetDescriptor) -> str:
    """`hermetic` where a substitute proves a control that, as documented, needs Google Cloud; empty otherwise."""
    return HERMETIC if control.live_only and "gke-only" not in descriptor.capabilities else ""


def reason_to_skip(
    control: Control, needs: Iterable[str], descriptor: TargetDescriptor, settings: Settings, meaning: Mapping[str, str]
) -> str:
    """Why this control cannot be proven here, naming the missing capability; empty when it can.

    Args:
        needs: capabilities of the control and of its stage.
        meaning: what each capability stands for, from the catalogue.
    """
    wanted = set(needs)
    if variant(control, descriptor):
        if not control.hermetic:
            return "needs Google Cloud (gke-only), and there is no substitute"
        wanted -= STAND_IN_CAPABILITIES
    missing = sorted(wanted - set(descriptor.capabilities) - {"mesh-wide"})
    if missing:
        known = {**meaning, **descriptor.lacks}
        return "the target lacks " + "; ".join(f"{name} ({known.get(name, 'not described')})" for name in missing)
    if "mesh-wide" in wanted and descriptor.target.kind != TargetKind.EMBEDDED and not settings.allow_mesh_wide:
        return "changes the whole mesh (mesh-wide); on this target only with --allow-mesh-wide"
    return ""
