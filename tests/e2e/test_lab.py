"""The whole lab on the embedded cluster: it conforms, however it is run, and its evidence is complete."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_runs import EndedRun, conform, controls, found

from reports.record import series
from runner.config import catalogue

pytestmark = pytest.mark.e2e

OPTIONS = {
    "one process": ("-n", "0"),
    "two workers": ("-n", "2"),
    "four workers": ("-n", "4"),
    "shuffled": ("-n", "2", "--shuffle", "11"),
}
NIGHTLY = {"one process", "four workers"}
PART = controls("LAB-MTLS-03", "LAB-NSMTLS-02", "LAB-NSMTLS-03", "LAB-AUTHZ-01", "LAB-AUTHZ-04")
SPOILT = ("-p", "tests.mutants.plugin", "--mutant", "any-token", "--budget", "8")
ENVIRONMENT = ("--environment", "mtls-client,legacy-client,mtls-service,strict-mtls-service")
PART_VERDICTS = {
    "LAB-MTLS-03": "pass",
    "LAB-NSMTLS-02": "pass",
    "LAB-NSMTLS-03": "pass",
    "LAB-NSMTLS-03[TLS without a certificate]": "pass",
    "LAB-NSMTLS-03[TLS with a certificate of a foreign authority]": "pass",
    "LAB-NSMTLS-03[TLS with a certificate of a foreign trust domain]": "pass",
    "LAB-AUTHZ-01": "pass",
    "LAB-AUTHZ-04": "fail",
    "LAB-AUTHZ-04[longer-subject]": "fail",
    "LAB-AUTHZ-04[prefixed-subject]": "fail",
}


KNOWN = {"X-CVE-GHSA-W44G-01[post]", "X-CVE-GHSA-W44G-01[Post]"}
"""What the embedded mesh is open to (`suites/known-embedded.toml`)."""


@pytest.fixture(scope="module")
def whole(testbed: object, tmp_path_factory: pytest.TempPathFactory) -> EndedRun:
    """The whole lab by two workers."""
    return conform(tmp_path_factory.mktemp("whole"), "-n", "2")


def test_whole_lab_conforms(whole: EndedRun) -> None:
    assert whole.code == 0, whole.output[-6000:]
    assert {name for name, verdict in whole.verdicts.items() if verdict != "pass"} == KNOWN
    assert {whole.verdicts[name] for name in KNOWN} == {"known"}
    documented = {name for name in catalogue.load().controls if name.startswith("LAB-")}
    assert {case["control"] for case in whole.report["cases"]} >= documented
    assert whole.report["not_run"] == []
    assert set(whole.report["run"]["planned"]) == set(whole.verdicts)
    assert {case["worker"] for case in whole.report["cases"]} == {"gw0", "gw1"}


def test_every_denial_has_its_proofs(whole: EndedRun) -> None:
    denials = [case for case in whole.report["cases"] if case["polarity"] == "deny" and not case["known"]]
    assert len(denials) > 15
    for case in denials:
        about = case["id"]
        assert case["twin"]["verdict"] == "pass", about
        assert case["twin"]["request_id"], about
        assert found(case)["exec"].startswith("curl ran "), about
        if "XFCC" not in about:  # these arrive, and lack a header
            assert "absent, the twin's present" in found(case)["backend log"] or _no_server(case), about


def test_every_attempt_has_a_request_of_its_own(whole: EndedRun) -> None:
    for case in whole.report["cases"]:
        if not case["source"] or case["known"]:  # read off the cluster, not probed; or never as pinned
            continue
        attempts = series.unfold(case["timeline"])
        inside = [attempt for attempt in attempts if attempt["phase"] in {"converge", "confirm"}]
        ids = [attempt["request_id"] for attempt in inside]
        assert all(ids), case["id"]
        assert len(set(ids)) == len(ids), case["id"]
        assert case["confirmations"] >= 3, case["id"]
        assert not case["slow"], case["id"]


def test_a_change_is_seen_against_the_state_before_it(whole: EndedRun) -> None:
    changed = [case for case in whole.report["cases"] if "before the change" in found(case)]
    assert len(changed) > 20
    for case in changed:
        attempts = series.unfold(case["timeline"])
        before = [attempt for attempt in attempts if attempt["at_s"] < 0 and attempt["phase"] == "baseline"]
        assert len(before) >= 3, case["id"]
        assert case["applied"], case["id"]


def test_no_secret_is_revealed(whole: EndedRun) -> None:
    assert len(whole.files) > 5
    assert whole.secrets() == []


def test_nothing_is_left_on_this_machine(whole: EndedRun) -> None:
    assert whole.left == []


@pytest.mark.parametrize("how", [pytest.param(how, marks=[pytest.mark.nightly] * (how in NIGHTLY)) for how in OPTIONS])
def test_same_verdicts_however_it_is_run(how: str, tmp_path: Path) -> None:
    """A part of the lab, with exclusive and shared stages and one control that must fail."""
    ran = conform(tmp_path, *SPOILT, *ENVIRONMENT, *PART, *OPTIONS[how])
    assert ran.verdicts == PART_VERDICTS, ran.output[-3000:]
    assert ran.code == 1
    assert ran.left == []


def _no_server(case: dict[str, object]) -> bool:
    return str(case["stage"]) == "no-server"
