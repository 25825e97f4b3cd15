"""Mutants of what the mesh says: its logs, and why a policy did not do what was meant."""

from __future__ import annotations

from tests.harness_mutants.mutant import HarnessMutant

WHY = "clients/mesh/why"

MUTANTS = (
    HarnessMutant(
        "a-log-with-a-gap-is-complete",
        "clients/mesh/log_lines.py",
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
)
