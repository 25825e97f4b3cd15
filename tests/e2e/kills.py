"""The verdicts that a mutant must cause, and the run that shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from e2e_runs import Ran, conform, controls

TWO = ("mtls-client", "mtls-service")
NEEDED = {
    "-NSMTLS-": ("mtls-client", "legacy-client", "mtls-service", "strict-mtls-service"),
    "-MTLS-": ("mtls-client", "legacy-client", "mtls-service", "legacy-service"),
    "-PERM-": ("mtls-client", "legacy-client", "mtls-service", "legacy-service"),
    "-XFCC-": ("mtls-client", "legacy-client", "mtls-service", "legacy-service"),
    "-SETUP-": ("mtls-client", "legacy-client", "mtls-service", "legacy-service"),
    "-DASH-": ("mtls-client", "legacy-client", "mtls-service"),
    **dict.fromkeys(("-JWT-", "-AUTHZ-", "-PATH-", "-CLEAN-"), TWO),
}
"""The namespaces of the environment that the controls of a family need: pods that no case needs cost seconds."""
PASS, FAIL, LOST = "pass", "fail", "inconclusive"
BUDGET_S = 4


@dataclass(frozen=True)
class Kill:
    """The verdicts that a mutant must cause.

    Attributes:
        verdicts: of every case of the run, by id; they select the controls too.
        because: text that the reason of a case must contain.
        words: further options of the run.
        suite: the folder of the controls.
    """

    mutant: str
    verdicts: dict[str, str]
    because: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    suite: str = "suites/lab"


def cases(names: str, verdict: str) -> dict[str, str]:
    """`LAB-MTLS-01 02` as ids, each with the verdict."""
    first, *others = names.split()
    return {first[:-2] + number: verdict for number in (first[-2:], *others)}


def spoilt(scratch: Path, kill: Kill, words: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> Ran:
    """The run of the mutant, with the controls of its verdicts."""
    names = [re.sub(r"\[.*", "", name) for name in kill.verdicts]
    lab = [name for name in names if kill.suite == Kill.suite]
    needed = {place for name in lab for family, places in NEEDED.items() if family in name for place in places}
    options = ("--budget", str(BUDGET_S), "--environment", ",".join(sorted(needed)))
    plugin = ("-p", "tests.mutants.plugin", "--mutant", kill.mutant, *options)
    return conform(scratch, *plugin, *controls(*names), *kill.words, *words, environment=environment, suite=kill.suite)


def is_killed(ran: Ran, kill: Kill) -> None:
    """Every control of the run has the verdict that the mutant must cause, for the right reason.

    Raises:
        AssertionError: one has not, or the run left something behind or revealed a secret.
    """
    assert ran.verdicts == kill.verdicts, ran.output[-3000:]
    for name, text in kill.because.items():
        assert text in ran.cases[name]["reason"]
    assert ran.code == 1
    assert ran.secrets() == []
    assert ran.left == []
