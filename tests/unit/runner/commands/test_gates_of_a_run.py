"""Deadline, tiers, tags, cases that are run again, and a baseline: what is selected, and how the run ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from inner_pytest import Inner, Ran, suite

from clients.model.errors import SettingsError
from runner.commands import rerun
from runner.config import catalogue, duration, tiers
from runner.config.gate_settings import Tier
from runner.config.settings import ROOT
from runner.session import deadline

pytestmark = pytest.mark.unit
CATALOGUE = catalogue.load()


def report_of(inner: Inner, cases: dict[str, str]) -> str:
    """A report of an earlier run with these verdicts; returns its path."""
    rows = [{"id": name, "control": name.partition("[")[0], "verdict": verdict} for name, verdict in cases.items()]
    run = {"id": "before", "started": "2026-11-21T00:00:00Z", "command": "x"}
    file = inner.root / "before.json"
    file.write_text(
        json.dumps({"schema": "meshproof/conformance/v2", "run": run, "target": {"kind": "live"}, "cases": rows})
    )
    return str(file)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("25m", 1500), ("1h30m", 5400), ("2h", 7200), (" 1m5s ", 65)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "soon", "1.5h", "-5m", "5m 3s", "1d", "m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration.seconds(text)


def test_the_deadline_counts_from_the_beginning_of_the_run() -> None:
    now = datetime(2026, 11, 22, 16, 20, tzinfo=UTC)
    assert deadline.remaining_s("2026-11-22T16:13:00Z", "10m", now) == 180
    assert deadline.remaining_s("2026-11-22T16:13:00Z", "5m", now) == -120


AT_A_SIGN = """
import os
import threading
import time
from pathlib import Path

from runner.session import deadline

class Timer(threading.Thread):
    def __init__(self, seconds, function):
        super().__init__(daemon=True)
        self.function, self.ended = function, threading.Event()

    def run(self):
        while not Path(os.environ["FAKE_TRACE"] + ".waiting").exists():
            if self.ended.wait(0.05):
                return
        self.function()

    def cancel(self):
        self.ended.set()

deadline.Timer = Timer
"""
"""Lets the deadline be reached when a case begins to wait, however busy the machine is."""


def until_a_case_waits(inner: Inner, *words: str, **env: str) -> Ran:
    conftest = inner.root / "conftest.py"
    conftest.write_text(conftest.read_text() + AT_A_SIGN)
    return inner.end(inner.start("--deadline", "1h", *words, env=env))


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_at_the_deadline_what_was_proven_is_kept_and_the_rest_is_not_run(
    inner: Inner,
    words: tuple[str, ...],
) -> None:
    inner.write(
        one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'wait')"),
        two=suite("two", "case('LAB-PERM-03', 'slow')", "case('LAB-PERM-04', 'slow')"),
    )
    ran = until_a_case_waits(inner, *words)
    assert ran.code == 3, ran.output
    assert ran.verdicts["LAB-PERM-01"] == "pass"
    assert "LAB-PERM-02" not in ran.verdicts
    assert any("exit one" in line for line in ran.trace), "the stage was put back"
    info = ran.contents.run
    assert info is not None
    assert info.deadline == "1h"
    assert info.interrupted == ""
    assert info.exit == 3
    assert info.ended
    assert set(info.planned) == {f"LAB-PERM-0{number}" for number in (1, 2, 3, 4)}
    assert "Traceback" not in ran.output


def test_a_failure_before_the_deadline_is_exit_1(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'fail')", "case('LAB-PERM-02', 'wait')"))
    assert until_a_case_waits(inner).code == 1


def test_what_may_be_missing_at_the_deadline_is_a_gate_too(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'wait')"))
    assert until_a_case_waits(inner, "--max-inconclusive", "1").code == 0


def test_a_deadline_ends_a_run_by_the_clock(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'wait')"))
    ran = inner.end(inner.start("--deadline", "5s"))
    assert ran.code == 3, ran.output
    assert ran.verdicts == {}


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_deadline_while_the_target_is_brought_up_is_in_the_report(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    ran = until_a_case_waits(inner, *words, FAKE_SIGNAL="deadline")
    assert ran.code == 3, ran.output
    assert ran.contents.run is not None
    assert (ran.contents.run.deadline, ran.contents.run.interrupted) == ("1h", "")
    assert ran.contents.run.ended


def test_a_deadline_that_is_not_reached_leaves_no_trace(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    ran = inner.run("--deadline", "1h")
    assert ran.code == 0
    assert ran.contents.run is not None
    assert ran.contents.run.deadline == ""


def test_what_is_being_put_back_at_the_deadline_is_not_interrupted(inner: Inner) -> None:
    teardown = "\nimport os, pathlib, time\nimport pytest\nfrom runner_fakes import trace\n"
    teardown += "@pytest.fixture(autouse=True)\ndef slow():\n    yield\n"
    teardown += (
        "    pathlib.Path(os.environ['FAKE_TRACE'] + '.waiting').touch()\n    time.sleep(2)\n    trace('whole')\n"
    )
    inner.write(
        one=suite("one", "case('LAB-PERM-01', 'pass')") + teardown, two=suite("two", "case('LAB-PERM-02', 'pass')")
    )
    ran = until_a_case_waits(inner)
    assert ran.verdicts == {"LAB-PERM-01": "pass"}, ran.output
    assert any("whole" in line for line in ran.trace)
    assert ran.code == 3


def test_inconclusive_within_the_limit_is_exit_0_and_beyond_it_3(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'inconclusive')", "case('LAB-PERM-02', 'pass')"))
    assert inner.run("--max-inconclusive", "1").code == 0
    (inner.folder / "journal.ndjson").unlink()
    assert inner.run("--max-inconclusive", "49%").code == 3


def test_a_test_that_proves_no_control_and_fails_is_no_matter_of_limits(inner: Inner) -> None:
    text = suite("one", "case('LAB-PERM-01', 'pass')") + "\ndef test_more(rig):\n    assert 1 == 2\n"
    inner.write(one=text)
    assert inner.run("--max-inconclusive", "5").code == 1


def test_only_what_is_worse_than_the_baseline_fails(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'fail')", "case('LAB-PERM-02', 'pass')"))
    same = inner.run("--baseline", report_of(inner, {"LAB-PERM-01": "fail", "LAB-PERM-02": "pass"}))
    assert same.code == 0, same.output
    assert same.contents.run is not None
    assert same.contents.run.gates.baseline is not None
    assert same.contents.run.gates.baseline.run == "before"
    (inner.folder / "journal.ndjson").unlink()
    assert inner.run("--baseline", report_of(inner, {"LAB-PERM-01": "pass", "LAB-PERM-02": "pass"})).code == 1


def test_a_baseline_of_another_program_is_exit_2_in_one_line(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    (inner.root / "other.json").write_text('{"schema": "other"}')
    ran = inner.end(inner.start("--baseline", str(inner.root / "other.json")))
    assert ran.code == 2
    assert "has schema 'other'" in ran.output
    assert "Traceback" not in ran.output
    assert not ran.trace


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_only_what_did_not_pass_is_run_again(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(
        one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'pass')"),
        two=suite("two", "case('LAB-JWT-04', 'pass', 'expired')", "case('LAB-JWT-04', 'pass', 'foreign-key')"),
    )
    before = {"LAB-PERM-01": "fail", "LAB-PERM-02": "pass", "LAB-JWT-04[expired]": "inconclusive"}
    ran = inner.run("--rerun-failed", report_of(inner, before), *words)
    assert set(ran.verdicts) == {"LAB-PERM-01", "LAB-JWT-04[expired]"}, ran.output
    assert ran.code == 0
    assert ran.contents.run is not None
    assert set(ran.contents.run.planned) == set(ran.verdicts)


def test_the_option_means_the_latest_run_where_it_names_none() -> None:
    assert rerun.completed(["run", "--rerun-failed"]) == ["run", "--rerun-failed=latest"]
    assert rerun.completed(["run", "--rerun-failed", "-v"]) == ["run", "--rerun-failed=latest", "-v"]
    assert rerun.completed(["run", "--rerun-failed", "x", "-v"]) == ["run", "--rerun-failed", "x", "-v"]


def test_an_earlier_run_is_a_path_or_a_name_among_the_runs(tmp_path: Path) -> None:
    (tmp_path / "20261122-000000-abcd").mkdir()
    (tmp_path / "latest").symlink_to("20261122-000000-abcd")
    assert rerun.found("latest", tmp_path) == tmp_path / "20261122-000000-abcd"
    assert rerun.found(str(tmp_path / "latest"), Path("/nowhere")) == tmp_path / "20261122-000000-abcd"
    with pytest.raises(SettingsError, match="there is no run 2027 to run again"):
        rerun.found("2027", tmp_path)


def test_tiers_contain_one_another_and_smoke_proves_both_polarities() -> None:
    smoke, core, full = (tiers.of_tier(tier, CATALOGUE) for tier in Tier)
    assert smoke < core < full == set(CATALOGUE.controls)
    assert {CATALOGUE.control(name).polarity for name in smoke} >= {"allow", "deny"}
    for pattern in (one for named in yaml.safe_load(tiers.FILE.read_text()).values() for one in named):
        assert any(fnmatchcase(name, pattern) for name in CATALOGUE.controls), f"{pattern} names no control"


def test_damaged_tiers_are_one_line(tmp_path: Path) -> None:
    for text in ("[", "smoke: []\n", "- x\n"):
        file = tmp_path / f"{len(text)}.yaml"
        file.write_text(text)
        with pytest.raises(SettingsError, match=r"the tiers .* (cannot be read|are no mapping)"):
            tiers.of_tier(Tier.SMOKE, CATALOGUE, file)


def test_tags_are_polarity_capabilities_and_topic() -> None:
    assert tiers.tags_of(CATALOGUE.control("LAB-JWT-01")) >= {"deny", "jwt", "lab"}
    jwt = tiers.with_tags(["jwt"], [], CATALOGUE)
    assert {"LAB-JWT-01", "CRA-AUTH-01"} <= jwt
    assert "LAB-PERM-01" not in jwt
    assert tiers.with_tags(["jwt,lab"], [], CATALOGUE) == tiers.with_tags(["jwt", "lab"], [], CATALOGUE) > jwt
    assert tiers.with_tags(["jwt"], ["lab"], CATALOGUE) == {one for one in jwt if not one.startswith("LAB-")}
    assert tiers.with_tags([], [], CATALOGUE) == set(CATALOGUE.controls)
    with pytest.raises(SettingsError, match="no control has the tag jtw; did you mean jwt"):
        tiers.with_tags([], ["jtw"], CATALOGUE)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("--tier", "smoke"), {"LAB-PERM-01", "LAB-JWT-01"}),
        (("--tag", "jwt"), {"LAB-JWT-01"}),
        (("--skip-tag", "jwt", "--skip-tag", "btq"), {"LAB-PERM-01"}),
        (("--tier", "core", "--control", "BTQ-NS-01", "--control", "LAB-PERM-01"), {"LAB-PERM-01"}),
        (("--tier", "full"), {"LAB-PERM-01", "LAB-JWT-01", "BTQ-NS-01"}),
    ],
)
def test_tier_and_tags_select(inner: Inner, words: tuple[str, ...], kept: set[str]) -> None:
    inner.write(
        one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-JWT-01', 'pass')", "case('BTQ-NS-01', 'pass')")
    )
    ran = inner.run(*words)
    assert set(ran.verdicts) == kept, ran.output


def test_the_documents_say_what_the_tiers_are() -> None:
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    assert all(f"`{tier}`" in page for tier in Tier)
