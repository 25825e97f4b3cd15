"""The egress suite says what the catalogue says."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from clients.kube.cleanup import Leftover
from clients.model.case import Case
from clients.model.stage import Stage
from suites.egress import state, test_clean_up

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
MODULES = [
    importlib.import_module(f"suites.egress.{path.stem}") for path in sorted((ROOT / "suites/egress").glob("test_*.py"))
]
CONTROLS = {
    control["id"]: control for control in yaml.safe_load((ROOT / "suites" / "catalogue.yaml").read_text())["cases"]
}
STATED = [case for module in MODULES for case in getattr(module, "CASES", ()) if case.control in CONTROLS]


def then(case: Case) -> dict[str, Any]:
    """What the catalogue says must come of it."""
    found: dict[str, Any] = CONTROLS[case.control]["then"]
    return found


def code(case: Case) -> str:
    """The HTTP status that the catalogue states; empty where it states none."""
    stated = str(then(case).get("status", ""))[:3]
    return stated if stated.isdigit() else ""


WITH_STATUS = [case for case in STATED if code(case)]
LOGGED = [case for case in STATED if "access_log" in then(case) and CONTROLS[case.control]["polarity"] != "state"]
ANSWERED = [case for case in STATED if "answered" in str(then(case).get("status", ""))]
WITH_CONTENT = [case for case in STATED if {"body", "state"} & set(then(case)) and not code(case)]


@pytest.mark.parametrize("stated", WITH_STATUS, ids=lambda case: case.id)
def test_a_case_has_the_status_of_the_catalogue(stated: Case) -> None:
    assert code(stated) == str(stated.expect.status or "000")


@pytest.mark.parametrize("stated", LOGGED, ids=lambda case: case.id)
def test_a_case_looks_at_a_log_where_the_catalogue_does(stated: Case) -> None:
    assert stated.logged or stated.arrival


@pytest.mark.parametrize("stated", ANSWERED, ids=lambda case: case.id)
def test_a_case_that_must_be_answered_is_answered_and_seen_by_the_server(stated: Case) -> None:
    assert stated.expect.status == 200
    assert stated.arrival


@pytest.mark.parametrize("stated", WITH_CONTENT, ids=lambda case: case.id)
def test_a_case_looks_at_the_content_where_the_catalogue_does(stated: Case) -> None:
    assert stated.expect.status == 200
    assert stated.expect.checks


def test_every_case_agrees_with_something_that_the_catalogue_says() -> None:
    compared = {case.id for case in (*WITH_STATUS, *LOGGED, *ANSWERED, *WITH_CONTENT)}
    assert [case.id for case in STATED if case.id not in compared] == []


def test_a_stage_that_changes_the_whole_mesh_says_so() -> None:
    stages: list[Stage] = [module.STAGE for module in MODULES if hasattr(module, "STAGE")]
    for_all = {"egress/strict/mesh-wide.yaml", "egress/routes/example-com-originate-tls.yaml"}
    wide = [stage for stage in stages if for_all & set(stage.apply)]
    assert {path for stage in wide for path in stage.apply} >= for_all
    assert [stage.name for stage in wide if "mesh-wide" not in stage.needs] == []


@pytest.mark.parametrize(
    ("left", "problem"),
    [
        ((), None),
        (("mp-x-main-test",), None),
        (("mp-x-main-end-test",), "left: Namespace mp-x-main-end-test (run r)"),
    ],
)
def test_clean_up_looks_for_what_was_deleted(left: tuple[str, ...], problem: str | None) -> None:
    seen = []
    found = [Leftover("v1", "Namespace", "", name, "r") for name in left]
    test_clean_up.test_nothing_remains(lambda _, __, problem_of: seen.append(problem_of()), lambda: found, "main-end-")
    assert seen == [problem]


GOOGLE = ("googleapis.com", "google.internal")


def test_hosts_are_registered_by_name_and_port_without_those_of_the_cluster() -> None:
    names = ("80||example.com", "443|originate|example.com", "8080||www.example.com", "80||echo.team-x.svc.corp.test")
    found = [{"cluster": {"name": f"outbound|{name}"}} for name in names]
    clusters = {"@type": "envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters": found}
    rig: Any = SimpleNamespace(mesh=SimpleNamespace(cluster_domain="corp.test"))
    known = state.registered(rig, {"configs": [clusters]})
    assert known == {"example.com:80", "example.com:443", "www.example.com:8080"}
    assert known - state.at_both_ports("example.com") == {"www.example.com:8080"}


def test_what_is_sent_to_google_needs_servers_in_its_place() -> None:
    """On the internet Google answers otherwise than the testbed's stand-ins."""
    stages = [module.STAGE for module in MODULES if hasattr(module, "STAGE")]
    settling = {stage.name for stage in stages for one in stage.settle if one.probe.destination.endswith(GOOGLE)}
    assert settling
    assert {stage.name for stage in stages if "stand-ins" in stage.needs} >= settling
