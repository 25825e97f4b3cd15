"""The row of matches that a convergence demands: its length, what starts it again, what is kept of its probes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clients.model.attempt import Attempt, Phase
from clients.model.counted import counted
from clients.model.errors import InfrastructureError
from clients.model.expect import Expectation
from clients.model.outcome import TIMED_OUT, TIMEOUTS, Outcome, OutcomeKind, infrastructure, phase_of
from clients.model.redact import redact
from clients.probe import ordinary
from clients.probe.attempts import as_attempt
from clients.probe.confirm import confirmations_after_flaps
from clients.probe.convergence import ConvergencePolicy

ProbeMany = Callable[[int], Sequence[Outcome]]
"""Sends n probes, each on a fresh connection and with its own request id, and returns their n outcomes in order."""


AGAIN_S = 1.0
"""Seconds after which a client without an answer retries: TCP (RFC 6298, section 2) as well as DNS."""
_ASKS_AGAIN = frozenset({*TIMEOUTS, OutcomeKind.DNS})


MAX_BATCH = 32
"""Probes sent at once: as many as a client pod can run in parallel."""

GROWTH = 4
"""Budgets more that confirmations may take once they have begun within the first: how long they take is decided by the
distance to the cluster and by the number of proxies' threads, and not by the mesh."""

UNWATCHED_SHARE, UNWATCHED_S = 0.5, 10.0
"""Share of the budget, and seconds at least, at its end: where no answer is known to be of that time, nothing says that
the outcome did not come. Less is within what a probe may wait for its turn at a client that many cases share."""

LATE_SHARE = 0.5
"""Share of the budget, at its end, in which a match shows that what was lost before it was lost now and then only."""

SILENCE = 0.05
"""Share of the requests since the first match that may have no answer in time: more is a server that falls silent."""

MAX_GROWTH = 20
"""Times the confirmations by which they may grow after flaps: a rare contrary answer would ask for thousands."""

MAX_SAMPLES = 40
"""Limit of the whole answers that are kept of one case, however often it flaps."""


@dataclass
class ConfirmationRow:
    """State of one `converge`: the row of matches, and what is reported about it.

    Attributes:
        contrary, matched: answers since the first match, one that included.
        row: matches in a row; `row_start` is the time of the first.
        in_time: the row began within the budget.
        held: the last outcome that was not infrastructure matched.
        mismatch: what the last mismatch was.
        contrary_at: the latest time at which the answer is known to have been contrary: a probe may have been answered
            long before its outcome was here, where the machine or the way to the cluster stood still meanwhile.
        unresolved: that was a name that no name server resolved in time.
        silent: that was a request without an answer in time, which came no farther than it must; `silences` are all.
        matched_at, wrong_at: the latest times of a match, and of a mismatch that was neither of these two.
        lost: the last infrastructure outcome since the last mismatch.
        probe_s: mean duration of a probe of the last batch.
        shown: outcomes that are kept whole, with their times; redacted when they are asked for, as that takes long.
    """

    probe: ProbeMany
    expect: Expectation
    policy: ConvergencePolicy
    needed: int
    since: float
    deadline: float
    unchanged: bool
    clock: Callable[[], float]
    attempts: list[Attempt] = field(default_factory=list)
    shown: list[tuple[Outcome, float]] = field(default_factory=list)
    flaps: int = 0
    contrary: int = 0
    matched: int = 0
    row: int = 0
    row_start: float = 0.0
    in_time: bool = False
    first_s: float | None = None
    last: Outcome | None = None
    held: bool = False
    mismatch: str = ""
    contrary_at: float = 0.0
    unresolved: bool = False
    silent: bool = False
    silences: int = 0
    matched_at: float = -math.inf
    wrong_at: float = -math.inf
    lost: str = ""
    probe_s: float = 0.0

    def step(self) -> bool:
        """One batch of probes; True when the expected outcome came in time and has stayed."""
        count = self._batch()
        started = self.clock()
        outcomes = self._send(count)
        now = self.clock()
        self.probe_s = (now - started) / count
        for outcome in outcomes:
            self._judge(outcome, started, now)
        stayed = self.row >= self.demanded and now - self.row_start >= self.policy.window_s
        return stayed and self.in_time and now < self.limit

    @property
    def demanded(self) -> int:
        """Matches in a row that are enough: more where answers have changed back, or luck would end the wait."""
        answers = self.contrary + self.matched - self.row
        after_flaps = confirmations_after_flaps(self.flaps, self.contrary, answers, self.policy.error_rate)
        return max(self.needed, min(after_flaps, MAX_GROWTH * self.needed))

    @property
    def limit(self) -> float:
        """When to give up: later than the deadline while a row that began in time is confirmed."""
        return self.deadline + GROWTH * self.policy.budget_s if self.row and self.in_time else self.deadline

    def pause(self) -> float:
        """Seconds until the next batch: none while confirmations are missing, never past the limit."""
        wait = self.policy.poll_s
        if self.row:
            window_left = self.row_start + self.policy.window_s - self.clock()
            wait = 0.0 if self.row < self.demanded else min(wait, max(0.0, window_left))
        return max(0.0, min(wait, self.limit - self.clock()))

    @property
    def conclusive(self) -> bool:
        """Whether the mesh, and not the harness, is why it did not converge."""
        only_slow = (self.row > 0 and self.in_time) or self._unwatched
        return bool(self.mismatch) and not (self.lost or only_slow or self._lossy)

    @property
    def _lossy(self) -> str:
        """What the network lost now and then, at last, where all that came was as it must be; empty otherwise.

        A datagram to a name server is lost, and no proxy has such a request: a policy that shuts the way leaves no name
        resolved for long. Silence is no answer contrary to a policy: a reset is sent once only (RFC 9293, section
        3.5.2), so that a lost one leaves its client waiting, and an overloaded machine may take longer than a request
        waits. A packet filter that drops in the place of a policy, or a replica that hangs, leaves more than a few
        unanswered.
        """
        late_s = self.deadline - LATE_SHARE * self.policy.budget_s
        if not self.wrong_at < late_s <= self.matched_at:
            return ""
        answers = self.contrary + self.matched
        if self.silences > SILENCE * answers:
            return ""
        if self.unresolved:
            return "the name was resolved now and then only"
        return f"{self.silences} of {counted(answers, 'request')} had no answer in time" if self.silent else ""

    @property
    def _unwatched(self) -> bool:
        """Whether the end of the budget was not looked at, so that the outcome may have come in time."""
        least_s = max(UNWATCHED_S, UNWATCHED_SHARE * self.policy.budget_s)
        return bool(self.mismatch) and self.contrary_at < self.deadline - least_s

    @property
    def problem(self) -> str:
        """Why it has not converged, in one line."""
        differs = ordinary.difference(self.attempts)
        return f"{self._late}; {differs}" if differs else self._late

    @property
    def _late(self) -> str:
        budget, flaps = f"in {self.policy.budget_s:g} s", counted(self.flaps, "flap")
        if self.row and self.in_time:
            whole_s = (1 + GROWTH) * self.policy.budget_s
            late = f"probes were too slow for {self.demanded} confirmations in {whole_s:g} s: {self.row} in a row"
            return redact(f"{late}, none contrary since the first of them")
        if self.lost:
            return redact(f"not judged {budget}: {self.lost}")
        if lossy := self._lossy:
            return redact(f"not judged {budget}: {lossy}, {flaps}: {self.mismatch}")
        if self._unwatched:
            seen_s = self.policy.budget_s - (self.deadline - self.contrary_at)
            return redact(f"not judged {budget}: nothing was seen after {seen_s:.3g} s, where {self.mismatch}")
        if self.row:
            late = f"{self.row} of {self.demanded} confirmations, {flaps}, last: {self.mismatch or 'none'}"
            return redact(f"not stable {budget}: {late}")
        return redact(f"{self.mismatch} (after {budget[3:]}, {flaps})")

    def _batch(self) -> int:
        """How many probes fit: one while waiting, then what is missing, as far as the time left allows.

        No batch goes past the deadline, as a mismatch in it would leave no time for a row that begins after it; later
        ones are short, so that a contrary answer ends the wait soon.
        """
        missing = self.demanded - self.row
        waiting = not self.row and (bool(self.attempts) or not self.unchanged)
        if waiting or missing <= 0:
            return 1
        now = self.clock()
        left_s = self.deadline - now if now < self.deadline else min(self.limit - now, self.policy.budget_s / 4)
        fit = int(left_s / self.probe_s) if self.probe_s > 0 else MAX_BATCH
        return max(1, min(missing, fit, MAX_BATCH))

    def _send(self, count: int) -> list[Outcome]:
        """Exactly `count` outcomes; those that are missing are infrastructure."""
        try:
            outcomes = list(self.probe(count))[:count]
        except InfrastructureError as error:
            return [infrastructure("", str(error))] * count
        return outcomes + [infrastructure("", "the probe gave no outcome")] * (count - len(outcomes))

    def _judge(self, outcome: Outcome, sent: float, now: float) -> None:
        phase = Phase.CONFIRM if self.row else Phase.CONVERGE
        if outcome.kind is OutcomeKind.INFRASTRUCTURE:
            problem = self.lost = outcome.summary
            self.row = 0
        elif problem := self.expect.problem(outcome) or "":
            self.flaps += self.held
            self.contrary += self.first_s is not None
            self.row, self.held, self.mismatch, self.lost = 0, False, problem, ""
            self.contrary_at = min(now, sent + outcome.total_s)
            self.unresolved = outcome.kind is OutcomeKind.DNS and outcome.exit_code == TIMED_OUT
            self.silent = outcome.kind in TIMEOUTS and phase_of(outcome.kind) <= max(map(phase_of, self.expect.kinds))
            self.silences += self.silent and self.first_s is not None
            self.wrong_at = self.wrong_at if self.unresolved or self.silent else now
        else:
            begins = sent if outcome.kind in _ASKS_AGAIN and outcome.total_s > AGAIN_S else now
            self.row_start = self.row_start if self.row else begins
            self.in_time = self.in_time if self.row else now < self.deadline
            self.row, self.held, self.matched = self.row + 1, True, self.matched + 1
            self.first_s = now - self.since if self.first_s is None else self.first_s
            self.matched_at = now
        attempt = as_attempt(outcome, problem, now - self.since, phase)
        self._keep(outcome, attempt)
        self.attempts.append(attempt)
        self.last = outcome

    def _keep(self, outcome: Outcome, attempt: Attempt) -> None:
        """The newest sample is always the last outcome; the one before it is dropped unless it began something new."""
        before = [(a.summary, a.matched) for a in self.attempts[-2:]]
        repeated = len(before) == 2 and before[0] == before[1]
        if len(self.shown) > 1 and (repeated or len(self.shown) >= MAX_SAMPLES):
            self.shown.pop()
        self.shown.append((outcome, attempt.at_s))
