"""The versions of the mesh that the testbed has are those that README and the documents promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.versions import DEFAULT_ISTIO, SUPPORTED_MINORS, istio_release

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPTION = re.compile(r"--istio (\d+(?:\.\d+)+)")


def test_readme_names_exactly_the_supported_minors() -> None:
    assert set(OPTION.findall(README)) | {DEFAULT_ISTIO} == set(SUPPORTED_MINORS)
    assert f"Istio {DEFAULT_ISTIO}" in README


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_a_document_offers_no_other_version(page: Path) -> None:
    assert set(OPTION.findall(page.read_text(encoding="utf-8"))) <= set(SUPPORTED_MINORS)


def test_the_deviations_tell_which_versions_they_were_measured_on() -> None:
    head = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8").split("|", 1)[0]
    for release in map(istio_release, SUPPORTED_MINORS):
        assert f"Istio {release.version}" in head
        assert f"Envoy {release.envoy}" in head


@pytest.mark.parametrize("words", [("up",), ("testbed", "build"), ("run",), ("test",)], ids=" ".join)
def test_another_version_is_one_line_and_exit_code_2(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "runner", *words, "--istio", "1.28"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "meshproof: Istio '1.28' is not a version of the testbed; choose one of 1.31 (1.31.1), 1.29 (1.29.1)\n"
    )
