"""Mutants of probes: their answers, and the waiting for an outcome."""

from __future__ import annotations

from tests.harness_mutants.mutant import PROBE, HarnessMutant

ROW = "clients/probe/confirmation_row.py"

MUTANTS = (
    HarnessMutant(
        "infrastructure-is-a-mismatch",
        ROW,
        "if outcome.kind is OutcomeKind.INFRASTRUCTURE:",
        "if outcome is None:",
        PROBE,
    ),
    HarnessMutant(
        "a-pods-pair-has-two-connections",
        "clients/probe/session.py",
        "of_another = request.continues and given",
        "of_another = request.raw and given",
        PROBE,
    ),
    HarnessMutant("one-match-is-enough", ROW, "self.row >= self.demanded", "self.row >= 1", PROBE),
    HarnessMutant("flaps-ask-for-no-more", ROW, "return max(self.needed, min(", "return min(self.needed, max(", PROBE),
    HarnessMutant("a-flap-is-not-counted", ROW, "self.flaps += self.held", "self.flaps += 0 * self.held", PROBE),
    HarnessMutant(
        "a-mismatch-keeps-the-row",
        ROW,
        'self.row, self.held, self.mismatch, self.lost = 0, False, problem, ""',
        'self.held, self.mismatch, self.lost = False, problem, ""',
        PROBE,
    ),
    HarnessMutant("the-window-is-ignored", ROW, "now - self.row_start >= self.policy.window_s", "now >= 0", PROBE),
    HarnessMutant(
        "the-deadline-is-ignored",
        ROW,
        "self.in_time if self.row else now < self.deadline",
        "self.in_time if self.row else True",
        PROBE,
    ),
    HarnessMutant(
        "slow-confirmations-are-conclusive",
        ROW,
        "not (self.lost or only_slow or self._lossy)",
        "not (self.lost or self._lossy)",
        PROBE,
    ),
    HarnessMutant(
        "a-lost-answer-of-a-name-server-blames-the-mesh",
        ROW,
        "not (self.lost or only_slow or self._lossy)",
        "not (self.lost or only_slow)",
        PROBE,
    ),
    HarnessMutant(
        "name-servers-out-of-reach-are-not-judged",
        ROW,
        "if not self.wrong_at < late_s <= self.matched_at:",
        "if self.silent and not self.wrong_at < late_s <= self.matched_at:",
        PROBE,
    ),
    HarnessMutant(
        "a-lost-reset-blames-the-mesh",
        ROW,
        "self.silent = outcome.kind in TIMEOUTS and",
        "self.silent = False and",
        PROBE,
    ),
    HarnessMutant(
        "a-connection-that-must-not-be-is-silence",
        ROW,
        "outcome.kind in TIMEOUTS and phase_of(outcome.kind) <= max(map(phase_of, self.expect.kinds))",
        "outcome.kind in TIMEOUTS",
        PROBE,
    ),
    HarnessMutant(
        "any-share-of-requests-may-be-lost",
        ROW,
        "if self.silences > SILENCE * answers:",
        "if not answers:",
        PROBE,
    ),
    HarnessMutant(
        "one-node-of-several-is-dialled",
        "clients/probe/way_in.py",
        "return found[next(self._turns.setdefault(key, count())) % len(found)]",
        "return found[0]",
        PROBE,
    ),
    HarnessMutant("any-node-is-dialled", "clients/probe/way_in.py", "if one[0] or not only", "if True", PROBE),
    HarnessMutant(
        "an-address-need-not-answer",
        "clients/probe/way_in.py",
        "if self._leads(service, host, port):",
        "if host:",
        PROBE,
    ),
    HarnessMutant(
        "lost-probes-are-conclusive",
        ROW,
        "not (self.lost or only_slow or self._lossy)",
        "not (only_slow or self._lossy)",
        PROBE,
    ),
    HarnessMutant(
        "missing-outcomes-are-forgotten",
        ROW,
        'return outcomes + [infrastructure("", "the probe gave no outcome")] * (count - len(outcomes))',
        "return outcomes",
        PROBE,
    ),
    HarnessMutant(
        "replicas-do-not-count",
        "clients/probe/confirm.py",
        "pools = threads * replicas",
        "pools = threads",
        PROBE,
    ),
    HarnessMutant(
        "an-unresolved-name-is-a-timeout-of-the-network",
        "clients/probe/answer.py",
        'if not transfer.time_namelookup or transfer.errormsg.startswith("Resolving timed out"):',
        "if False:",
        ("probe",),
    ),
    HarnessMutant(
        "http2-is-answered-by-http1",
        "clients/probe/answer.py",
        'if http2 and answered and transfer.http_version != "2":',
        "if False:",
        ("probe",),
    ),
    HarnessMutant(
        "methods-are-in-capitals",
        "clients/probe/libcurl.py",
        "pycurl.CUSTOMREQUEST: request.method.encode()",
        "pycurl.CUSTOMREQUEST: request.method.upper().encode()",
        ("probe",),
    ),
)
