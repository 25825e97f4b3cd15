"""What is known of a marker: a change of no other effect that shows that a stage's change has arrived at a proxy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MarkerState(StrEnum):
    """Whether a marker was seen in force."""

    SEEN = "seen"
    MISSING = "missing"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class MarkerRecord:
    """One marker at one place, as evidence keeps it. Times in seconds since the stage's change.

    Attributes:
        place: where it was looked for, by the documents' names: `mtls-service/httpbin`.
        text: what was seen, or why there is none, in one line.
        first_s: the first probe that showed it; None when none did.
        stable_s: the last confirmation; None when it was not confirmed.
        probes: number of probes that were sent for it.
    """

    place: str
    state: MarkerState
    text: str
    first_s: float | None = None
    stable_s: float | None = None
    probes: int = 0
