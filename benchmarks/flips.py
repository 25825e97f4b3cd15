"""A flip of a policy: its probes before and after it was called converged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from clients.model.expect import Expectation
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe.confirmation_row import ProbeMany


@dataclass(frozen=True)
class FlipAnswer:
    """One probe's answer. `at_s` counts from the moment when the change was sent."""

    at_s: float
    matched: bool
    lost: bool
    outcome: Outcome


@dataclass
class FlipRecorder:
    """Passes probes on and records the answers.

    The answers of a batch arrive together; each gets its share of the batch's time, since probes are sent in turn.
    """

    send: ProbeMany
    expect: Expectation
    since: float
    seen: list[FlipAnswer] = field(default_factory=list)

    def __call__(self, count: int) -> Sequence[Outcome]:
        """Send `count` probes and record their answers."""
        started = time.monotonic() - self.since
        outcomes = self.send(count)
        share = (time.monotonic() - self.since - started) / max(1, len(outcomes))
        for number, outcome in enumerate(outcomes, 1):
            lost = outcome.kind is OutcomeKind.INFRASTRUCTURE
            matched = self.expect.problem(outcome) is None
            self.seen.append(FlipAnswer(started + share * number, matched, lost, outcome))
        return outcomes


@dataclass(frozen=True)
class Flip:
    """One change of one policy.

    Attributes:
        pooled: whether the client's sidecar keeps connections to the server's.
        before: probes until it was called converged; `after`: the further probes. Neither has lost probes.
        declared_s: time at which it was called converged; None if it never was.
    """

    kind: str
    way: str
    before: tuple[FlipAnswer, ...]
    after: tuple[FlipAnswer, ...]
    declared_s: float | None
    needed: int
    pooled: bool = False

    @property
    def first_s(self) -> float:
        """Time of the first match."""
        return next((seen.at_s for seen in self.before if seen.matched), float("nan"))

    @property
    def stale(self) -> list[FlipAnswer]:
        """Contrary answers that came after the first match, before it was called converged."""
        return [seen for seen in self.before if not seen.matched and seen.at_s > self.first_s]

    @property
    def settled_s(self) -> float:
        """Time of the first match after the last contrary answer."""
        last = max((number for number, seen in enumerate(self.before) if not seen.matched), default=-1)
        return self.before[last + 1].at_s

    @property
    def extra_s(self) -> float:
        """The extra wait."""
        assert self.declared_s is not None
        return self.declared_s - self.settled_s

    @property
    def contrary(self) -> list[FlipAnswer]:
        """Contrary answers after it was called converged."""
        return [seen for seen in self.after if not seen.matched]

    def too_early(self, matches: int) -> bool:
        """Whether a contrary answer followed the first `matches` matches in a row."""
        row = 0
        for seen in (*self.before, *self.after):
            if row >= matches and not seen.matched:
                return True
            if row < matches:
                row = row + 1 if seen.matched else 0
        return False
