"""What the checks before an upgrade could not look at, and why: some of it says nothing about what is there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UncheckedReason(StrEnum):
    """Why something was not looked at."""

    NOT_SEEN = "not seen"
    """This identity may not see it, or it has an unexpected form: an error may be there."""
    BY_ISTIOCTL = "istioctl"
    """istioctl was to look at it: it needs rights that a run does not, and repeats a part of the own checks."""
    OUT_OF_SIGHT = "out of sight"
    """It is outside the cluster, as its provider has it: no user can look at it, with any rights."""


@dataclass(frozen=True)
class Unchecked:
    """One thing that could not be looked at, in words."""

    text: str
    why: UncheckedReason = UncheckedReason.NOT_SEEN


def out_of_sight(what: str, revision: str = "") -> Unchecked:
    """Something of a control plane that runs outside the cluster."""
    of = f" of the revision {revision}" if revision else ""
    return Unchecked(
        f"{what}{of}: the control plane runs outside the cluster, where only its provider sees it",
        UncheckedReason.OUT_OF_SIGHT,
    )
