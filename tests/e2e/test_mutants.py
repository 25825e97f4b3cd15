"""Each mutant of the mesh costs the right controls their pass: none that it concerns stays pass, the others do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e_runs import Ran, conform, controls

from clients.cluster import Cluster
from testbed import api
from tests.mutants import identity, workloads

pytestmark = pytest.mark.e2e

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
"""What of the ground the controls of a family touch: pods that no case needs cost seconds."""
PASS, FAIL, LOST = "pass", "fail", "inconclusive"
BUDGET_S = 4


@dataclass(frozen=True)
class Kill:
    """What a mutant must come to.

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


# Where a stage's change does not come (`settled`), nothing is proven in it, and its allowed cases fail with the others.
KILLS = [
    Kill(
        "not-injected",
        cases("LAB-SETUP-02", PASS)
        | cases("LAB-SETUP-03", FAIL)
        | cases("LAB-PERM-01 03", PASS)
        | cases("LAB-XFCC-01 03", FAIL)
        | cases("LAB-MTLS-01 02 03 04", FAIL),
        {"LAB-SETUP-03": "has containers httpbin", "LAB-XFCC-03": "twin:", "LAB-MTLS-03": "settled 1"},
    ),
    Kill(
        "port-exempt",
        cases("LAB-NSMTLS-01", PASS) | cases("LAB-NSMTLS-02 03 04", FAIL),
        {"LAB-NSMTLS-03": "expected 000 reset (56), saw 200"},
    ),
    Kill("matches-nothing", cases("LAB-AUTHZ-01 02 03 04", FAIL), {"LAB-AUTHZ-02": "saw 200"}),
    Kill("istiod-stopped", cases("LAB-NSMTLS-02 03 04", FAIL), {"LAB-NSMTLS-03": "settled 1"}),
    Kill(
        "backend-down",
        cases("LAB-MTLS-01", FAIL)
        | cases("LAB-MTLS-02", PASS)
        | cases("LAB-MTLS-03", FAIL)
        | cases("LAB-MTLS-04", PASS),
        {"LAB-MTLS-01": "saw 503", "LAB-MTLS-03": "refused"},
    ),
    Kill(
        "deny-all",
        cases("LAB-AUTHZ-01 02", FAIL),
        {"LAB-AUTHZ-01": "saw 403", "LAB-AUTHZ-02": "twin: LAB-AUTHZ-01 expected 200, saw 403"},
    ),
    Kill("replica-cut-off", cases("LAB-NSMTLS-02 03 04", FAIL), {"LAB-NSMTLS-03": "saw 200"}),
    Kill(
        "exec-forbidden",
        cases("LAB-NSMTLS-02 03 04", LOST),
        {"LAB-NSMTLS-02": "orbidden", "LAB-NSMTLS-03": "orbidden"},
    ),
    Kill(
        "wrong-key",
        cases("LAB-JWT-01", FAIL) | cases("LAB-JWT-02", PASS) | {"LAB-JWT-03[RS256]": FAIL},
        {"LAB-JWT-01": "twin: LAB-JWT-03 expected 200, saw 401", "LAB-JWT-03[RS256]": "saw 401"},
        ("-k", "not ES256"),
    ),
    Kill(
        "any-token",
        cases("LAB-AUTHZ-01 02 03", PASS) | cases("LAB-AUTHZ-04", FAIL),
        {"LAB-AUTHZ-04": "saw 200"},
    ),
    Kill("two-rules", cases("LAB-PATH-01 02 03 04", FAIL), {"LAB-PATH-02": "saw 200"}),
    Kill("wrong-namespace", cases("LAB-NSMTLS-02 03 04", FAIL), {"LAB-NSMTLS-03": "saw 200"}),
    Kill(
        "root-namespace",
        cases("LAB-NSMTLS-02", FAIL) | cases("LAB-NSMTLS-03 04", PASS),
        {"LAB-NSMTLS-02": "saw 000 reset (56)"},
    ),
    Kill(
        "copy-stays",
        cases("LAB-CLEAN-01 02", FAIL),
        {"LAB-CLEAN-01": "saw 403", "LAB-CLEAN-02": "twin: LAB-CLEAN-01 expected 200, saw 403"},
    ),
    Kill(
        "faked-denial",
        cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
        {"LAB-AUTHZ-02": "refused requests reached the backend"},
    ),
    Kill(
        "nobody-counted",
        cases("LAB-DASH-01", FAIL) | cases("LAB-DASH-02", PASS),
        {"LAB-DASH-01": "counted as the other caller's"},
    ),
]


@pytest.mark.parametrize("kill", KILLS, ids=[kill.mutant for kill in KILLS])
def test_mutant_is_killed(kill: Kill, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    how = request.getfixturevalue("restricted_identity") if kill.mutant == "exec-forbidden" else ((), {})
    ran = spoilt(tmp_path, kill, *how)
    assert ran.verdicts == kill.verdicts, ran.output[-3000:]
    for name, text in kill.because.items():
        assert text in ran.cases[name]["reason"]
    assert ran.code == 1
    assert ran.secrets() == []
    assert ran.left == []
    assert any(path.is_relative_to(ran.folder / "diagnostics") for path in ran.files)  # type: ignore[operator]


def spoilt(scratch: Path, kill: Kill, words: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> Ran:
    """The run of the mutant, with the controls that it is measured by."""
    names = [re.sub(r"\[.*", "", name) for name in kill.verdicts]
    lab = [name for name in names if kill.suite == Kill.suite]
    ground = {place for name in lab for family, places in NEEDED.items() if family in name for place in places}
    options = ("--budget", str(BUDGET_S), "--ground", ",".join(sorted(ground)))
    plugin = ("-p", "tests.mutants.plugin", "--mutant", kill.mutant, *options)
    return conform(scratch, *plugin, *controls(*names), *kill.words, *words, environment=environment, suite=kill.suite)


@pytest.fixture
def restricted_identity(
    cluster: Cluster, testbed: api.Up, tmp_path: Path
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Options and environment of a run by an identity that may do what it needs, and no more."""
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    with identity.restricted(cluster, tmp_path) as kubeconfig:
        yield ("--kubeconfig", str(kubeconfig)), images


@pytest.fixture(scope="module", autouse=True)
def istiod_runs(cluster: Cluster) -> Iterator[None]:
    """A killed mutant could leave it stopped."""
    yield
    workloads.mend_istiod()
