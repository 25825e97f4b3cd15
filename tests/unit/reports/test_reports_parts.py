"""A large page stays small: cases are packed, and what the script asks of them is in the index."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from report_samples import JWT, a_case, sample_report

from clients.model.evidence import Applied, Verdict
from reports.html import render
from reports.html.parts import PER_PART
from tests.report_parts import parts, unfolded

pytestmark = pytest.mark.unit


def test_five_thousand_cases_are_few_elements() -> None:
    cases = tuple(
        a_case(id=f"X-{number}", control=f"X-{number}", stage=f"stage {number // 100}", attempts=a_case().attempts[:4])
        for number in range(5000)
    )
    page = render(replace(sample_report(), cases=cases, not_run=()))
    without = re.sub(r"<noscript>.*?</noscript>", "", page, flags=re.DOTALL)
    assert len(re.findall(r"<[a-z]", without)) < 3000
    assert len(page) < 4_000_000
    assert unfolded(page).count('<details class="case pass"') == 5000


def test_bodies_are_in_the_order_of_the_index() -> None:
    cases = tuple(a_case(id=f"X-{number}", expected=f"expects {number}.") for number in range(2 * PER_PART + 3))
    found = parts(render(replace(sample_report(), cases=cases, not_run=())))
    rows = json.loads(found["index"])["cases"]
    bodies = [json.loads(found[f"b{number}"]) for number in range(3)]
    assert [len(some) for some in bodies] == [PER_PART, PER_PART, 3]
    for place, row in enumerate(rows):
        number = row[0].removeprefix("X-")
        assert f"expects {number}." in bodies[place // PER_PART][place % PER_PART]


def test_the_index_has_what_filters_and_search_ask() -> None:
    service = Applied("a.yaml", "Service", "a", "a", "")
    case = a_case(
        id="X-1", slow=True, flaps=2, applied=(JWT, service), polarity="deny", suite="suites/a.py",
        verdict=Verdict.FAIL, source="A/client", destination="b.example.com", observed="000 Reset (56)",
    )  # fmt: skip
    [row] = json.loads(parts(render(replace(sample_report(), cases=(case,), not_run=())))["index"])["cases"]
    assert row[:8] == ["X-1", "fail", 0, "suites/a.py", "deny", ["RequestAuthentication"], 1, 2]
    for word in ("x-1", "a/client", "b.example.com", "000 reset (56)", "fail", "get /ip"):
        assert word in row[8], word


def test_readers_without_scripts_have_the_list_of_cases() -> None:
    found = re.search(r"<noscript>.*?</noscript>", render(sample_report()), re.DOTALL)
    assert found is not None
    for case in sample_report().cases:
        assert f"<td>{case.id}</td>" in found[0]
