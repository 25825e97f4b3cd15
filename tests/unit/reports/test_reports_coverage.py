"""Coverage by document and tier, what controls are evidence for, and the plots of times."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import escape
from pydantic import SecretStr
from report_samples import JWT, a_case, sample_report

from clients.model.errors import SettingsError
from clients.model.evidence import Grade, Verdict
from clients.model.known import KnownFailure
from reports.html import render
from reports.html.index import index
from reports.html.times import times
from reports.matrix import stages
from reports.record import conformance
from reports.record.about import About, ControlRecord, Document, Provenance, StatedRequirement
from reports.record.coverage import Coverage, coverage
from reports.record.model import IN_FORCE, TARGET, Report
from runner.config import catalogue, requirements
from runner.config.notify_settings import Notify
from runner.config.settings import Settings
from runner.session import provenance

pytestmark = pytest.mark.unit

NIST = StatedRequirement(("A-*",), "Step 1", "tokens are checked", {"NIST SP 800-53 Rev. 5": ("IA-9",)})
ABOUT = About(
    documents=(Document("A", "Of tokens"), Document("B", "Of egress"), Document("C", "Of nothing")),
    controls=(
        *(ControlRecord(f"A-{n}", f"title {n}", "smoke" if n < 3 else "full") for n in range(1, 7)),
        ControlRecord("B-1", "another"),
    ),
    requirements=(NIST, StatedRequirement(("B-1",), "Step 2", "a precondition")),
    provenance=Provenance("c0ffee", True, "someone on a-machine", {"budget_s": "30.0"}),
)


def report() -> Report:
    cases = (
        a_case(control="A-1", id="A-1"),
        a_case(control="A-2", id="A-2[x]"),
        a_case(control="A-2", id="A-2[y]", grade=Grade.REDUCED),
        a_case(control="A-3", id="A-3", verdict=Verdict.FAIL, grade=None),
        a_case(control="A-4", id="A-4", verdict=Verdict.SKIP, grade=None, reason="no gateway"),
        a_case(control="B-1", id="B-1[x]"),
        a_case(control="B-1", id="B-1[y]", verdict=Verdict.SKIP, grade=None, reason="no gateway"),
    )
    return replace(sample_report(), cases=cases, not_run=("A-5[z]",), about=ABOUT, recorded={})


def test_a_control_counts_once_by_its_worst_case() -> None:
    whole, *tiers, other = coverage(report())
    assert whole.marks == {
        "A-1": "pass", "A-2": "reduced", "A-3": "fail", "A-4": "skip", "A-5": "not-run", "A-6": "not-selected"
    }  # fmt: skip
    assert whole.share == pytest.approx(2 / 6)
    assert [(tier.tier, len(tier.marks)) for tier in tiers] == [("smoke", 2), ("full", 4)]
    assert whole.why == (("no gateway", 1),)
    assert (other.prefix, other.marks, other.share) == ("B", {"B-1": "pass"}, 1.0)


def test_a_share_is_rounded_and_never_to_all_or_none() -> None:
    def percent(proven: int, of: int) -> str:
        marks = {f"A-{n}": "pass" if n < proven else "fail" for n in range(of)}
        return Coverage("A", "a", "", marks).percent

    assert [percent(*each) for each in ((187, 194), (189, 194), (0, 9), (9, 9), (999, 1000), (1, 1000))] == [
        "96 %", "97 %", "0 %", "100 %", "99 %", "1 %",
    ]  # fmt: skip


def test_what_is_recorded_only_when_it_fails_is_no_control_that_was_not_selected() -> None:
    about = replace(ABOUT, documents=(Document("X", "own"),), controls=(ControlRecord("X-CLEAN-UP", "c"),))
    assert coverage(replace(report(), about=about)) == ()
    left = a_case(control="X-CLEAN-UP", id="X-CLEAN-UP[a]", verdict=Verdict.INCONCLUSIVE, grade=None)
    [row] = coverage(replace(report(), about=about, cases=(left,)))
    assert row.marks == {"X-CLEAN-UP": "inconclusive"}


def test_a_known_failure_is_no_failure_in_the_page() -> None:
    known = KnownFailure("A-3", "me", "https://example.com/1", "2999-01-01")
    cases = tuple(replace(case, known=known) if case.id == "A-3" else case for case in report().cases)
    page = render(replace(report(), cases=cases))
    [row] = re.findall(r'<th scope="row">A .*?</tr>', page, re.DOTALL)
    heads = re.findall(r'<th scope="col">([^<]*)</th>', page[page.index('class="coverage"') :])[1:]
    cells = dict(zip(heads, re.findall(r"<td>(?:<b>)?([^<]*)", row), strict=False))
    assert (cells["Failed"], cells["Known failures"], cells["Share"]) == ("\N{EN DASH}", "1", "33 %")


def test_a_run_that_recorded_no_controls_has_no_coverage() -> None:
    assert coverage(replace(report(), about=None)) == ()
    assert "h-coverage" not in render(replace(report(), about=None))


def test_the_page_shows_coverage_requirements_and_provenance() -> None:
    page = " ".join(render(report()).split())
    for text in ("33 %", "Of tokens", "tokens are checked", "IA-9", "c0ffee, with changes", "someone on a-machine"):
        assert text in page, text
    assert "A skipped" not in page
    assert "<b>A</b> skipped: no gateway (1 control)" in page


def test_what_was_in_force_before_is_listed() -> None:
    denial = "AuthorizationPolicy istio-system/no-admin (DENY): in force; its refusals count as the mesh's"
    target = replace(report().target, in_force=(denial, "another"))
    text = f"<li>{escape(denial)}</li><li>another</li>"
    assert text in render(replace(report(), target=target))


def test_what_an_older_release_recorded_as_in_force_is_a_fact_of_the_target() -> None:
    old = TARGET.validate_python({"kind": "live", "details": {IN_FORCE: "one; another"}})
    assert (old.in_force, old.facts) == ((), {IN_FORCE: "one; another"})
    assert "<td>one; another</td>" in render(replace(report(), target=old))


def test_the_file_has_it_and_gives_it_back(tmp_path: Path) -> None:
    conformance.save(report(), tmp_path / "conformance.json")
    assert conformance.load(tmp_path).about == ABOUT
    first = json.loads((tmp_path / "conformance.json").read_text())["coverage"][0]
    assert first == {
        "document": "A", "title": "Of tokens", "tier": "", "controls": 6, "proven": 1, "reduced": 1, "failed": 1,
        "known": 0, "inconclusive": 0, "not_run": 1, "skipped": 1, "not_selected": 1,
    }  # fmt: skip


def test_every_control_has_a_row_with_a_reason_and_every_row_a_control() -> None:
    rows = requirements.load()
    controls = catalogue.load().controls
    first = {name: next((row for row in rows if row.names(name)), None) for name in controls}
    assert [name for name, row in first.items() if row is None] == []
    assert [row.section for row in rows if row not in first.values()] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: []", "cannot be read: 'frameworks'"),
        ("frameworks: {nist: N}\nrows:\n- {controls: [A], section: s}", "the row of A has no reason"),
        ("frameworks: {nist: N}\nrows:\n- {controls: [A], section: s, reason: r, pic: [x]}", "has pic, which is no"),
    ],
)
def test_a_wrong_row_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        requirements.load(tmp_path / "r.yaml")


def test_what_a_run_says_of_itself() -> None:
    made = provenance.about(Settings(context="prod"), catalogue.load())
    assert made.provenance.settings["context"] == "prod"
    assert made.provenance.user
    assert {"LAB", "X"} <= {document.prefix for document in made.documents}
    assert {"smoke", "core", "full"} == {control.tier for control in made.controls}


def test_no_setting_reveals_a_secret() -> None:
    secret = "https://hooks.example.com/services/T0/secret-part"
    made = provenance.provenance(Settings(notify=Notify(url=SecretStr(secret)), context="password=hunter2hunter2"))
    assert "secret-part" not in str(made)
    assert "hunter2" not in str(made)
    assert "hunter2" not in str(provenance.provenance(Settings(context="https://user:hunter2hunter2@example.com")))


def test_a_folder_that_is_no_checkout_has_no_commit(tmp_path: Path) -> None:
    assert provenance.provenance(Settings(), tmp_path).commit == ""


def test_times_by_kind_of_policy() -> None:
    cases = tuple(a_case(id=f"X-{n}", applied=(JWT,), time_to_stable_s=n / 2, flaps=n % 2) for n in range(1, 6))
    found = times(index(stages(cases)))
    assert found is not None
    [row] = found.rows
    assert (row.kind, row.number, row.seconds, row.flaps) == ("RequestAuthentication", 5, (0.5, 1.0, 1.5, 2.0, 2.5), 3)
    assert list(row.x) == sorted(row.x)
    assert all(0 <= x <= 100 for x in row.x)
    assert [width for _, width in found.flapped] == [100.0] * 3
    assert times(index(stages((a_case(applied=()),)))) is None


def test_the_version_of_kubernetes_is_that_of_the_cluster_alone() -> None:
    run = replace(report().run, environment={"python": "3.11.2", "kubernetes": "37.0.2"})
    page = render(replace(report(), run=run))
    rows = re.findall(r'<th scope="row">(?:Python package k|K)ubernetes</th><td>([^<]*)', page)
    assert rows == [report().target.kubernetes, "37.0.2"]
    assert '<th scope="row">Python package kubernetes</th>' in page
