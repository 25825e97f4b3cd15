"""A history keeps what it has whatever it is fed, and says what changed on the night when a control became bad."""

from __future__ import annotations

import html
import json
import random
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import sample_report

from clients.model.evidence import Applied, Evidence, Grade, Verdict
from reports.history import history, page, trends
from reports.history.feed import feed
from reports.history.history import build, to_json
from reports.history.store import HistoryStore
from reports.history.write import update
from reports.record import conformance
from reports.record.model import MeshRecord, Report, ReportError, RunInfo, TargetInfo
from runner.commands import cli

pytestmark = pytest.mark.unit

OLD = Path(__file__).parent / "data" / "conformance-v1.json"


def case(verdict: Verdict = Verdict.PASS, **more: Any) -> Evidence:
    given = {"control": "LAB-A-01", "id": "LAB-A-01", "title": "a <b>title</b>", "time_to_stable_s": 1.5, **more}
    grade = Grade.FULL if verdict is Verdict.PASS else None
    applied = (Applied("a.yaml", "PeerAuthentication", "a", "a", ""), Applied("a.yaml", "Service", "a", "a", ""))
    return Evidence(verdict=verdict, grade=grade, applied=applied, **given)


def night(
    out: Path, number: int, *cases: Evidence, mesh: str = "1.29.1", name: str = "", interrupted: str = ""
) -> Path:
    date = f"2026-{1 + number // 28:02}-{1 + number % 28:02}"
    run = RunInfo(name or f"run-{number}", f"{date}T02:00:00Z", "meshproof run", interrupted=interrupted)
    report = Report(run, TargetInfo("live", "1.34.4", MeshRecord("istio", mesh), "prod"), cases or (case(),))
    file = out / run.id / conformance.FILE
    conformance.save(report, file)
    return file


def test_the_first_bad_night_names_what_changed(tmp_path: Path) -> None:
    for number, verdict in enumerate((Verdict.PASS, Verdict.PASS, Verdict.FAIL, Verdict.FAIL)):
        night(tmp_path, number, case(verdict), mesh="1.30.0" if number > 1 else "1.29.1")
    _, written = update(tmp_path)
    data = json.loads((tmp_path / "history.json").read_bytes())
    (strip,) = data["clusters"][0]["strips"]
    assert strip["marks"] == ["pass", "pass", "fail", "fail"]
    assert strip["bad_since"] == 2
    assert [(one["night"], one["after"]) for one in strip["switches"]] == [(2, "fail")]
    assert strip["switches"][0]["changes"] == {"mesh": ["istio 1.29.1", "istio 1.30.0"]}
    text = written.read_text()
    assert "mesh: istio 1.29.1 → istio 1.30.0" in text
    assert "<b>title</b>" not in text  # evidence stays text


def test_a_run_goes_in_once_and_its_link_not_at_all(tmp_path: Path) -> None:
    night(tmp_path, 0)
    (tmp_path / "latest").symlink_to("run-0", target_is_directory=True)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        assert (feed(store, tmp_path).added, feed(store, tmp_path).added) == (1, 0)
        assert len(store.runs()) == 1


def test_a_report_written_again_replaces_its_run_but_not_by_less(tmp_path: Path) -> None:
    more = case(control="LAB-B-01", id="LAB-B-01")
    with HistoryStore(tmp_path / "history.sqlite") as store:
        for cases, number in (((case(),), 1), ((case(), more), 2), ((case(Verdict.FAIL),), 2)):
            night(tmp_path, 0, *cases)
            feed(store, tmp_path)
            (run,) = store.runs()
            assert len(list(store.results(run.id))) == number


def test_of_a_case_that_ran_twice_in_a_night_the_worst_mark_counts(tmp_path: Path) -> None:
    night(tmp_path, 0, case(Verdict.FAIL))
    night(tmp_path, 0, case(), name="later")
    with HistoryStore(tmp_path / "history.sqlite") as store:
        feed(store, tmp_path)
        assert build(store).clusters[0].strips[0].marks == ("fail",)


def test_schema_1_goes_in_with_its_grades(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / conformance.FILE).write_bytes(OLD.read_bytes())
    report = conformance.load(OLD)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        assert not feed(store, tmp_path).problems
        marks = {row.case: row.mark for row in store.results(store.runs()[0].id)}
    assert {key for key, mark in marks.items() if mark == "reduced"} == {one.id for one in report.reduced}
    assert set(marks) == {one.id for one in report.cases} | set(report.not_run)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('{"schema": "meshproof/conformance/v2", "run"', "is not JSON"),
        ('{"schema": "meshproof/conformance/v9"}', "has schema 'meshproof/conformance/v9'"),
        ("[]", "has schema None"),
        ("[" * 100_000, "is not JSON: it is nested too deeply"),
        ('{"schema": "meshproof/conformance/v2", "run": {}, "target": {}, "cases": []}', ": run.id: "),
        (
            '{"schema": "meshproof/conformance/v2", "run": {"id": "x", "started": "soon", "command": ""},'
            ' "target": {"kind": "live"}, "cases": []}',
            "run.started is 'soon'",
        ),
    ],
)
def test_a_damaged_report_is_named_and_the_others_go_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, cause: str
) -> None:
    night(tmp_path, 0)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / conformance.FILE).write_text(text)
    assert cli.main(["history", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert "1 run imported" in out
    assert len(err.splitlines()) == 1
    assert f"{tmp_path}/a/conformance.json" in err
    assert cause in err


def test_a_file_of_another_program_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night(tmp_path, 0)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all " * 100)
    for file in (other, text):
        before = file.read_bytes()
        assert cli.main(["history", str(tmp_path), "--file", str(file)]) == 2
        assert "is no history of meshproof" in capsys.readouterr().err
        assert file.read_bytes() == before


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    night(tmp_path, 0)
    update(tmp_path)
    with sqlite3.connect(tmp_path / "history.sqlite") as db:
        db.execute("PRAGMA user_version = 3")
    db.close()
    with pytest.raises(ReportError, match="version 3, not 2"):
        update(tmp_path)


@pytest.mark.parametrize(
    ("words", "cause"),
    [(["missing"], "is no folder"), (["."], "holds no conformance.json"), ([".", "--keep", "soon"], "number of days")],
)  # fmt: skip
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["history", *words]) == 2
    err = capsys.readouterr().err
    assert cause in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_history_that_cannot_be_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night(tmp_path, 0)
    (tmp_path / "a" / "history.sqlite").mkdir(parents=True)
    assert cli.main(["history", str(tmp_path), "--file", str(tmp_path / "a" / "history.sqlite")]) == 2
    err = capsys.readouterr().err
    assert "unable to open" in err
    assert "name another file with --file" in err
    assert len(err.splitlines()) == 1


def test_what_is_too_old_goes_and_does_not_come_back(tmp_path: Path) -> None:
    for number in range(5):
        night(tmp_path, number)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        assert feed(store, tmp_path, keep_days=2).removed == 3
        again = feed(store, tmp_path, keep_days=2)
        assert (again.added, again.removed, len(store.runs())) == (0, 0, 2)
        assert feed(store, tmp_path).added == 3


def other(out: Path, number: int) -> None:
    """A night of another cluster."""
    file = night(out, number, name=f"other-{number}")
    report = conformance.load(file)
    conformance.save(replace(report, target=replace(report.target, context="other")), file)


def test_a_cluster_that_is_not_proven_any_more_keeps_its_history(tmp_path: Path) -> None:
    """The nights of the others removed it from the page, as if it had never been there."""
    for number in (0, 1, 2):
        other(tmp_path, number)
    for number in (2, 9):
        night(tmp_path, number)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        for _ in range(2):
            fed = feed(store, tmp_path, keep_days=2)
            left = {(run.cluster, run.night) for run in store.runs()}
            assert left == {("live other", "2026-01-02"), ("live other", "2026-01-03"), ("live prod", "2026-01-10")}
        assert (fed.added, fed.there, fed.removed) == (0, 5, 0), "what was removed does not come back"


def test_a_history_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    night(tmp_path, 0)
    night(tmp_path, 9)
    update(tmp_path, keep_days=2)
    with sqlite3.connect(tmp_path / "history.sqlite") as old:
        old.execute("ALTER TABLE seen DROP COLUMN cluster")
        old.execute("PRAGMA user_version = 1")
    fed, _ = update(tmp_path, keep_days=2)
    assert (fed.added, fed.there) == (0, 2)
    assert update(tmp_path)[0].added == 1


def test_a_night_on_which_nothing_was_run_is_not_all_well(tmp_path: Path) -> None:
    """The deadline came first, for instance. "None of 2 controls failed on the last night" it said, in green."""
    two = (case(), case(control="LAB-B-01", id="LAB-B-01"))
    night(tmp_path, 0, *two)
    report = conformance.load(night(tmp_path, 1, *two))
    kept = replace(report, cases=(), not_run=("LAB-A-01", "LAB-B-01"))
    conformance.save(kept, tmp_path / "run-1" / conformance.FILE)
    _, written = update(tmp_path)
    text = written.read_text(encoding="utf-8")
    assert "None of 2 controls failed on their last night, 2 were not run on the last one; 2 nights" in text
    assert '<header class="head inconclusive">' in text


def test_what_an_interruption_left_undecided_is_no_bad_night(tmp_path: Path) -> None:
    night(tmp_path, 0, case())
    failed = case(Verdict.FAIL, id="LAB-B-01", control="LAB-B-01")
    night(tmp_path, 1, case(Verdict.INCONCLUSIVE), failed, interrupted="SIGTERM")
    night(tmp_path, 2, case(Verdict.INCONCLUSIVE))
    update(tmp_path)
    cluster = json.loads((tmp_path / "history.json").read_bytes())["clusters"][0]
    strips = {strip["control"]: strip for strip in cluster["strips"]}
    assert strips["LAB-A-01"]["marks"] == ["pass", "not-run", "inconclusive"]
    assert strips["LAB-A-01"]["bad_since"] == 2
    assert strips["LAB-B-01"]["marks"] == [None, "fail", None]  # what failed did so before the interruption


def test_what_is_no_longer_selected_is_bad_on_its_own_last_night(tmp_path: Path) -> None:
    night(tmp_path, 0, case(Verdict.FAIL), case(control="LAB-B-01", id="LAB-B-01"))
    night(tmp_path, 1, case(control="LAB-B-01", id="LAB-B-01"))
    text = update(tmp_path)[1].read_text(encoding="utf-8")
    assert "1 of 2 controls failed or had no verdict on their last night; 2 nights" in text
    assert "on the last night" not in text


def test_clusters_without_a_context_do_not_mix(tmp_path: Path) -> None:
    """In a pod there is none, and the API server has the same address in each cluster."""
    for number, uid in enumerate(("0f6b1c2d-aaaa", "77e1a0b9-bbbb")):
        report = conformance.load(night(tmp_path, number, case(Verdict.FAIL if number else Verdict.PASS)))
        kept = replace(report, target=replace(report.target, context="", uid=uid))
        conformance.save(kept, tmp_path / f"run-{number}" / conformance.FILE)
    update(tmp_path)
    data = json.loads((tmp_path / "history.json").read_text())
    assert [one["name"] for one in data["clusters"]] == ["live 0f6b1c2d", "live 77e1a0b9"]
    assert [len(one["nights"]) for one in data["clusters"]] == [1, 1]


def test_a_name_of_ones_own_is_what_a_cluster_is_known_by(tmp_path: Path) -> None:
    """In a pod there is no context; and a cluster that is built anew has another uid."""
    for number, (name, uid) in enumerate((("prod-eu", "11111111-a"), ("prod-eu", "22222222-b"), ("", "22222222-b"))):
        report = conformance.load(night(tmp_path, number))
        target = replace(report.target, context="", uid=uid, cluster=name)
        conformance.save(replace(report, target=target), tmp_path / f"run-{number}" / conformance.FILE)
    update(tmp_path)
    read = json.loads((tmp_path / "history.json").read_text())["clusters"]
    assert [(one["name"], len(one["nights"])) for one in read] == [("live 22222222", 1), ("live prod-eu", 2)]
    assert read[1]["title"] == "live cluster prod-eu (istio 1.29.1)"


def test_two_clusters_may_have_runs_of_one_id(tmp_path: Path) -> None:
    """It has a second and four digits: of a fleet that begins at one time, two are alike every few weeks."""
    for context in ("a", "b", "a", "b"):
        report = conformance.load(night(tmp_path / context, 0, case(), case(id="LAB-A-01[x]"), name="same"))
        kept = replace(report, target=replace(report.target, context=context))
        conformance.save(kept, tmp_path / context / "same" / conformance.FILE)
        update(tmp_path)
        if context == "a":  # written again, in another form: it replaces its own run alone
            again = tmp_path / context / "same" / conformance.FILE
            again.write_bytes(again.read_bytes() + b"\n")
            update(tmp_path)
    data = json.loads((tmp_path / "history.json").read_text())
    assert [(one["name"], [night["runs"] for night in one["nights"]]) for one in data["clusters"]] == [
        ("live a", [["same"]]),
        ("live b", [["same"]]),
    ]


def test_what_nodes_run_is_among_what_changed_that_night(tmp_path: Path) -> None:
    for number, (verdict, kernel) in enumerate(((Verdict.PASS, "6.1.1"), (Verdict.FAIL, "6.1.2"))):
        report = conformance.load(night(tmp_path, number, case(verdict)))
        target = replace(report.target, configuration={"node image": f"Debian 12, kernel {kernel}"})
        conformance.save(replace(report, target=target), tmp_path / f"run-{number}" / conformance.FILE)
    text = update(tmp_path)[1].read_text(encoding="utf-8")
    assert "node image: Debian 12, kernel 6.1.1 → Debian 12, kernel 6.1.2" in text


def test_a_run_of_a_wrong_clock_removes_no_other(tmp_path: Path) -> None:
    """One that begins in the future would make all others too old, for ever."""
    for number in range(3):
        night(tmp_path, number)
    file = night(tmp_path, 3)
    file.write_text(file.read_text().replace("2026-01-04T", "2999-01-04T"))
    with HistoryStore(tmp_path / "history.sqlite") as store:
        fed = feed(store, tmp_path, keep_days=2)
        assert (fed.added, fed.removed) == (4, 1)
        assert [run.night for run in store.runs()] == ["2026-01-02", "2026-01-03", "2999-01-04"]


def test_a_run_of_a_wrong_clock_is_not_the_last_night_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it showed would be "now" until the day comes that its clock said."""
    monkeypatch.setattr(history, "last_night", lambda: "2026-06-01")
    night(tmp_path, 0)
    night(tmp_path, 1, case(Verdict.FAIL), name="ahead")
    file = tmp_path / "ahead" / conformance.FILE
    file.write_text(file.read_text().replace("2026-01-02T", "2999-01-04T"))
    assert cli.main(["history", str(tmp_path)]) == 0
    text = "ahead begins on 2999-01-04: the clock of its machine was wrong, and it is left out"
    assert text in capsys.readouterr().out
    read = json.loads((tmp_path / "history.json").read_text())
    assert [one["date"] for one in read["clusters"][0]["nights"]] == ["2026-01-01"]
    assert read["ahead"] == [text]
    assert text in (tmp_path / "history.html").read_text()


def test_where_all_are_ahead_it_is_the_clock_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night(tmp_path, 0)
    monkeypatch.setattr(history, "last_night", lambda: "1970-01-02")
    update(tmp_path)
    assert json.loads((tmp_path / "history.json").read_text())["clusters"][0]["nights"]


@pytest.mark.parametrize("name", ["history.html", "history.json"])
def test_a_history_is_not_kept_where_its_page_goes(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page would be written over it, and the next night would find no history."""
    night(tmp_path, 0)
    assert cli.main(["history", str(tmp_path), "--file", str(tmp_path / name)]) == 2
    assert f"{name} is where the page of the history goes; name another" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_an_import_that_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night(tmp_path, 0)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        feed(store, tmp_path)
        night(tmp_path, 0, case(Verdict.FAIL))
        monkeypatch.setattr(HistoryStore, "_add_rows", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            feed(store, tmp_path)
        assert [row.mark for row in store.results(store.runs()[0].id)] == ["pass"]


def test_a_new_level_is_found_on_its_night_and_noise_is_none() -> None:
    noise = [1 + (number * 7919 % 97) / 970 for number in range(60)]
    assert trends.change_points(noise) == []
    found = trends.trend(noise)
    assert found
    assert not found.claimed
    shifted = [value + (0.5 if number >= 40 else 0) for number, value in enumerate(noise)]
    assert trends.change_points(shifted) == [40]
    rising = trends.trend([value + number * 0.01 for number, value in enumerate(noise)])
    assert rising
    assert rising.claimed
    assert rising.per_night == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize("before", [12, 41, 47])
def test_the_night_of_a_new_level_is_the_one_on_which_it_began(before: int) -> None:
    """What changed that night is shown with it. The place of Pettitt's statistic is a night too early or too late as
    often as not, where the two sides are not of one length."""
    for seed in range(40):
        chance = random.Random(seed)
        nights = [1.0 + chance.random() / 2 + (0.8 if night >= before else 0.0) for night in range(60)]
        assert trends.change_points(nights) == [before], seed


def test_times_count_by_kind_of_policy_and_only_of_passes(tmp_path: Path) -> None:
    for number in range(20):
        failed = case(Verdict.FAIL, id="LAB-A-01[x]", time_to_stable_s=99.0)
        night(tmp_path, number, case(time_to_stable_s=1.0 if number < 10 else 3.0), failed)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        feed(store, tmp_path)
        (kind,) = build(store).clusters[0].kinds
    assert (kind.kind, kind.longest_s, kind.median_s) == ("PeerAuthentication", 3.0, 2.0)
    assert [(one.night, one.before_s, one.after_s) for one in kind.levels] == [(10, 1.0, 3.0)]


def test_clusters_do_not_mix(tmp_path: Path) -> None:
    night(tmp_path, 0)
    report = replace(conformance.load(night(tmp_path, 1, case(Verdict.FAIL))), target=TargetInfo("embedded"))
    conformance.save(report, tmp_path / "run-1" / conformance.FILE)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        feed(store, tmp_path)
        history = build(store)
    assert [(one.name, len(one.bad)) for one in history.clusters] == [("embedded", 1), ("live prod", 0)]
    assert not any(strip.switches for one in history.clusters for strip in one.strips)


def test_the_page_of_a_whole_run_loads_nothing_and_is_the_same_each_time(tmp_path: Path) -> None:
    conformance.save(sample_report(), tmp_path / "a" / conformance.FILE)
    with HistoryStore(tmp_path / "history.sqlite") as store:
        feed(store, tmp_path)
        history = build(store)
    text = html.unescape(page.render(history))
    assert text == html.unescape(page.render(history))
    assert "default-src 'none'" in text
    assert "http://" not in text
    assert " style=" not in text
    json.dumps(to_json(history))
