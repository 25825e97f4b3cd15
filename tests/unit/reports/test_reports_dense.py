"""Large truth tables in the page: many columns show outcomes only, and many passes are a line each."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from clients.model.evidence import Evidence, Grade, TwinProof, Verdict
from reports import html
from reports.matrix import matrix, seen, short_host, stages
from reports.record.model import Report, RunInfo, TargetInfo
from tests.report_parts import unfolded

pytestmark = pytest.mark.unit


def cell(source: int, there: int, verdict: Verdict = Verdict.PASS, observed: str = "200", **more: Any) -> Evidence:
    grade = more.get("grade", Grade.FULL if verdict is Verdict.PASS else None)
    return Evidence(
        control="X-T-01",
        id=f"X-T-01[{source} to {there}]",
        title="each reaches each",
        polarity="allow",
        verdict=verdict,
        grade=grade,
        reason="" if verdict is Verdict.PASS else "no",
        expected="200",
        observed=observed,
        stage="scale",
        source=f"n{source}/web",
        destination=f"web.n{there}.svc.cluster.local",
    )


def page(cases: list[Evidence]) -> str:
    return unfolded(html.render(Report(RunInfo("r", "", ""), TargetInfo("embedded"), tuple(cases))))


def test_a_table_of_many_columns_is_dense_and_a_small_one_is_not() -> None:
    assert matrix(stages([cell(1, n) for n in range(7)])[0]).dense  # type: ignore[union-attr]
    assert not matrix(stages([cell(1, n) for n in range(6)])[0]).dense  # type: ignore[union-attr]


def test_a_dense_cell_says_what_was_observed_and_what_failed_has_a_sign() -> None:
    text = page([cell(1, n) for n in range(7)] + [cell(2, 0, Verdict.FAIL, "000 reset (56)")])
    assert '<table class="dense">' in text
    assert ">200</a>" in text
    assert '<span role="img" aria-label="fail">✕</span></a>' in text
    assert "n2/web → web.n0: fail, expected 200, observed 000 reset (56)" in text


def test_many_passes_are_a_line_each_with_their_anchors_and_all_others_stay_whole() -> None:
    cases = [cell(s, t) for s in range(5) for t in range(6)]
    denial = replace(cell(9, 9), id="X-T-01[denied]", twin=TwinProof("X-T-02", Verdict.PASS, "200", "200", ""))
    failed, reduced = cell(8, 8, Verdict.FAIL), cell(8, 9, grade=Grade.REDUCED)
    [stage] = stages([*cases, denial, failed, reduced])
    assert len(stage.bulk) == 30
    assert stage.single == (denial, failed, reduced)
    text = page([*cases, denial, failed, reduced])
    assert "30 cells of tables, each as expected" in text
    assert text.count('<details class="case') == 3
    for case in cases:
        assert f">{case.id}<" in text


def test_few_passes_are_shown_whole() -> None:
    [stage] = stages([cell(1, n) for n in range(24)])
    assert stage.bulk == ()
    assert len(stage.single) == 24


def test_words_of_a_dense_cell() -> None:
    assert seen(cell(1, 1)) == "200"
    assert seen(cell(1, 1, observed="000 reset (56)")) == "000"
    assert seen(cell(1, 1, Verdict.SKIP, "")) == "skip"
    assert short_host("web.n1.svc.cluster.local") == "web.n1"
    assert short_host("httpbin.org") == "httpbin.org"


def test_a_table_of_2500_cells_scrolls_below_its_heads_in_a_file_of_a_few_megabytes() -> None:
    text = page([cell(s, t) for s in range(50) for t in range(50)])
    assert '<div class="grid wide"' in text
    assert len(re.findall('<a class="pass" data-case="[0-9]+" href="#X-T-01.', text)) == 2500
    assert len(text) < 3_000_000


def test_cells_hold_every_case_between_their_two_ends_in_order() -> None:
    again = replace(cell(1, 2), id="X-T-01[again]")
    made = matrix(stages([cell(1, 2), cell(1, 3), again])[0])
    assert made is not None
    assert made.cells == (((cell(1, 2), again), (cell(1, 3),)),)
