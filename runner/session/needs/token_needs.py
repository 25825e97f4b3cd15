"""The capabilities that sending a token needs: no suite has to state them, as what a test sends shows it."""

from __future__ import annotations

from collections.abc import Iterable

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.mesh.survey.foreign_tokens import IAPS
from runner.session.planned import Proves

_BY_STAND_IN = frozenset({CapabilityName.IAP, CapabilityName.IAP_KEY})
"""Who needs them lets the stand-in for IAP send tokens, which no probe states."""


def token_needs(proves: Proves, needs: Iterable[str]) -> set[str]:
    """What the tokens need that a test sends: its cases, their twins, and its stage.

    Args:
        needs: what the test needs otherwise.
    """
    places = {token.where.lower() for probe in proves.sends for token in probe.all_tokens}
    found = {CapabilityName.OWN_TOKENS.value} if places - IAPS else set[str]()
    return found | ({CapabilityName.OWN_IAP_TOKENS.value} if places & IAPS or _BY_STAND_IN & set(needs) else set())
