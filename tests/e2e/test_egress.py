"""The egress tutorial on the embedded cluster: it conforms with two workers, and its evidence has the network paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e_runs import EndedRun, conform

from runner.config import catalogue

pytestmark = pytest.mark.e2e

NOT_HERE = {"needs Google Cloud (gke-only)", "the target lacks node-pool"}
"""How the reasons begin for which a control may be skipped on the testbed."""
ANSWERED_THERE = ("EGR-ORIG-03", "EGR-API-04", "EGR-API-06")
"""Denials whose requests arrive: the external host's own answer shows what was, or was not, done to them."""


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
    asked = {
        case["id"]: finding
        for case in whole.report["cases"]
        for finding in case["findings"]
        if case["twin"] and finding["name"] == "external server's log"
    }
    assert len(asked) > 15
    arrived = {name: asked.pop(name) for name in ANSWERED_THERE}
    for name, finding in (asked | arrived).items():
        assert finding["verdict"] == "pass", (name, finding)
        assert "refused requests arrived" not in finding["text"], (name, finding)
    for name, finding in asked.items():
        assert re.fullmatch(r"[1-9]\d* refused request ids absent", finding["text"]), (name, finding)
    for name, finding in arrived.items():
        assert re.match(r"[1-9]\d* requests arrived (over TLS|without TLS) ", finding["text"]), (name, finding)


def test_no_secret_is_revealed_and_nothing_is_left(whole: EndedRun) -> None:
    assert whole.secrets() == []
    assert whole.left == []
