"""Two runs compared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import a_case, found, sample_report, sample_run, sample_target

from clients.model.evidence import Evidence, FindingVerdict, Grade, Verdict
from reports.diff import Difference, compare
from reports.record.model import MeshRecord, Report

pytestmark = pytest.mark.unit

HEADINGS = ("regressed", "removed", "newly_skipped", "reduced", "still_failing", "fixed", "added", "changed")


def _report(**verdicts: str) -> Report:
    return Report(sample_run(), sample_target(), tuple(_one(key, value) for key, value in verdicts.items()))


def _one(key: str, value: str) -> Evidence:
    if value == "reduced":
        unchecked = found("access log", "there is none", FindingVerdict.NOT_CHECKED)
        return a_case(id=key, grade=Grade.REDUCED, findings=(*a_case().findings, unchecked))
    verdict = Verdict(value)
    grade = Grade.FULL if verdict is Verdict.PASS else None
    return a_case(id=key, verdict=verdict, grade=grade, reason="" if grade else f"why {key}")


def _headings(difference: Difference) -> dict[str, list[str]]:
    found = {name: [change.id for change in getattr(difference, name)] for name in HEADINGS}
    return {name: ids for name, ids in found.items() if ids}


@pytest.mark.parametrize(
    ("before", "after", "heading", "code"),
    [
        ("pass", "pass", None, 0),
        ("pass", "fail", "regressed", 1),
        ("pass", "inconclusive", "regressed", 1),
        ("pass", "skip", "newly_skipped", 1),
        ("pass", None, "removed", 1),
        ("fail", "pass", "fixed", 0),
        ("fail", "fail", "still_failing", 0),
        ("fail", "inconclusive", "still_failing", 0),
        ("fail", "skip", "newly_skipped", 1),
        ("inconclusive", "pass", "fixed", 0),
        ("skip", "skip", None, 0),
        ("skip", "pass", "fixed", 0),
        ("skip", "fail", "regressed", 1),
        (None, "pass", "added", 0),
        (None, "fail", "added", 1),
        ("pass", "reduced", "reduced", 1),
        ("reduced", "reduced", None, 0),
        ("reduced", "pass", "fixed", 0),
        ("reduced", "fail", "regressed", 1),
        ("fail", "reduced", "fixed", 0),
        (None, "reduced", "added", 0),
    ],
)
def test_every_change_has_one_heading(before: str | None, after: str | None, heading: str | None, code: int) -> None:
    was, now = (_report(**({"A": verdict} if verdict else {})) for verdict in (before, after))
    difference = compare(was, now)
    assert _headings(difference) == ({heading: ["A"]} if heading else {})
    assert difference.exit_code == code


def test_the_same_run_differs_in_nothing() -> None:
    difference = compare(sample_report(), sample_report())
    assert _headings(difference) == {"still_failing": ["LAB-NSMTLS-03", "LAB-AUTHZ-02", "LAB-PATH-04"]}
    assert difference.exit_code == 0
    assert compare(_report(A="pass"), _report(A="pass")).text() == "no case differs\n"


def test_another_expectation_is_listed_even_where_both_pass() -> None:
    before = _report(A="pass")
    after = replace(before, cases=(replace(before.cases[0], expected="403", observed="403"),))
    difference = compare(before, after)
    assert _headings(difference) == {"changed": ["A"]}
    assert "expected 000 reset (56), saw 000 reset (56); now expected 403, saw 403" in difference.text()


def test_the_text_names_the_environment_and_the_worst_first() -> None:
    before, after = _report(A="pass", B="fail", C="pass", D="pass"), _report(A="fail", B="pass", D="reduced")
    mesh = MeshRecord("istio", "1.31.1", "default")
    after = replace(after, target=replace(after.target, mesh=mesh), not_run=("C",))
    assert compare(before, after).text() == (
        "mesh: istio 1.29.1 → istio 1.31.1\n\n"
        "regressed (1)\n  A: pass → fail (why A)\n\n"
        "removed (1)\n  C: pass → absent (selected but not run)\n\n"
        "reduced (1)\n  D: pass → pass, reduced (not checked: access log: there is none)\n\n"
        "fixed (1)\n  B: fail → pass\n"
    )


def test_a_case_that_lost_proof_and_shows_something_else_has_one_heading_and_both_notes() -> None:
    before, after = _report(A="pass"), _report(A="reduced")
    difference = compare(before, replace(after, cases=(replace(after.cases[0], observed="403"),)))
    assert _headings(difference) == {"reduced": ["A"]}
    assert "not checked: access log: there is none; expected" in difference.text()


def test_another_cluster_of_the_same_kind_is_named() -> None:
    before = _report(A="pass")
    live = [replace(before, target=replace(before.target, kind="live", context=name)) for name in ("blue", "green")]
    assert compare(*live).environment == {"target": ("live blue", "live green")}


def test_what_no_run_shows_is_a_note() -> None:
    """Two runs that ended at the same place differ in nothing: that is not what their reader wants to know."""
    whole = _report(A="pass")
    cut = replace(whole, not_run=("B", "C"))
    assert compare(cut, cut).notes == ("2 cases did not run before", "2 cases did not run after")
    assert compare(whole, cut).notes == ("2 cases did not run after",)
    assert compare(_report(), whole).notes == ("no case ran before",)
    assert compare(cut, replace(_report(B="pass"), not_run=("A",))).notes == ("2 cases did not run before",)


@pytest.mark.parametrize("text", ["received {} bytes", "after {} ms", "{} requests"])
def test_what_was_measured_is_no_other_outcome(text: str) -> None:
    one = _report(A="pass")
    sides = [replace(one, cases=(replace(one.cases[0], observed=text.format(count)),)) for count in (101, 102)]
    assert _headings(compare(*sides)) == {}
