"""Attempts in `conformance.json`: what probes in a row have in common is written once, and nothing is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import a_case, sample_report

from clients.model.attempt import Attempt, Phase
from clients.model.outcome import OutcomeKind
from reports.record import conformance, series
from reports.record.model import ReportError

pytestmark = pytest.mark.unit


def probe(number: int, status: int = 403, *, ordinary: bool = False) -> Attempt:
    phase = Phase.CONFIRM if number else Phase.CONVERGE
    return Attempt(0.1 * number, phase, True, str(status), f"mp-{number}", "", f"10.0.0.1:{40000 + number}",
                   kind=OutcomeKind.STATUS, status=status, ordinary=ordinary)  # fmt: skip


PROBES = (probe(0), *(probe(number, ordinary=number % 3 == 0) for number in range(1, 30)))


def written(attempts: tuple[Attempt, ...]) -> dict[str, Any]:
    report = replace(sample_report(), cases=(a_case(attempts=attempts),), not_run=())
    [case] = conformance.to_json(report)["cases"]
    assert isinstance(case, dict)
    return case


def test_probes_with_the_same_answer_are_one_entry() -> None:
    case = written(PROBES)
    assert case["attempts"] == len(PROBES)
    waiting, confirming = case["timeline"]
    assert (waiting["phase"], waiting["at_s"], waiting["request_id"]) == ("converge", [0.0], ["mp-0"])
    assert (confirming["phase"], confirming["status"], confirming["summary"]) == ("confirm", 403, "403")
    assert [len(confirming[name]) for name in series.OF_EACH] == [29] * 4
    assert confirming["at_s"][:3] == [0.1, 0.2, 0.3]
    assert confirming["ordinary"][:3] == [False, False, True]


def test_a_probe_takes_less_than_a_hundred_bytes() -> None:
    """A whole run has 40,000 of them; each with all names of its fields had 200."""
    few, many = (len(json.dumps(written(PROBES[:number])["timeline"], separators=(",", ":"))) for number in (10, 30))
    assert (many - few) / 20 < 100


def test_an_answer_in_between_is_an_entry_of_its_own() -> None:
    attempts = (*PROBES[:4], probe(4, 200), *PROBES[5:])
    case = written(attempts)
    assert [one["status"] for one in case["timeline"]] == [403, 403, 200, 403]
    assert series.unfold(case["timeline"]) == series.unfold(written(attempts)["timeline"])


def test_every_attempt_comes_back(tmp_path: Path) -> None:
    attempts = tuple(replace(one, at_s=round(one.at_s, 6)) for one in PROBES)
    report = replace(sample_report(), cases=(a_case(attempts=attempts),), not_run=())
    conformance.save(report, tmp_path / "conformance.json")
    assert conformance.load(tmp_path / "conformance.json").cases[0].attempts == attempts


def test_attempts_one_by_one_are_read_too(tmp_path: Path) -> None:
    """As it was written before a release had them otherwise."""
    path = tmp_path / "conformance.json"
    conformance.save(sample_report(), path)
    data = json.loads(path.read_text())
    for case in data["cases"]:
        case["timeline"] = series.unfold(case["timeline"])
        assert all(isinstance(one["at_s"], float) for one in case["timeline"])
    path.write_text(json.dumps(data))
    assert conformance.load(path) == sample_report()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at_s": ["soon", 1.0]}, r"timeline\[0\]\.at_s: .*number"),
        ({"at_s": [1.0]}, r"timeline\[0\]: at_s, request_id, local and ordinary are not of one length"),
        ({"local": "here"}, r"timeline\[0\]: at_s, request_id, local and ordinary are not of one length"),
        ({"local": None}, r"timeline\[0\]: at_s, request_id, local and ordinary are not of one length"),
        ({"phase": "later"}, r"timeline\[0\]\.phase"),
    ],
)
def test_a_damaged_entry_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "conformance.json"
    conformance.save(replace(sample_report(), cases=(a_case(attempts=PROBES[1:3]),), not_run=()), path)
    data = json.loads(path.read_text())
    data["cases"][0]["timeline"][0].update(change)
    path.write_text(json.dumps(data))
    with pytest.raises(ReportError, match=rf"cases\[0\]\.{message}"):
        conformance.load(path)
