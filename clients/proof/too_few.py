"""Whether confirmations were too few: for the error rate that is wanted, or for the replicas that are ready by now."""

from __future__ import annotations

from clients.model.errors import MeshproofError
from clients.model.probe import Probe
from clients.probe.convergence import Convergence
from clients.proof.rig.rig import Rig


def reached(rig: Rig, probe: Probe, seen: Convergence) -> str:
    """How certain too few confirmations are; empty where there are none, or where it is not known."""
    if not seen.confirmations:
        return ""
    try:
        left = rig.certainty.reached_error_rate(probe, seen.confirmations)
    except MeshproofError:
        return ""
    wanted = rig.certainty.policy.error_rate
    return f"a stale answer may be left with a probability of {left:.1g}, and {wanted:g} is wanted"


def grown(rig: Rig, probe: Probe, needed: int | None) -> str:
    """Why the confirmations are too few: more replicas are ready than they were derived for; empty where not so.

    Args:
        needed: as they were derived; None where they were not.
    """
    if needed is None:
        return ""
    try:
        now = rig.certainty.required_confirmations(probe)
        if now <= needed:
            return ""
        ready = rig.workloads.replicas(probe)
    except MeshproofError:
        return ""
    number = f"{ready} replica{'s are' if ready > 1 else ' is'}"
    text = f"{number} behind {probe.destination} now; the {needed} confirmations were derived for fewer"
    return f"{text}, and {now} are needed"
