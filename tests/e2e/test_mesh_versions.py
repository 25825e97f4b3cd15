"""The whole catalogue on every version of the mesh that README names: it conforms, and only what is known is skipped.

Nightly: each version that is not built yet takes about 5 minutes of both processors, and its run as long again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from e2e_runs import MESHPROOF, start

from runner.config import catalogue
from testbed import api
from testbed.versions import SUPPORTED_MINORS, istio_release

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

SKIPPED = {"EGR-NODE-01", "EGR-NODE-02", "EGR-NODE-03", "IAP-PRE-01", "IAP-PRE-03"}
"""Controls that need a second node, or Google Cloud."""
OF_LATER_VERSIONS = {"1.29": {"X-TRAP-WILDCARD-03"}}
"""Controls of what a later Istio brought, by minor: names of a wildcard that sidecars resolve themselves (1.30)."""
NEVER_OF_A_GOOD_RUN = {"X-CLEAN-UP"}
"""Recorded only where a stage did not leave the mesh as it found it."""


@pytest.mark.parametrize("minor", SUPPORTED_MINORS)
def test_the_whole_catalogue_conforms(minor: str, elsewhere: dict[str, str], tmp_path: Path) -> None:
    api.build(minor, lambda line: print(line, file=sys.stderr, flush=True))
    words = ("run", "-n", "2", "--istio", minor, "--out", "{out}")
    ran = start(tmp_path, *MESHPROOF, *words, environment=elsewhere).end()
    assert ran.code == 0, ran.output[-6000:]
    assert ran.report["target"]["mesh"]["version"] == istio_release(minor).version
    assert ran.report["not_run"] == []
    expected = SKIPPED | OF_LATER_VERSIONS.get(minor, set())
    assert {case["control"] for case in ran.report["cases"] if case["verdict"] == "skip"} == expected
    assert set(ran.verdicts.values()) == {"pass", "skip", "known"}
    documented = set(catalogue.load().controls) - NEVER_OF_A_GOOD_RUN
    assert {case["control"] for case in ran.report["cases"]} == documented
