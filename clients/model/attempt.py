"""One probe of a case as evidence keeps it, and the whole answers that are kept as samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from clients.model.outcome import OutcomeKind


class Phase(StrEnum):
    """Why an attempt was made: before the change, waiting for it, confirming it, or proving the path by the twin."""

    BASELINE = "baseline"
    CONVERGE = "converge"
    CONFIRM = "confirm"
    TWIN = "twin"


@dataclass(frozen=True)
class Attempt:
    """One probe of a case, or one look at a state. Times in seconds since the case's change (negative: before it).

    Attributes:
        problem: why it did not match; empty where it did.
        local: the client's end of the connection, `ip:port`: the key in the log of a proxy that sees no request.
        kind: of the outcome; `INFRASTRUCTURE` where the probe did not run.
        status: HTTP status of the response; None where none came.
        ordinary: nothing in the request distinguished it from a user's (see `clients.probe.ordinary`).
    """

    at_s: float
    phase: Phase
    matched: bool
    summary: str
    request_id: str
    problem: str = ""
    local: str = ""
    kind: OutcomeKind = field(kw_only=True)
    status: int | None = field(default=None, kw_only=True)
    ordinary: bool = field(default=False, kw_only=True)

    @property
    def ran(self) -> bool:
        """Whether the probe ran at all; one that did not is no evidence about the mesh."""
        return self.kind is not OutcomeKind.INFRASTRUCTURE


@dataclass(frozen=True)
class Sample:
    """A whole answer kept as proof: the first, each that differs from the one before, and the last. Redacted."""

    at_s: float
    summary: str
    request_id: str
    remote_address: str
    total_s: float
    headers: dict[str, list[str]]
    body: str
    error: str
