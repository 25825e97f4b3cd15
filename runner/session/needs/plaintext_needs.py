"""The capability that clients outside the mesh need: no suite has to state it, as what a test sends shows it."""

from __future__ import annotations

from clients.mesh.capabilities.capabilities import CapabilityName
from runner.session.needs.sidecars import sidecars
from runner.session.planned import Proves


def plaintext_needs(proves: Proves) -> set[str]:
    """What the requests need that pods without a sidecar send: of the test's cases, of their twins, of its stage."""
    outside = (probe for probe in proves.sends if not sidecars().send(probe.source))
    return {CapabilityName.PLAINTEXT_CLIENT.value} if any(outside) else set()
