"""How a wait for an outcome is conducted, and what it saw: plain data of `clients.probe.converge`."""

from __future__ import annotations

from dataclasses import dataclass

from clients.model.attempt import Attempt, Sample
from clients.model.errors import SettingsError
from clients.model.outcome import Outcome

SLOW_SHARE = 0.75
"""A case that used more of its budget than this is slow (docs/convergence.md)."""


@dataclass(frozen=True)
class ConvergencePolicy:
    """How long to wait and how sure to be. All times in seconds.

    Attributes:
        budget_s: time that one case may take to converge, from the start of `converge`.
        poll_s: pause between two probes while the expected outcome has not come.
        window_s: the matches in a row must span at least this time.
        error_rate: accepted probability of calling a change converged too early (see `clients.probe.confirm`).
        confirmations: overrides the derived number of matches in a row.
        leak: share of requests let through that the probes of a denial must be enough to show (see
            `clients.probe.confirm.leak_share`); None for whatever its confirmations show.

    Raises:
        SettingsError: a value is out of range.
    """

    budget_s: float = 30.0
    poll_s: float = 0.05
    window_s: float = 0.25
    error_rate: float = 1e-4
    confirmations: int | None = None
    leak: float | None = None

    def __post_init__(self) -> None:
        for name, value, ok in (
            ("budget", self.budget_s, self.budget_s > 0),
            ("poll interval", self.poll_s, self.poll_s > 0),
            ("window", self.window_s, 0 <= self.window_s < self.budget_s),
            ("error rate", self.error_rate, 0 < self.error_rate < 1),
            ("number of confirmations", self.confirmations, self.confirmations is None or self.confirmations >= 1),
            ("leak", self.leak, self.leak is None or 0 < self.leak < 1),
        ):
            if not ok:
                raise SettingsError(f"{name} {value} is out of range", "see the settings' description")


@dataclass(frozen=True)
class Convergence:
    """What `converge` saw. Times in seconds since the change, durations in seconds.

    Attributes:
        converged: the expected outcome came and stayed.
        conclusive: False when infrastructure errors prevented a judgement; always True when converged.
        attempts: every probe, in order.
        samples: the first outcome, each that differs from the one before, and the last; redacted.
        flaps: how often a match was followed by a mismatch (with or without infrastructure outcomes between them).
        confirmations: length of the last run of matches.
        time_to_first_s: the first match; None when none came.
        time_to_stable_s: the last confirmation; None when not converged.
        duration_s: from the start to the end of `converge`.
        slow: more than 75 % of the budget was used.
        last: the last outcome; None when no probe was made.
        problem: why it is not converged, in one line; empty when it is.
    """

    converged: bool
    conclusive: bool
    attempts: tuple[Attempt, ...]
    samples: tuple[Sample, ...]
    flaps: int
    confirmations: int
    time_to_first_s: float | None
    time_to_stable_s: float | None
    duration_s: float
    slow: bool
    last: Outcome | None
    problem: str
