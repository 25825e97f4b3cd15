"""The capabilities that sending a token needs: no suite has to state them, as what a test sends shows it."""

from __future__ import annotations

from collections.abc import Iterable

from clients.mesh.capabilities import CapabilityName
from clients.mesh.foreign_tokens import IAPS
from runner.session.planned import Proves

_BY_STAND_IN = frozenset({CapabilityName.IAP, CapabilityName.IAP_KEY})
"""Who needs them lets the stand-in for IAP send tokens, which no probe states."""


def token_needs(proves: Proves, needs: Iterable[str]) -> set[str]:
    """What the tokens need that a test sends: its cases, their twins, and whatever its stage settles on.

    Args:
        needs: what the test needs otherwise.
    """
    probes = [*(proves.stage.probes if proves.stage else ()), *(one for case in proves.cases for one in case.probes)]
    places = {token.where.lower() for probe in probes for token in probe.all_tokens}
    found = {CapabilityName.OWN_TOKENS.value} if places - IAPS else set[str]()
    return found | ({CapabilityName.OWN_IAP_TOKENS.value} if places & IAPS or _BY_STAND_IN & set(needs) else set())
