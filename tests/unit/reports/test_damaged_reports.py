"""A `conformance.json` that no run wrote so, for every command that reads runs: one line, and the others are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import a_case, sample_report

from reports.fleet import matrix
from reports.record import conformance
from runner.commands import cli

pytestmark = pytest.mark.unit
Change = Callable[[dict[str, Any]], object]


def kept(folder: Path, run: str = "20261122-161305-7c1e") -> Path:
    """Write the report of a run with one case that passed."""
    report = sample_report()
    report = replace(report, run=replace(report.run, id=run), cases=(a_case(),), not_run=())
    conformance.save(report, folder / run / conformance.FILE)
    return folder / run / conformance.FILE


def changed(file: Path, change: Change) -> None:
    data = json.loads(file.read_bytes())
    change(data)
    file.write_text(json.dumps(data))


def set_in_case(name: str, value: Any) -> Change:
    return lambda data: data["cases"][0].update({name: value})


def set_in_run(name: str, value: Any) -> Change:
    return lambda data: data["run"].update({name: value})


DAMAGE: dict[str, Change] = {
    "cases[0].flaps: it must be less than": set_in_case("flaps", 10**30),
    "cases[0].flaps: it must be greater than": set_in_case("flaps", -1),
    "cases[0].time_to_stable_s: it must be a finite number": set_in_case("time_to_stable_s", float("nan")),
    "cases[0].time_to_stable_s: it must be a finite": set_in_case("time_to_stable_s", float("inf")),
    "cases[0].time_to_stable_s: it must be less than": set_in_case("time_to_stable_s", 1e300),
    "which is no time": set_in_run("started", "0001-01-01T00:00:00+14:00"),
    "run.gates.max_inconclusive: it must match": set_in_run("gates", {"max_inconclusive": "lots"}),
    "run.gates.max_reduced: it must match": set_in_run("gates", {"max_reduced": "-1"}),
    "run.gates.baseline.marks.A: it must match": set_in_run("gates", {"baseline": {"run": "x", "marks": {"A": "odd"}}}),
}
"""What the line says → the damage."""


@pytest.mark.parametrize("verb", ["history", "merge"])
@pytest.mark.parametrize("why", DAMAGE)
def test_it_is_one_line_and_the_others_are_read(
    why: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(tmp_path, "good")
    file = kept(tmp_path, "wrong")
    changed(file, DAMAGE[why])
    assert cli.main([verb, str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert f"{file}: " in printed
    assert why in printed
    assert (tmp_path / {"history": "history.html", "merge": "fleet.html"}[verb]).is_file()


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999"])
def test_what_json_has_no_number_for_is_no_time_to_compare(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, file = kept(tmp_path, "good"), kept(tmp_path, "wrong")
    file.write_text(file.read_text().replace('"time_to_stable_s":', f'"time_to_stable_s":{text},"was":', 1))
    assert cli.main(["diff", str(good), str(file)]) == 2
    printed = capsys.readouterr().err
    assert f"{file} is not JSON: {text} is no number" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_editor_or_a_shell_may_have_written_it_in_another_encoding(
    encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = kept(tmp_path, "one"), kept(tmp_path, "other")
    for one in (file, other):
        one.write_text(one.read_text(encoding="utf-8"), encoding=encoding)
    assert cli.main(["history", str(tmp_path)]) == 0
    assert cli.main(["diff", str(file), str(other)]) == 0
    assert cli.main(["merge", str(tmp_path)]) == 0
    assert not capsys.readouterr().err


def test_half_a_character_costs_no_run(tmp_path: Path) -> None:
    file = kept(tmp_path, "one")
    changed(file, set_in_case("title", "half \ud800 of one"))
    assert cli.main(["history", str(tmp_path)]) == 0
    assert "half ? of one" in (tmp_path / "history.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["id", "control", "title"])
def test_half_a_character_in_a_file_of_an_older_release(name: str, tmp_path: Path) -> None:
    data = json.loads((Path(__file__).parent / "data" / "conformance-v1.json").read_bytes())
    data["cases"][0][name] = "half \ud800 of one"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / conformance.FILE).write_text(json.dumps(data))
    assert cli.main(["history", str(tmp_path)]) == 0
    assert cli.main(["merge", str(tmp_path)]) in (0, 1, 3)


def test_a_night_of_the_first_year_is_no_end_of_a_history(tmp_path: Path) -> None:
    changed(kept(tmp_path, "old"), set_in_run("started", "0001-01-05T00:00:00Z"))
    assert cli.main(["history", str(tmp_path), "--keep", "99999d"]) == 0
    data = json.loads((tmp_path / "history.json").read_text())
    assert data["clusters"][0]["nights"][0]["date"] == "0001-01-05"


def test_a_cluster_whose_journal_is_damaged_is_not_proven(tmp_path: Path) -> None:
    """As its run has judged: some of its cases may be missing."""
    changed(kept(tmp_path, "one"), lambda data: data.update(damaged=2))
    assert [one.code for one in matrix.merge([tmp_path]).clusters] == [3]


@pytest.mark.parametrize("words", [["merge"], ["history"], ["diff", "good"]])
def test_a_name_with_control_characters_is_one_line_and_moves_no_cursor(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kept(Path("good"), "\x1b[2J\nname")
    kept(Path("bad"), "a\nb\x1b[31m\x9b5n").write_text("{")
    verb, *more = words
    assert cli.main([verb, *more, "bad" if verb == "diff" else "."]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "a b\\x1b[31m\\x9b5n/conformance.json" in printed.err
    assert not {"\x1b", "\x9b"} & {*printed.err, *printed.out}


def test_what_a_hostile_report_holds_moves_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, file = kept(tmp_path, "good"), kept(tmp_path, "wrong")
    changed(file, set_in_case("verdict", "fail"))
    changed(file, set_in_case("reason", "\x1b]0;owned\x07 no"))
    changed(file, lambda data: data["target"].update(context="a\x1b[31m"))
    assert cli.main(["diff", str(good), str(file)]) == 1
    assert cli.main(["merge", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "a\\x1b[31m" in printed.out
    assert not {"\x1b", "\x07"} & {*printed.err, *printed.out}


@pytest.mark.parametrize("way", ["itself", "by a link", "by a relative path", "of the other side"])
def test_a_comparison_is_never_written_over_a_run(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run's record would be gone, and everything else is made from it."""
    before, after = kept(tmp_path, "before"), kept(tmp_path, "after")
    (tmp_path / "link.json").symlink_to(after)
    monkeypatch.chdir(tmp_path)
    named = {"itself": str(after), "by a link": "link.json", "by a relative path": "after/../after/conformance.json"}
    was = after.read_bytes(), before.read_bytes()
    assert cli.main(["diff", str(before), str(after.parent), "--output", named.get(way, str(before))]) == 2
    printed = capsys.readouterr()
    assert "is one of the runs that are compared; name another file" in printed.err
    assert not printed.out
    assert (after.read_bytes(), before.read_bytes()) == was
