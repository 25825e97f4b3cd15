"""What a run prints while it goes on and at its end, on a terminal and into a file."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import UNCHECKED, a_case, sample_report
from rich.console import Console

from clients.model.evidence import Evidence, Verdict
from reports.formats import terminal
from reports.marks import GLYPHS
from reports.record.model import Report

pytestmark = pytest.mark.unit

LONG = (
    "namespaces of this run: the service account 'default' of 'team-x' may not 'get' 'secrets' in 'istio-system', " * 4
)


def _console(width: int = 100, tty: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=tty, color_system=None)


def _text(console: Console) -> str:
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def _printed(cases: Iterable[Evidence], *, width: int = 100, tty: bool = False, live: bool | None = None) -> str:
    console, listed = _console(width, tty), tuple(cases)
    progress = terminal.Progress(console, [case.id for case in listed], live=live)
    for case in listed:
        progress.case(case)
    progress.finish()
    return _text(console)


def _summary(report: Report, width: int = 100, tty: bool = False) -> str:
    console = _console(width, tty)
    terminal.print_summary(console, report, Path("reports/out/r1/index.html"))
    return _text(console)


def _open(number: int, verdict: Verdict = Verdict.SKIP) -> Evidence:
    return a_case(id=f"LAB-X-{number:03d}", verdict=verdict, grade=None, reason=LONG)


def test_every_case_has_one_line_in_a_file_below_the_title_of_its_stage() -> None:
    report = sample_report()
    lines = _printed(report.cases).splitlines()
    ids = [case.id for case in report.cases]
    assert [key for line in lines for key in ids if f" {key} " in line[:45]] == ids
    heading = lines.index("A mesh-wide policy demands mutual TLS  mesh-wide-strict")
    assert lines[heading - 1] == ""
    assert " LAB-MTLS-01 " in lines[heading + 1]
    assert "setup" in lines
    assert "\r" not in "".join(lines)
    assert "test_lab.py" not in "".join(lines)


def test_lines_on_a_terminal_keep_its_width() -> None:
    text = _printed(sample_report().cases, width=80, tty=True)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_pass_of_reduced_grade_says_so_and_what_was_not_checked() -> None:
    case = next(case for case in sample_report().cases if case.id == "LAB-JWT-04[expired]")
    line = terminal.case_line(case).plain
    assert line.startswith("✓ pass  reduced  LAB-JWT-04[expired] ")
    assert line.endswith(" (access log not checked)")
    assert terminal.case_line(a_case()).plain.startswith("✓ pass           LAB-MTLS-03 ")


@pytest.mark.parametrize("tty", [True, False])
@pytest.mark.parametrize("verdict", [Verdict.SKIP, Verdict.INCONCLUSIVE])
def test_a_long_reason_is_printed_whole_once_and_then_named(tty: bool, verdict: Verdict) -> None:
    text = _printed((_open(number, verdict) for number in range(130)), tty=tty)
    whole = " ".join(text.split())
    assert whole.count(LONG.strip()) == 1
    assert whole.count("same reason as LAB-X-000") == 129


def test_a_short_reason_is_repeated() -> None:
    text = _printed(replace(_open(number), reason="no browser here") for number in range(3))
    assert text.count("no browser here") == 3


def test_another_reason_is_printed_whole_too() -> None:
    text = _printed([_open(1), replace(_open(2), reason=f"{LONG} else"), _open(3)])
    assert text.count(LONG.strip()) == 2
    assert "same reason as LAB-X-001" in text


def test_a_case_that_comes_after_the_heading_of_another_stage_names_its_own() -> None:
    first, other = a_case(), a_case(id="O-1", stage="other", stage_title="Another state")
    skip = replace(first, id="A-4", verdict=Verdict.SKIP, grade=None, reason="no browser here")
    cases = [first, replace(first, id="A-2"), other, replace(first, id="A-3"), replace(other, id="O-2"), skip]
    lines = [line for line in _printed(cases).splitlines() if line]
    assert [line for line in lines if line[0].isalpha()] == [
        "A mesh-wide policy demands mutual TLS  mesh-wide-strict",
        "Another state  other",
    ]
    labelled = [line.split()[2] for line in lines if "mesh-wide-strict: " in line]
    assert labelled == ["A-3", "A-4"]
    assert lines[-1].endswith(" mesh-wide-strict: no browser here")


class Clock:
    """Seconds that pass when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_on_a_terminal_the_last_line_counts_and_says_how_long_the_rest_may_take() -> None:
    console, clock = _console(tty=True), Clock()
    planned = [f"C-{number}" for number in range(1221)]
    progress = terminal.Progress(console, planned, live=True, clock=clock)
    for number in range(312):
        clock.now = 100.0 + number
        progress.case(a_case(id=f"C-{number}", verdict=Verdict.FAIL if number == 7 else Verdict.PASS))
    progress.case(a_case(id="X-CLEAN-UP[other]"))
    progress.finish()
    last = re.findall(r"\[ [^\r]*", _text(console))[-1]
    assert last == "[ 312/1221 ]  about 15 min 10 s left  1 fail"
    assert _text(console).endswith("\r\x1b[2K")


def test_no_estimate_is_made_from_a_moment() -> None:
    console, clock = _console(tty=True), Clock()
    progress = terminal.Progress(console, ["A", "B", "C"], live=True, clock=clock)
    progress.case(a_case(id="A"))
    assert "[ 1/3 ]\r" in _text(console)
    assert "left" not in _text(console)


def test_a_case_that_is_recorded_twice_counts_once() -> None:
    console = _console(tty=True)
    progress = terminal.Progress(console, ["A", "B"], live=True)
    progress.case(a_case(id="A"))
    progress.case(a_case(id="A"))
    assert "[ 2/2 ]" not in _text(console)


def test_nothing_is_written_over_in_a_file_or_where_the_console_is_no_terminal() -> None:
    assert not terminal.Progress(_console(tty=False)).live
    assert not terminal.Progress(_console(tty=True)).live  # marked up by force, into a file


def test_markup_in_evidence_is_printed_as_it_is() -> None:
    assert "[red]x[/nope]" in _printed([a_case(id="C[bold]", title="[red]x[/nope]", stage_title="[b]")], width=200)


def test_the_summary_groups_what_is_not_proven_by_reason() -> None:
    cases = (*(_open(number) for number in range(130)), *(_open(number, Verdict.INCONCLUSIVE) for number in (200, 201)))
    text = " ".join(_summary(replace(sample_report(), cases=cases, not_run=())).split())
    ids = ", ".join(f"LAB-X-{number:03d}" for number in range(6))
    assert f"{GLYPHS['skip']} skip 130 cases: {ids} and 124 more" in text
    assert "? inconclusive 2 cases: LAB-X-200, LAB-X-201" in text
    assert text.count(LONG.strip()) == 2


def test_the_summary_of_a_run() -> None:
    text = _summary(sample_report())
    assert "Does not conform: 2 cases failed, 33 of 41 cases proven on the embedded cluster (istio 1.29.1)" in text
    assert "3 of them with reduced proof (access log not checked)\ntook 42 s\n" in text
    assert re.search(r"^✓ pass  reduced  3 cases: LAB-JWT-04\[wrong-issuer\], ", text, re.MULTILINE)
    assert f"not checked: access log: {UNCHECKED}\n" in text
    assert re.search(r"^✕ fail +LAB-AUTHZ-02 ", text, re.MULTILINE)
    assert "○ not run        2 cases: LAB-PERM-05[mtls-client-mtls-service], " in text
    assert text.endswith("report: reports/out/r1/index.html\n")
    row = next(line for line in text.splitlines() if line.strip().startswith("Tokens are checked"))
    assert re.search(r" 6 +\(3\) +· +· +· +\d+\.\d\d s$", row)


def test_a_summary_in_a_file_keeps_each_reason_in_one_line() -> None:
    text = _summary(sample_report(), width=80)
    assert "needs capability metrics: the proxies of this target have no standard metrics filter\n" in text


def test_the_summary_has_a_column_only_for_what_occurs() -> None:
    text = _summary(replace(sample_report(), cases=(a_case(),), not_run=()))
    assert re.search(r"stage +pass +fail +slowest", text)


def test_the_explanation_says_what_was_expected_seen_and_where_to_look() -> None:
    case = next(case for case in sample_report().cases if case.id == "LAB-AUTHZ-02")
    text = terminal.explain(case)
    for part in (
        "expected  403, body contains 'RBAC: access denied'",
        "observed  200",
        "path      mtls-client/sleep → httpbin.mtls-service",
        "more changes of the answer",
        "✕ It stayed: 29 matches in a row were not reached in 30.4 s; 39 flaps",
        "✕ Backend log: mp-7c1e-1f0a9c42 reached replica httpbin-5d8f7c9c5b-x2k4q",
        "AuthorizationPolicy mp7c1e-mtls-service/require-jwt (lab/require-jwt.yaml)",
        "look at   diagnostics/LAB-AUTHZ-02",
    ):
        assert part in text
    assert len(text.splitlines()) < 50


def test_the_explanation_does_not_tick_what_was_not_looked_at() -> None:
    case = next(case for case in sample_report().cases if case.id == "LAB-JWT-04[expired]")
    assert f"    ○ Access log: not checked: {UNCHECKED}" in terminal.explain(case)
