"""The capabilities that sending a token needs: no suite has to state them, as what a test sends shows it."""

from __future__ import annotations

from collections.abc import Iterable

from clients.mesh.capabilities import CapabilityName
from clients.mesh.foreign_tokens import IAPS
from clients.model.probe import Probe
from runner.session.planned import Proves

_BY_STAND_IN = frozenset({CapabilityName.IAP, CapabilityName.IAP_KEY})
"""Who needs them lets the stand-in for IAP send tokens, which no probe states."""


def token_needs(proves: Proves, needs: Iterable[str]) -> set[str]:
    """What the tokens need that a test sends: its cases, their twins, and whatever its stage settles on.

    Args:
        needs: what the test needs otherwise.
    """
    places = {token.where.lower() for probe in _probes(proves) for token in probe.all_tokens}
    found = {CapabilityName.OWN_TOKENS.value} if places - IAPS else set[str]()
    return found | ({CapabilityName.OWN_IAP_TOKENS.value} if places & IAPS or _BY_STAND_IN & set(needs) else set())


def _probes(proves: Proves) -> list[Probe]:
    stage = proves.stage
    settled = [*stage.settle, *(settle for step in stage.steps for settle in step.settle)] if stage else []
    reachable = stage.reachable if stage else ()
    stated = [probe for case in proves.cases for probe in (case.probe, case.twin) if probe]
    return [*stated, *reachable, *(settle.probe for settle in settled)]
