"""Checks of what others put into new namespaces: which of it a run can set aside, and which decides in its place."""

from __future__ import annotations

from collections.abc import Sequence

from clients.mesh.survey.generated import Generated
from clients.proof.preflight.shown import CheckName, Shown, Tried

EXEMPT_HINT = "exempt namespaces with the label meshproof.dev/run from what puts them there"


def set_aside(denying: Sequence[str]) -> Shown:
    """That policies which allow nothing are set aside, as a run does in its namespaces."""
    detail = f"each gets {', '.join(denying)}; where a stage has no policy, a run's own allows everything"
    return Shown((Tried(CheckName.POLICIES, True, detail),), denying=tuple(denying))


def not_set_aside(denying: Sequence[str], why: str) -> Tried:
    """That they could not be set aside."""
    return Tried(CheckName.POLICIES, False, f"each gets {', '.join(denying)}, and: {why}", EXEMPT_HINT, needed=True)


def decided(found: Generated) -> Tried | None:
    """What counts in the place of a run's own policies; None where nothing does."""
    if not found.decisive:
        return None
    detail = f"each gets {', '.join(found.decisive)}, in the place of what a run applies, or besides it"
    return Tried(CheckName.POLICIES, False, detail, EXEMPT_HINT, needed=True, blocks=True)


def left(found: Generated) -> Shown | None:
    """What stays in force, and which tokens it judges; None where there is nothing."""
    judges = tuple(dict.fromkeys(filter(None, (found.tokens, found.iap_tokens))))
    if not (judges or found.left):
        return None
    detail = f"each gets {', '.join((*judges, *found.left))}, which stays in force"
    return Shown(
        (Tried(CheckName.MORE_POLICIES, not judges, detail, EXEMPT_HINT if judges else ""),),
        own_tokens=False if found.tokens else None,
        own_iap_tokens=False if found.iap_tokens else None,
        left=(*judges, *found.left),
    )
