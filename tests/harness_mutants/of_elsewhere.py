"""Mutants of manifests, of the connection, of identities, of reports and of the session."""

from __future__ import annotations

from tests.harness_mutants.mutant import HarnessMutant

EXCUSES = "runner/session/needs/excuses.py"
MARKER_OBJECTS = "clients/apply/marker_objects.py"

MUTANTS = (
    HarnessMutant(
        "what-was-admitted-is-what-was-applied",
        "clients/apply/read_back.py",
        'return item.api_version.partition("/")[0] in _ENFORCED',
        "return item.api_version in _ENFORCED",
        ("apply",),
    ),
    HarnessMutant(
        "known-lines-come-twice",
        "clients/kube/log_follower.py",
        "if self._known[line] > 0:",
        "if self._known[line] > 99:",
        ("kube",),
    ),
    HarnessMutant(
        "what-is-inconclusive-is-excused",
        EXCUSES,
        "if evidence.verdict is not Verdict.FAIL:",
        "if evidence.verdict not in (Verdict.FAIL, Verdict.INCONCLUSIVE):",
        ("runner/session/test_excuses.py",),
    ),
    HarnessMutant(
        "one-known-failure-excuses-the-others",
        EXCUSES,
        "return bool(wrong) and all(one.known for one in wrong)",
        "return any(one.known for one in wrong)",
        ("runner/session/test_excuses.py",),
    ),
    HarnessMutant(
        "known-failures-are-failures",
        "reports/record/model.py",
        'return self.totals["fail"] - len(self.known)',
        'return self.totals["fail"]',
        ("reports/test_reports_known.py",),
    ),
    HarnessMutant(
        "an-entry-of-what-passes-stays-for-ever",
        "reports/known.py",
        "    if not passed:\n",
        "    if passed:\n",
        ("reports/test_reports_known.py",),
    ),
    HarnessMutant(
        "a-damaged-journal-conforms-in-a-fleet",
        "reports/fleet/matrix.py",
        "damaged=found.damaged)",
        "damaged=0)",
        ("reports/test_damaged_reports.py",),
    ),
    HarnessMutant(
        "the-journal-of-a-run-that-goes-on-is-compressed",
        "reports/write.py",
        'not (report.run.ended == "" and _goes_on(journal_file))',
        "report.run is not None",
        ("reports/test_reports_formats.py",),
    ),
    HarnessMutant(
        "a-number-that-is-none-is-read",
        "reports/files.py",
        "return number if math.isfinite(number) else _refuse(text)",
        "return number",
        ("reports/test_damaged_reports.py",),
    ),
    HarnessMutant(
        "a-marker-is-used-again", "clients/apply/marker_objects.py", "return secrets.token_hex(8)", 'return "a"'
    ),
    HarnessMutant(
        "a-marker-shuts-ports-of-tcp",
        MARKER_OBJECTS,
        '"to": [{"operation": {"ports": [str(port)]}}],',
        '"to": [{"operation": {"ports": ["*"]}}],',
    ),
    HarnessMutant(
        "a-short-write-is-whole",
        "reports/record/journal.py",
        "if os.write(descriptor, whole) < len(whole):",
        "if os.write(descriptor, whole) < 0:",
        ("reports",),
    ),
    HarnessMutant(
        "a-claim-is-never-removed",
        "clients/identity/named.py",
        "for name, value in content.items() if value is not None}",
        "for name, value in content.items()}",
        ("identity",),
    ),
    HarnessMutant(
        "misspelt-capabilities-are-lacking",
        "runner/session/planning/mistakes.py",
        "if name not in known:",
        "if False:",
        ("runner",),
    ),
    HarnessMutant(
        "every-cluster-is-cluster-local",
        "clients/apply/overlay.py",
        "return cluster_domain.in_domain(named, self.domain)",
        "return named",
        ("apply",),
    ),
)
