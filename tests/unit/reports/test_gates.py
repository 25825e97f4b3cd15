"""What of a run counts against it, with limits and with a baseline; and what the headline makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import a_case, sample_report

from clients.model.errors import MeshproofError
from clients.model.evidence import Grade, Verdict
from clients.model.known import KnownFailure
from reports import earlier, gates
from reports.gates import Baseline, Gates, judge
from reports.headline import headline, tone
from reports.marks import Mark
from reports.record import conformance
from reports.record.model import Report

pytestmark = pytest.mark.unit

PASSED = {"A": "pass", "B": "pass"}


@pytest.mark.parametrize(
    ("marks", "made", "code"),
    [
        ({}, Gates(), 0),
        ({"C": "fail"}, Gates(), 1),
        ({"C": Mark.KNOWN}, Gates(), 0),
        ({"C": "skip"}, Gates(), 0),
        ({"C": "inconclusive"}, Gates(), 3),
        ({"C": "not-run"}, Gates(), 3),
        ({"C": "reduced"}, Gates(), 0),
        ({"C": "reduced"}, Gates(max_reduced="0"), 3),
        ({"C": "reduced"}, Gates(max_reduced="1"), 0),
        ({"C": "inconclusive"}, Gates(max_inconclusive="1"), 0),
        ({"C": "inconclusive", "D": "not-run"}, Gates(max_inconclusive="1"), 3),
        ({"C": "inconclusive", "D": "not-run"}, Gates(max_inconclusive="50%"), 0),
        ({"C": "inconclusive", "D": "not-run"}, Gates(max_inconclusive="49%"), 3),
        ({"C": "fail", "D": "inconclusive"}, Gates(max_inconclusive="5"), 1),
    ],
)
def test_limits(marks: dict[str, str], made: Gates, code: int) -> None:
    assert judge(PASSED | marks, made).code == code


def test_nothing_proven_or_damaged_is_never_conforming() -> None:
    assert judge({"A": "skip"}, Gates()).code == 3
    assert judge({}, Gates(max_inconclusive="9")).code == 3
    assert judge(PASSED, Gates(), damaged=1).code == 3


@pytest.mark.parametrize(
    ("before", "now", "code"),
    [
        ("fail", "fail", 0),
        ("fail", "inconclusive", 0),
        ("fail", "not-run", 0),
        ("inconclusive", "inconclusive", 0),
        ("not-run", "inconclusive", 0),
        ("skip", "skip", 0),
        ("fail", "pass", 0),
        ("pass", "pass", 0),
        ("reduced", "reduced", 0),
        ("pass", "fail", 1),
        ("inconclusive", "fail", 1),
        ("known", "fail", 1),
        ("skip", "fail", 1),
        (None, "fail", 1),
        ("pass", "inconclusive", 3),
        ("skip", "not-run", 3),
        (None, "inconclusive", 3),
        ("pass", "skip", 3),
        ("reduced", "skip", 3),
        (None, "skip", 0),
        ("pass", "reduced", 3),
    ],
)
def test_with_a_baseline_only_what_is_worse_counts(before: str | None, now: str, code: int) -> None:
    marks = {"A": "pass", **({"C": before} if before else {})}
    assert judge({"A": "pass", "C": now}, Gates(max_reduced="0", baseline=Baseline("run", marks))).code == code


@pytest.mark.parametrize("text", ["", "-1", "1.5", "100%", "x", "1 %"])
def test_a_limit_is_a_number_or_a_share(text: str) -> None:
    with pytest.raises(ValueError, match="neither a number"):
        gates.limit(text, 100)


def test_the_headline_names_what_a_gate_allows_or_refuses() -> None:
    good, lost = a_case(id="A"), a_case(id="B", verdict=Verdict.INCONCLUSIVE, grade=None)

    def with_gates(made: Gates, *cases: object) -> Report:
        report = replace(sample_report(), cases=cases, not_run=())  # type: ignore[arg-type]
        return replace(report, run=replace(report.run, gates=made))

    allowed = with_gates(Gates(max_inconclusive="1"), good, lost)
    assert headline(allowed).startswith("Conforms but for 1 case inconclusive or not run: 1 of 2 cases proven")
    assert tone(allowed) == "pass"
    refused = with_gates(Gates(max_reduced="0"), good, replace(good, id="C", grade=Grade.REDUCED))
    assert headline(refused).startswith("Not proven (1 with reduced proof, at most 0 allowed): 2 of 2 cases")
    assert tone(refused) == "inconclusive"
    failed = a_case(id="F", verdict=Verdict.FAIL, grade=None)
    before = Gates(baseline=Baseline("20261126-000000-abcd", {"A": "pass", "F": "fail"}))
    same = with_gates(before, good, failed)
    assert headline(same).startswith("No worse than run 20261126-000000-abcd (1 case failed there too): 1 of 2")
    assert tone(same) == "pass"
    worse = with_gates(before, replace(failed, id="A"), failed, replace(good, id="G"))
    assert headline(worse).startswith("Does not conform: 2 cases failed (1 of them not in run 20261126-000000-abcd)")
    other = Gates(baseline=replace(before.baseline, of="live cluster b (istio 1.9)"))  # type: ignore[type-var]
    of = "run 20261126-000000-abcd of the live cluster b (istio 1.9)"
    assert headline(with_gates(other, good, failed)).startswith(f"No worse than {of} (1 case failed there too)")
    assert f"(1 of them not in {of})" in headline(with_gates(other, replace(failed, id="A"), failed))
    own = Gates(baseline=replace(before.baseline, of=same.target.title))  # type: ignore[type-var]
    assert headline(with_gates(own, good, failed)) == headline(same)


def test_an_earlier_run_is_read_with_the_marks_of_all_its_cases(tmp_path: Path) -> None:
    report = sample_report()
    entry = KnownFailure("LAB-JWT-04", "me", "https://example.com", "2099-01-01")
    failed = next(case for case in report.cases if case.verdict is Verdict.FAIL)
    cases = tuple(replace(case, known=entry) if case is failed else case for case in report.cases)
    report = replace(report, cases=cases)
    conformance.save(report, tmp_path / "conformance.json")
    for path in (tmp_path, tmp_path / "conformance.json"):
        assert earlier.load(path) == Baseline(report.run.id, report.marks, report.target.title)
    again = earlier.again(earlier.load(tmp_path))
    assert set(report.not_run) <= again
    assert failed.id not in again, "its failure is known"
    assert not again & {case.id for case in report.cases if case.verdict in (Verdict.PASS, Verdict.SKIP)}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": "junit"}', '{"schema": "meshproof/conformance/v2"}', "\x00", "[" * 100_000]
)
def test_a_file_of_another_program_or_a_damaged_one_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "conformance.json").write_text(text)
    with pytest.raises(MeshproofError) as caught:
        earlier.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gates_and_deadline_survive_the_file(tmp_path: Path) -> None:
    made = Gates("1%", "3", Baseline("x", {"A": "fail"}))
    report = sample_report()
    report = replace(report, run=replace(report.run, gates=made, deadline="25m"))
    conformance.save(report, tmp_path / "conformance.json")
    assert conformance.load(tmp_path).run == report.run
    old = json.loads((tmp_path / "conformance.json").read_text())
    del old["run"]["gates"], old["run"]["deadline"]
    assert conformance.from_json(old).run.gates == Gates()
