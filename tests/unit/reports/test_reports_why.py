"""Why a case failed, where it is known: one line in every report."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import a_case, sample_report
from rich.console import Console

from clients.model.evidence import Verdict
from reports.formats import junit, markdown, terminal
from reports.html.page import render
from reports.record.conformance import to_json

pytestmark = pytest.mark.unit


def test_why_is_in_every_report() -> None:
    text = "AuthorizationPolicy shop/require-jwt carries istio.io/rev=canary; the proxies run revision default"
    case = a_case(verdict=Verdict.FAIL, grade=None, reason="expected 403, saw 200", why=text)
    report = replace(sample_report(), cases=(case,))
    console = Console(file=io.StringIO(), width=200)
    terminal.Progress(console).case(case)
    terminal.print_summary(console, report, Path("index.html"))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert printed.count(f"why: {text}\n") == 2
    assert f"  why: {text}\n" in terminal.explain(case)
    assert f"<b>why:</b> {text}" in render(report)
    assert f"why: {text}" in junit.render(report)
    assert f"why       {text}" in markdown.render(report)
    assert to_json(report)["cases"][0]["why"] == text


def test_a_case_without_why_has_no_such_line() -> None:
    case = a_case(verdict=Verdict.FAIL, grade=None, reason="expected 403, saw 200")
    assert "why:" not in terminal.explain(case)
    assert "<b>why:</b>" not in render(replace(sample_report(), cases=(case,)))
