"""What an upgrade refuses before it touches a cluster: options that contradict each other, and a state that is none."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import a_case, sample_run, sample_target

from clients.hold import held as holding
from clients.model.errors import SettingsError
from reports.record import conformance
from reports.record.model import Report
from runner.commands import cli, upgrading
from runner.interrupts import hangup_interrupts
from runner.upgrade import asking, going_on, own_cluster
from runner.upgrade.going_on import AskedAgain
from runner.upgrade.plan import PHASES
from runner.upgrade.record import FILE, OwnNamespace, PhaseRecord, UpgradeRecord, UpgradeSide

pytestmark = pytest.mark.unit
BEFORE, AFTER = UpgradeSide("stable", "1-29-1", "1.29.1"), UpgradeSide("next", "1-31-1", "1.31.1")
DONE = PhaseRecord("before", 1.0, 2.0, run="before/run")
RECORD = UpgradeRecord("upgrade-1", BEFORE, AFTER, suites=("suites/lab",), cluster="uid-1",
                       namespaces=(OwnNamespace("shop", "stable"),))  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> None:
        pytest.fail("something started")

    monkeypatch.setattr(own_cluster, "given", started)


def saved(folder: Path, record: UpgradeRecord = RECORD) -> Path:
    """The folder of an upgrade whose phase `before` is finished."""
    run = folder / "before" / "run"
    run.mkdir(parents=True)
    conformance.save(Report(run=sample_run(), target=sample_target(), cases=(a_case(),)), run / conformance.FILE)
    replace(record, phases=(DONE,)).save(folder)
    return folder


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command with bad input."""
    assert cli.main(["upgrade", *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--from", "1.29", "--to", "1.31", "--from-revision", "a"], "which names its revisions itself"),
        (["--from", "1.29", "--to", "1.31", "--to-revision", "b"], "which names its revisions itself"),
        (["--from-revision", "a"], "an upgrade needs two versions or two revisions"),
        (["--from-revision", "a", "--to-revision", "a"], "are both a"),
        (["--from-revision", "a", "--to-revision", "b", "--like", "x.yaml"], "--like is for a rehearsal"),
        (["--from", "1.29", "--to", "1.31", "--like", "none.yaml"], "there is no file none.yaml"),
        *((["--from-revision", "a", "--to-revision", "b", name, value], name)
          for name in ("--look", "--hook-timeout") for value in ("nan", "inf", "1e300", "0", "-1", "x", "")),
    ],
)  # fmt: skip
def test_options_that_cannot_be(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert text in refused(words, capsys)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--from-revision", "older"], "--from-revision is not as the upgrade upgrade-1 began: stable"),
        (["--to-revision", "newer"], "--to-revision is not as the upgrade upgrade-1 began: next"),
        (["--from", "1.29", "--to", "1.31"], "--from-revision is not as"),
        (["suites/egress"], "SUITE is not as the upgrade upgrade-1 began: suites/lab"),
        (["--namespace", "store"], "--namespace is not as the upgrade upgrade-1 began: shop"),
        (["--tier", "core"], "--tier is not as the upgrade upgrade-1 began: full"),
    ],
)
def test_going_on_with_another_upgrade(
    words: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is stated next to `--resume` was passed over without a word."""
    assert text in refused(["--resume", str(saved(tmp_path)), *words], capsys)


def test_a_baseline_comes_too_late_after_the_first_phase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved(tmp_path)
    words = ["--resume", str(folder), "--baseline", str(folder / "before" / "run")]
    assert "--baseline comes too late" in refused(words, capsys)


def test_what_later_phases_are_compared_with_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved(tmp_path)
    (folder / "before" / "run" / conformance.FILE).unlink()
    assert "the run of the phase before is missing" in refused(["--resume", str(folder)], capsys)


def test_the_same_words_again_go_on(tmp_path: Path) -> None:
    asked = AskedAgain("1-29-1", "next", ("suites/lab",), ("shop",), "full")
    going_on.check(replace(RECORD, phases=(DONE,)), asked, saved(tmp_path))
    going_on.check(RECORD, AskedAgain(baseline=True), tmp_path)


PHASE = {"name": "before", "started": 1.0, "ended": 2.0}
DAMAGES: dict[str, Any] = {
    "a phase is missing": {"phases": [{**PHASE, "name": "moved"}]},
    "a phase twice": {"phases": [PHASE, PHASE]},
    "an unknown phase": {"phases": [{**PHASE, "name": "whatever"}]},
    "too many phases": {"phases": [*({**PHASE, "name": phase.name.value} for phase in PHASES), PHASE]},
    "a word for a time": {"phases": [{**PHASE, "started": "x"}]},
    "another schema": {"schema": 1, "not_checked": ["what an earlier release has in words only"]},
    "a schema that is none": {"schema": "x"},
    "an unknown tier": {"tier": "half"},
    "no revision": {"old": {"label": "", "revision": ""}},
    "null": {"new": None},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_one_line(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A phase that did not run would be passed over, or one of another release would end in a traceback."""
    file = saved(tmp_path) / FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **DAMAGES[damage]}))
    assert str(file) in refused(["--resume", str(tmp_path)], capsys)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"id": "x"', b"[]", b"{}"])
def test_a_state_that_was_cut_off_is_one_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (saved(tmp_path) / FILE).write_bytes(content)
    assert "is not of an upgrade" in refused(["--resume", str(tmp_path)], capsys)


def test_an_upgrade_goes_on_where_it_began() -> None:
    """The same revisions may be on another cluster, and another mesh has other answers."""
    going_on.check_place(RECORD, "uid-1")
    going_on.check_place(RECORD, "")
    going_on.check_place(replace(RECORD, cluster=""), "uid-2")
    with pytest.raises(SettingsError, match="upgrade-1 is of another cluster"):
        going_on.check_place(RECORD, "uid-2")
    with pytest.raises(SettingsError, match="upgrade-1 is of the embedded cluster"):
        going_on.check_place(replace(RECORD, cluster=going_on.EMBEDDED), "uid-2")
    going_on.check_like(replace(RECORD, like="a"), "a")
    for was, now in (("a", ""), ("a", "b"), ("", "b")):
        with pytest.raises(SettingsError, match="began with another mesh"):
            going_on.check_like(replace(RECORD, like=was), now)


def test_a_second_interruption_does_not_leave_traffic() -> None:
    """Ctrl-C twice, or a supervisor that sends SIGTERM again: what is left would go on for ever."""
    done: list[str] = []

    def remove() -> None:
        done.append("asked")
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append("removed")

    with pytest.raises(KeyboardInterrupt):
        holding.insist(remove)
    assert done == ["asked", "asked", "removed"]


def test_the_end_of_the_terminal_is_an_interruption() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt), hangup_interrupts():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with hangup_interrupts():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_has_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    upgrading.say("a line")


def test_a_process_without_input_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SettingsError, match="the input has ended"):
        asking.ask("canary", BEFORE, AFTER, lambda _: None)
