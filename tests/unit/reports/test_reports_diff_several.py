"""Several runs on each side: the worst verdict of each case, times by control, and the forms of the result."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import a_case, sample_run, sample_target

from clients.model.evidence import Evidence, Grade, Verdict
from reports.diff import Difference, compare
from reports.diff.page import render
from reports.diff.plain import to_json, to_markdown
from reports.record import conformance
from reports.record.model import MeshRecord, Report, TargetInfo
from runner.commands import cli

pytestmark = pytest.mark.unit

HOSTILE = "</script><script>alert(1)</script>|\n# [x](y)"
NEWER = TargetInfo(
    "live",
    kubernetes="1.34.4",
    mesh=MeshRecord("istio", "1.31.1", "default"),
    configuration={"MeshConfig accessLogFile": "/dev/stdout", "istiod PILOT_X": "1", "CNI": "cilium"},
)


def case(key: str, verdict: str = "pass", stable: float | None = 1.0) -> Evidence:
    grade = Grade.FULL if verdict == "pass" else None
    return a_case(id=key, control=key.partition("[")[0], verdict=Verdict(verdict), grade=grade,
                  reason="" if grade else f"why {key}", time_to_stable_s=stable)  # fmt: skip


def run(number: int, *cases: Evidence, target: TargetInfo | None = None) -> Report:
    info = replace(sample_run(), id=f"run-{number}", started=f"2026-11-{number:02}T01:00:00Z")
    return Report(info, target or sample_target(), cases)


def times(first: int, values: Sequence[float], key: str = "A-1") -> list[Report]:
    return [run(first + place, case(key, stable=value)) for place, value in enumerate(values)]


def ids(difference: Difference) -> dict[str, list[str]]:
    return {name: [one.id for one in changes] for name, changes in difference.headings if changes}


def test_a_case_has_its_worst_verdict_and_says_in_how_many_runs() -> None:
    before = [run(1, case("A-1")), run(2, case("A-1")), run(3, case("A-1"))]
    after = [run(4, case("A-1")), run(5, case("A-1", "fail")), run(6, case("A-1"))]
    difference = compare(before, after)
    assert ids(difference) == {"regressed": ["A-1"]}
    assert difference.regressed[0].note == "why A-1; fail in 1 of 3 runs"
    assert compare(after, after).exit_code == 0
    assert ids(compare(after, before)) == {"fixed": ["A-1"]}


def test_a_run_on_both_sides_is_a_note() -> None:
    """A folder of nights and its newest: of times that are compared, one is the same."""
    nights = [run(1, case("A-1")), run(2, case("A-1"))]
    assert compare(nights, nights[1]).notes == ("on both sides: run-2",)
    assert compare(nights[0], nights[1]).notes == ()


def test_a_case_that_one_run_did_not_select_is_not_removed() -> None:
    difference = compare([run(1, case("A-1"), case("B-1"))], [run(2, case("A-1")), run(3, case("B-1"))])
    assert ids(difference) == {}


def test_a_slower_control_is_claimed_with_its_effect_and_makes_it_worse() -> None:
    difference = compare(times(1, [1.0, 1.1, 0.9, 1.0, 1.2]), times(11, [2.0, 2.2, 1.9, 2.5, 2.1]))
    assert [one.control for one in difference.pace.slower] == ["A-1"]
    assert difference.worse == ("1 slower",)
    assert difference.exit_code == 1
    assert (
        "slower to converge (1)\n"
        "  A-1: median 1.00 s → 2.10 s (+1.10 s, later in 100% of pairs, 5 and 5 runs, p = 0.004)"
    ) in difference.text()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.2], [1.21, 1.22, 1.21, 1.23, 1.24], "the shift is below a quarter of a second"),
        ([10.0, 10.1, 9.9, 10.0, 10.2], [10.6, 10.7, 10.6, 10.5, 10.8], "the shift is below a tenth"),
        ([1.0, 3.0, 2.0, 1.5, 2.5], [1.1, 3.1, 2.9, 1.6, 2.6], "the sides overlap"),
        ([2.0, 2.2, 1.9, 2.5, 2.1], [1.0, 1.1, 0.9, 1.0, 1.2], "it became faster"),
    ],
)
def test_what_is_not_slower_is_not_claimed(before: list[float], after: list[float], why: str) -> None:
    difference = compare(times(1, before), times(11, after))
    assert not difference.pace.slower, why
    assert difference.exit_code == 0
    assert not difference.pace.note


def test_one_of_many_controls_needs_more_runs_than_all_of_them() -> None:
    """What is claimed of 250 controls at once must not be due to their number."""
    noise = random.Random(7)
    names = [f"C-{number}" for number in range(250)]

    def night(number: int, slow: float) -> Report:
        return run(
            number, case("SLOW-1", stable=1 + slow), *(case(name, stable=noise.uniform(0.5, 3)) for name in names)
        )

    few = compare([night(n, 0.01 * n) for n in range(1, 6)], [night(n, 2) for n in range(11, 16)])
    many = compare([night(n, 0.01 * n) for n in range(1, 11)], [night(n, 2) for n in range(11, 21)])
    assert [one.control for one in few.pace.slower] == []
    assert [one.control for one in many.pace.slower] == ["SLOW-1"]
    assert many.pace.tested == 251


def test_too_few_runs_are_said_to_be_too_few() -> None:
    difference = compare(times(1, [1.0, 1.1]), times(11, [9.0, 9.1, 9.2]))
    assert not difference.pace.slower
    assert difference.pace.note == (
        "2 and 3 runs are too few to tell whether it became slower: chance alone shows the worst order in 1 of 10; "
        "compare 5 runs with 5"
    )
    assert compare(times(1, [1.0]), times(2, [9.0])).pace.tested == 0


def test_a_run_in_which_a_case_did_not_pass_has_no_time_for_its_control() -> None:
    """How long the harness waited for what never came says nothing about the mesh."""
    before = [run(n, case("A-1[x]", stable=1.0), case("A-1[y]", stable=1.2)) for n in range(1, 6)]
    after = [run(n, case("A-1[x]", stable=2.0), case("A-1[y]", stable=0.1)) for n in range(11, 16)]
    broken = run(20, case("A-1[x]", "fail", stable=30.0), case("A-1[y]"))
    slower = compare(before, [*after, broken]).pace.slower
    assert [(one.control, one.before_s[0], one.after_s) for one in slower] == [("A-1", 1.2, (2.0,) * 5)]


def test_environment_of_the_last_runs_and_what_is_not_recorded() -> None:
    other = replace(NEWER, configuration={**NEWER.configuration, "CNI": "calico"})
    after = [run(2, case("A-1"), target=NEWER), run(3, case("A-1"), target=other)]
    older = replace(NEWER, kubernetes="1.33.0", configuration={"istiod PILOT_X": "0", "istiod PILOT_Y": "1"})
    difference = compare(run(1, case("A-1"), target=older), after)
    assert difference.environment == {
        "kubernetes": ("1.33.0", "1.34.4"),
        "istiod PILOT_X": ("0", "1"),
        "istiod PILOT_Y": ("1", ""),
    }
    assert difference.missing == (("node image", "proxy image", "CNI", "MeshConfig"), ("node image", "proxy image"))
    assert difference.notes == ("the runs after are not alike in CNI",)
    assert difference.alike["mesh"] == "istio 1.31.1"


def test_namespaces_of_a_run_and_what_it_measured_are_no_other_outcome() -> None:
    def stated(text: str) -> Report:
        return run(1, replace(case("A-1"), expected=text))

    first = stated("outbound of mp-09c4-w1-egress, 96 requests, 0 errors, longest gap 425 ms")
    assert ids(compare(first, stated("outbound of mp-cc39-egress, 114 requests, 0 errors, longest gap 1.2 s"))) == {}
    assert ids(compare(first, stated("inbound of mp-cc39-egress, 96 requests, 0 errors, longest gap 425 ms")))


def everything() -> Difference:
    """Every heading, hostile names, and a slower control."""
    old = {"A-1": "pass", "B-1": "pass", "C-1": "fail", "D-1": "fail", "E-1": "pass", f"F-1[{HOSTILE}]": "pass"}
    new = {"A-1": "pass", "B-1": "skip", "C-1": "pass", "D-1": "fail", "G-1": "pass", f"F-1[{HOSTILE}]": "fail"}
    before = [run(n, *(case(key, value, 1 + n / 100) for key, value in old.items())) for n in range(1, 6)]
    after = [run(n, *(case(key, value, 2 + n / 100) for key, value in new.items()), target=NEWER) for n in range(6, 11)]
    return compare(before, after)


def test_json_has_everything_by_control() -> None:
    data = json.loads(to_json(everything()))
    assert data["schema"] == "meshproof/diff/v1"
    assert (data["exit"], data["worse"]) == (1, ["1 regressed", "1 removed", "1 newly skipped", "1 slower"])
    assert data["changes"]["regressed"][0] | {"note": ""} == {
        "control": "F-1", "id": f"F-1[{HOSTILE}]", "title": a_case().title,
        "before": "pass", "after": "fail", "note": "",
    }  # fmt: skip
    assert [one["control"] for one in data["slower"]["controls"]] == ["A-1"]
    assert data["changes"]["added"][0]["before"] is None
    assert {"name": "mesh", "before": "istio 1.29.1", "after": "istio 1.31.1"} in data["environment"]
    assert set(data["changes"]) == {
        "regressed", "removed", "newly_skipped", "reduced", "known_failures", "still_failing", "fixed", "added",
        "changed",
    }  # fmt: skip


def test_markdown_has_every_heading_and_no_foreign_markup() -> None:
    text = to_markdown(everything())
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "## Worse than before: 1 regressed, 1 removed, 1 newly skipped, 1 slower", "### Environment",
        "### Regressed (1)", "### Removed (1)", "### Newly skipped (1)", "### Still failing (1)", "### Fixed (1)",
        "### Added (1)", "### Slower to converge (1)",
    ]  # fmt: skip
    assert "<script" not in text
    assert "[x](y)" not in text


def test_page_shows_every_control_and_runs_no_foreign_script() -> None:
    page = render(everything())
    for key in ("A-1", "B-1", "C-1", "D-1", "E-1", "F-1", "G-1"):
        assert f'<th scope="row">{key}<span' in page
    assert "<script>alert" not in page
    assert page.count("<circle") == 10
    assert "Not recorded before: node image, proxy image, CNI, MeshConfig, istiod." in page
    assert render(everything()) == page
    one = render(compare(run(1, case("A-1")), run(2, case("A-1"))))
    assert "No case differs." in one
    assert "One run on each side says nothing about times" in one


def test_each_row_of_the_page_says_its_control() -> None:
    """Of a control with two changed cases, the second row had an empty head: a screen reader did not name it."""
    before = run(1, *(replace(case(f"A-1[{name}]"), control="A-1") for name in ("x", "y")))
    after = run(2, *(replace(one, verdict=Verdict.FAIL, grade=None) for one in before.cases))
    page = render(compare(before, after))
    assert page.count('<th scope="row">A-1<span') == 1
    assert page.count('<th scope="row"><span class="spoken">A-1</span></th>') == 1


def saved(folder: Path, *reports: Report) -> Path:
    for report in reports:
        conformance.save(report, folder / report.run.id / conformance.FILE)
    return folder


def test_the_command_compares_folders_of_runs_and_writes_what_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = saved(tmp_path / "before", *times(1, [1.0, 1.1, 0.9, 1.0, 1.2]))
    after = saved(tmp_path / "after", *times(11, [2.0, 2.2, 1.9, 2.5]))
    more = saved(tmp_path / "more", *times(20, [2.1])) / "run-20"
    files = [tmp_path / "out" / f"diff{ending}" for ending in (".html", ".md", ".json")]
    words = [str(before), str(after), "--after", str(more), *(f"--output={file}" for file in files)]
    assert cli.main(["diff", *words]) == 1
    assert "5 and 5 runs" in capsys.readouterr().out
    assert [file.read_text()[:4] for file in files] == ["<!do", "## W", '{\n "']
    same = saved(tmp_path / "same", *times(30, [1.0]))
    assert cli.main(["diff", str(before), str(same)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{}/before", "{}/nothing"], "cannot read"),
        (["{}/before", "{}/empty"], "cannot read"),
        (["{}/before", "{}/after", "--output", "x.pdf"], "no known ending"),
        (["{}/before", "{}/after", "--output", "{}/file/x.json"], "cannot write"),
        (["{}/before", "{}/before"], "run run-1 is on both sides"),
        (["{}/before", "{}/after", "--after", "{}/twice/a"], "run run-1 is on both sides"),
        (["{}/before", "{}/twice"], "are of the same run run-1"),
    ],
)
def test_bad_input_is_one_line_and_two(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path / "before", *times(1, [1.0]))
    saved(tmp_path / "after", *times(2, [1.0]))
    saved(tmp_path / "twice" / "a", *times(1, [1.0]))
    saved(tmp_path / "twice" / "b", *times(1, [1.0]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert cli.main(["diff", *(word.format(tmp_path) for word in words)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
