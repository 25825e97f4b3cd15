"""The egress tutorial on the embedded cluster: it conforms with two workers, and its evidence has the network paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_runs import EndedRun, conform, found

from runner.config import catalogue

pytestmark = pytest.mark.e2e

NOT_HERE = {"needs Google Cloud (gke-only)", "the target lacks node-pool"}
"""How the reasons begin for which a control may be skipped on the testbed."""


@pytest.fixture(scope="module")
def whole(testbed: object, tmp_path_factory: pytest.TempPathFactory) -> EndedRun:
    """The whole tutorial by two workers."""
    return conform(tmp_path_factory.mktemp("egress"), "-n", "2", suite="suites/egress")


def test_whole_tutorial_conforms(whole: EndedRun) -> None:
    assert whole.code == 0, whole.output[-6000:]
    skipped = [case for case in whole.report["cases"] if case["verdict"] == "skip"]
    assert set(whole.verdicts.values()) <= {"pass", "skip"}
    for case in skipped:
        assert any(case["reason"].startswith(reason) for reason in NOT_HERE), case["reason"]
    documented = {name for name in catalogue.load().controls if name.startswith("EGR-")}
    assert {case["control"] for case in whole.report["cases"]} >= documented
    assert len(skipped) < 10
    assert whole.report["not_run"] == []


def test_network_policies_follow_a_stage_that_has_them_too(testbed: object, tmp_path: Path) -> None:
    before = "suites/egress/test_google_apis.py"
    ran = conform(tmp_path, "suites/egress/test_network_policies.py", suite=before)
    assert ran.code == 0, ran.output[-6000:]
    assert "EGR-NETPOL-07" in ran.verdicts


def test_the_network_paths_are_those_of_the_document(whole: EndedRun) -> None:
    paths = {case["id"]: case["network_path"] for case in whole.report["cases"] if case["network_path"]}
    assert paths["EGR-ROUTE-03"] == ["team-x/test", "egress gateway", "example.com"]
    assert paths["EGR-AUTHZ-06"] == ["team-x/test", "egress gateway"]
    assert paths["EGR-TENANT-03"] == ["team-y/test"]
    assert paths["EGR-API-04"] == ["team-x/test", "storage.googleapis.com"]


def test_every_denial_of_an_external_host_is_absent_there(whole: EndedRun) -> None:
    asked = [case for case in whole.report["cases"] if "external server's log" in found(case) and case["twin"]]
    assert len(asked) > 15
    for case in asked:
        text = found(case)["external server's log"]
        assert "refused request ids absent" in text or "requests arrived" in text, case["id"]


def test_no_secret_is_revealed_and_nothing_is_left(whole: EndedRun) -> None:
    assert whole.secrets() == []
    assert whole.left == []
