"""Mutants of what the mesh says: its logs, and why a policy did not do what was meant."""

from __future__ import annotations

from tests.harness_mutants.mutant import HarnessMutant

WHY = "clients/mesh/why"

MUTANTS = (
    HarnessMutant(
        "a-log-with-a-gap-is-complete",
        "clients/mesh/access_logs/log_lines.py",
        "        if self._gap:\n            raise InfrastructureError(self._gap)\n",
        "",
        ("mesh", "proof"),
    ),
    HarnessMutant(
        "why-blames-a-policy-for-the-contrary",
        f"{WHY}/detectors.py",
        "if case.effect not in reason.effects or (",
        "if (",
        ("mesh",),
    ),
    HarnessMutant(
        "why-guesses-what-it-may-not-read", f"{WHY}/view.py", "if kind not in self.known:", "if False:", ("mesh",)
    ),
    HarnessMutant(
        "why-takes-a-dry-run-for-a-policy",
        f"{WHY}/view.py",
        "is not False and not policy.dry_run]",
        "is not False]",
        ("mesh",),
    ),
    HarnessMutant(
        "a-step-takes-back-what-an-earlier-one-has-put",
        "clients/apply/stage_objects.py",
        "[item for item in items if item.key not in over]",
        "items if over else items",
        ("apply",),
    ),
    HarnessMutant(
        "a-file-begun-before-the-first-look-is-whole",
        "clients/kube/log_follower.py",
        "if before is None and self._rotated(run):",
        "if before is not None and self._rotated(run):",
        ("kube",),
    ),
    HarnessMutant(
        "a-hosts-log-that-was-begun-again-is-not-read",
        "clients/mesh/host_log.py",
        "            if now != self._file:\n",
        "            if now is None:\n",
        ("mesh",),
    ),
    HarnessMutant(
        "a-torn-line-of-a-hosts-log-is-lost",
        "clients/mesh/host_log.py",
        "(self._torn + added).split",
        "added.split",
        ("mesh",),
    ),
    HarnessMutant(
        "a-handshake-is-a-request",
        "clients/mesh/host_log.py",
        'if data.get("event") == "request":',
        'if data.get("event"):',
        ("mesh",),
    ),
)
