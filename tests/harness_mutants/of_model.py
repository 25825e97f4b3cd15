"""Mutants of what flows: expectations, outcomes, verdicts, known failures, what a stage may settle on."""

from __future__ import annotations

from tests.harness_mutants.mutant import PROBE, PROOF, HarnessMutant

MODEL = "clients/model"
KNOWN = "clients/model/known.py"
SETTLING = "clients/model/settling.py"

MUTANTS = (
    HarnessMutant(
        "infrastructure-is-a-denial",
        f"{MODEL}/expect.py",
        "if outcome.kind not in self.kinds or seen != stated:",
        "if seen != stated:",
        PROBE,
    ),
    HarnessMutant(
        "checks-are-not-asked",
        f"{MODEL}/expect.py",
        "return next((why for check in self.checks if (why := check.problem(outcome))), None)",
        "return None",
        PROBE,
    ),
    HarnessMutant(
        "a-header-matches-in-part",
        f"{MODEL}/expect.py",
        "if any(re.fullmatch(pattern, value) for value in values):",
        "if any(re.search(pattern, value) for value in values):",
        PROBE,
    ),
    HarnessMutant(
        "any-failed-transfer-is-a-reset",
        f"{MODEL}/outcome.py",
        "    56: OutcomeKind.RESET,\n",
        "    56: OutcomeKind.RESET,\n    1: OutcomeKind.RESET,\n    18: OutcomeKind.RESET,\n",
        PROBE,
    ),
    HarnessMutant(
        "an-error-status-is-no-refusal",
        f"{MODEL}/expect.py",
        "return self.status is None or self.status >= _BAD_REQUEST or bool(self.grpc_status)",
        "return self.status is None",
        PROOF,
    ),
    HarnessMutant(
        "every-pass-is-of-full-grade",
        f"{MODEL}/evidence.py",
        "return Verdict.PASS, Grade.REDUCED if unchecked else Grade.FULL",
        "return Verdict.PASS, Grade.FULL",
    ),
    HarnessMutant(
        "inconclusive-findings-pass",
        f"{MODEL}/evidence.py",
        "((Verdict.FAIL, FindingVerdict.FAIL), (Verdict.INCONCLUSIVE, FindingVerdict.INCONCLUSIVE))",
        "((Verdict.FAIL, FindingVerdict.FAIL),)",
    ),
    HarnessMutant(
        "an-entry-for-a-case-excuses-its-control",
        KNOWN,
        'self.control in (case, case.partition("[")[0])',
        'self.control.partition("[")[0] == case.partition("[")[0]',
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "an-expired-entry-excuses-on",
        KNOWN,
        "if entry.names(case) and entry.fits(mesh) and not entry.expired(day))",
        "if entry.names(case) and entry.fits(mesh))",
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "an-entry-excuses-whatever-is-seen",
        KNOWN,
        'if entry.observed in ("", observed)',
        "if True",
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "an-entry-excuses-every-mesh",
        KNOWN,
        'return not self.mesh or mesh == self.mesh or mesh.startswith(f"{self.mesh}.")',
        "return True",
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "a-stage-may-settle-on-the-state-before",
        SETTLING,
        "return before is not None and not may_both_match(before, settle.expect)",
        "return before is not None",
    ),
    HarnessMutant(
        "a-stage-may-settle-on-nothing", SETTLING, "if not state.is_changed(case)), None)", "if False), None)"
    ),
    HarnessMutant(
        "names-of-secrets-count-in-small-letters-only",
        "clients/model/redact.py",
        "    lower = text.lower()\n",
        "    lower = text\n",
        ("model",),
    ),
    HarnessMutant(
        "names-of-secrets-count-in-one-alphabet-only",
        "clients/model/redact.py",
        "    if not text.isascii():\n        return _NAMES\n",
        "",
        ("model",),
    ),
)
