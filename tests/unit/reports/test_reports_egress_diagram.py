"""The picture of the paths to external hosts: what it draws, and that it draws nothing without evidence."""

from __future__ import annotations

import pytest

from clients.model.evidence import Evidence, Verdict
from reports.html.egress_diagram import picture
from reports.matrix import MatrixStage

pytestmark = pytest.mark.unit


def case(name: str, *network_path: str, to: str = "example.com", verdict: Verdict = Verdict.PASS) -> Evidence:
    return Evidence(control=name, id=name, verdict=verdict, destination=to, network_path=network_path)


def drawn(*cases: Evidence) -> dict[str, str]:
    made = picture(MatrixStage("suite", "stage", cases))
    assert made is not None
    return {line.text: line.kind for line in made.lines}


def test_no_evidence_no_picture() -> None:
    assert picture(MatrixStage("suite", "stage", (case("A"),))) is None


def test_paths_are_drawn_as_far_as_requests_came() -> None:
    assert drawn(
        case("A", "team-x/test", "egress gateway", "example.com"),
        case("B", "team-y/test"),
        case("C", "team-x/test", "egress gateway", to="httpbin.org"),
        case("D", "team-x/raw", "storage.googleapis.com", to="storage.googleapis.com"),
        case("E", "team-x/test", "egress gateway", "example.com", verdict=Verdict.FAIL),
    ) == {
        "team-x/test → egress gateway → example.com": "odd",
        "team-y/test, refused before example.com": "stopped",
        "team-x/test → egress gateway, refused before httpbin.org": "stopped",
        "team-x/raw → storage.googleapis.com": "through",
    }


def test_cases_of_one_path_share_a_line() -> None:
    network_path = ("team-x/test", "egress gateway", "example.com")
    made = picture(MatrixStage("suite", "stage", (case("A", *network_path), case("B", *network_path))))
    assert made is not None
    assert [line.ids for line in made.lines] == [("A", "B")]
    assert made.gateway is not None


def test_without_the_gateway_none_is_drawn() -> None:
    made = picture(MatrixStage("suite", "stage", (case("A", "team-x/raw", "example.com"),)))
    assert made is not None
    assert made.gateway is None
    assert made.lines[0].end is None
