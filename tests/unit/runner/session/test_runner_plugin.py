"""The plugin, run by a separate pytest, with and without workers, on a stand-in for the mesh."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from inner_pytest import Inner, suite

from runner.session.planning import whole_run

pytestmark = pytest.mark.unit


MIXED: dict[str, str] = {
    "one": suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'fail')"),
    "two": suite("two", "case('LAB-JWT-04', 'inconclusive', 'expired')", "case('LAB-JWT-04', 'pass', 'foreign-key')"),
    "three": suite("three", "case('LAB-XFCC-01', 'error')"),
}
EXPECTED = {
    "LAB-PERM-01": "pass",
    "LAB-PERM-02": "fail",
    "LAB-JWT-04[expired]": "inconclusive",
    "LAB-JWT-04[foreign-key]": "pass",
    "LAB-XFCC-01": "inconclusive",
}


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_evidence_reaches_the_journal_with_the_same_verdicts(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(**MIXED)
    ran = inner.run(*words)
    assert ran.verdicts == EXPECTED, ran.output
    assert ran.code == 1
    assert sum("environment" in line for line in ran.trace) == 1
    for name in ("one", "two", "three"):
        assert sum(f"enter {name}" in line for line in ran.trace) == 1
        assert sum(f"exit {name}" in line for line in ran.trace) == 1
    info = ran.contents.run
    assert info is not None
    assert set(info.planned) == set(EXPECTED)
    assert info.ended
    assert info.exit == 1
    assert ran.contents.target is not None
    assert ran.contents.target.mesh.version == "1.31.1"
    assert ran.contents.target.images == {"sleep": "curl:8 (curl@sha256:aa)"}
    assert ran.cases["LAB-PERM-01"].title.startswith("By default mtls-client")
    worker = ran.cases["LAB-PERM-02"].worker
    assert worker.startswith("gw" if words else "main")
    assert ran.cases["LAB-PERM-02"].diagnostics == f"diagnostics/one-{worker}"
    assert "RuntimeError: a fault of ours" in ran.cases["LAB-XFCC-01"].reason


def test_all_pass_is_exit_0_and_skips_are_allowed(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-03', 'pass')"))
    ran = inner.run(env={"FAKE_LACKS": '["plaintext-client"]'})
    assert ran.verdicts == {"LAB-PERM-01": "pass", "LAB-PERM-03": "skip"}, ran.output
    assert "plaintext-client (needs a client outside the mesh" in ran.cases["LAB-PERM-03"].reason
    assert ran.code == 0
    entered = next(line for line in ran.trace if "enter" in line)
    assert entered.endswith("enter one LAB-PERM-01"), "a skipped case has no baseline"


def test_enforce_turns_a_missing_capability_into_a_failure(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-03', 'pass')"))
    ran = inner.run("--enforce", env={"FAKE_LACKS": '["plaintext-client"]'})
    assert ran.verdicts == {"LAB-PERM-03": "fail"}
    assert ran.code == 1


@pytest.mark.parametrize(("words", "verdict", "code"), [((), "skip", 0), (("--enforce",), "fail", 1)])
def test_what_only_the_environment_shows_to_be_lacking_is_skipped(
    inner: Inner, words: tuple[str, ...], verdict: str, code: int
) -> None:
    inner.write(
        one=suite("unseen", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-03', 'pass')"),
        two=suite("two", "case('LAB-PERM-02', 'pass')"),
    )
    ran = inner.run(*words)
    assert ran.verdicts == {"LAB-PERM-01": verdict, "LAB-PERM-03": verdict, "LAB-PERM-02": "pass"}, ran.output
    reason = "the target lacks client-address (a forwarded port hides it); give an address"
    assert {ran.cases[name].reason for name in ("LAB-PERM-01", "LAB-PERM-03")} == {reason}
    assert ran.code == code


def test_inconclusive_alone_is_exit_3(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'inconclusive')", "case('LAB-PERM-02', 'pass')"))
    assert inner.run().code == 3


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_an_unknown_control_is_exit_2_in_one_line(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(**MIXED)
    ran = inner.end(inner.start("--control", "LAB-PERM-99", *words))
    assert ran.code == 2
    assert "\nmeshproof: unknown control LAB-PERM-99; did you mean LAB-PERM-0" in f"\n{ran.output}"
    assert "Exit" not in ran.output, "the name of pytest's exception"
    assert "Traceback" not in ran.output
    assert not ran.trace


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_suite_with_an_unknown_control_is_exit_2(inner: Inner, words: tuple[str, ...]) -> None:
    """By two processes, "node down: keyboard-interrupt" and crashed workers were all that one saw."""
    inner.write(one=suite("one", "case('LAB-NOPE-01', 'pass')"))
    ran = inner.end(inner.start(*words))
    assert ran.code == 2, ran.output
    assert ran.output.count("unknown control LAB-NOPE-01") == 1
    assert "\nmeshproof: " in ran.output
    assert "Exit" not in ran.output, "the name of pytest's exception"
    assert "keyboard-interrupt" not in ran.output
    assert "Traceback" not in ran.output


def test_a_seed_gives_one_random_order_module_by_module(inner: Inner) -> None:
    inner.write(**MIXED)
    orders = []
    for seed in ("1", "1", "4"):
        inner.trace.unlink(missing_ok=True)
        (inner.folder / "journal.ndjson").unlink(missing_ok=True)
        ran = inner.run("--shuffle", seed)
        assert ran.verdicts == EXPECTED
        assert sum("enter" in line for line in ran.trace) == 3
        orders.append(list(ran.verdicts))
    assert orders[0] == orders[1] != orders[2]


def test_selection_by_control_keeps_the_others_out_of_the_stage(inner: Inner) -> None:
    inner.write(**MIXED)
    ran = inner.run("--control", "LAB-PERM-01,LAB-JWT-04")
    assert set(ran.verdicts) == {"LAB-PERM-01", "LAB-JWT-04[expired]", "LAB-JWT-04[foreign-key]"}
    assert any(line.endswith("enter one LAB-PERM-01") for line in ran.trace)


def test_a_selected_control_that_no_test_proves_is_not_run(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    ran = inner.run("--control", "LAB-PERM-01", "--control", "LAB-PERM-02")
    assert ran.contents.run is not None
    assert ran.contents.run.planned == ("LAB-PERM-01", "LAB-PERM-02")
    assert ran.code == 3


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_whole_run_that_lost_a_control_is_not_green(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'pass')"))
    inner.monkeypatch.setattr(whole_run, "SUITES", inner.root / "suites")
    conftest = inner.root / "conftest.py"  # the same in a process of its own
    whole = "from pathlib import Path\nfrom runner.session.planning import whole_run\n"
    conftest.write_text(f"{conftest.read_text()}{whole}whole_run.SUITES = Path(__file__).parent / 'suites'\n")
    ran = inner.run(*words)
    part = inner.run(*words, "-k", "PERM", "--out", str(inner.folder.parent), own_reports=True)
    assert ran.code == 3, ran.output
    assert ran.contents.run is not None
    assert "LAB-PERM-03" in ran.contents.run.planned, "it is in the catalogue, and no test proves it"
    assert "X-CLEAN-UP" not in ran.contents.run.planned
    assert part.code == 0, part.output


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_one_case_id_twice_is_exit_2(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"), two=suite("two", "case('LAB-PERM-01', 'pass')"))
    ran = inner.end(inner.start(*words))
    assert ran.code == 2
    assert "both prove LAB-PERM-01" in ran.output


def test_a_dead_worker_leaves_evidence_and_the_rest_goes_on(inner: Inner) -> None:
    inner.write(
        one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'crash')", "case('LAB-PERM-03', 'pass')"),
        two=suite("two", "case('LAB-XFCC-01', 'pass')"),
    )
    ran = inner.run("-n", "2")
    assert ran.code == 3
    assert ran.verdicts["LAB-PERM-02"] == "inconclusive", ran.output
    assert "the test process died" in ran.cases["LAB-PERM-02"].reason
    assert {ran.verdicts[name] for name in ("LAB-PERM-01", "LAB-PERM-03", "LAB-XFCC-01")} == {"pass"}


def test_death_of_the_only_process_leaves_a_plan_that_shows_what_is_missing(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'crash')"))
    ran = inner.end(inner.start())
    assert ran.verdicts == {"LAB-PERM-01": "pass"}
    assert ran.contents.run is not None
    assert ran.contents.run.planned == ("LAB-PERM-01", "LAB-PERM-02")
    assert not ran.contents.run.ended


def test_a_stage_that_cannot_be_made_is_inconclusive_without_traceback(inner: Inner) -> None:
    inner.write(one=suite("broken", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'pass')"))
    ran = inner.run()
    assert ran.verdicts == {"LAB-PERM-01": "inconclusive", "LAB-PERM-02": "inconclusive"}
    assert ran.cases["LAB-PERM-01"].reason == "the stage cannot be made; repair it"
    assert "Traceback" not in ran.output
    assert "run_context.py" not in ran.output


def test_a_clean_up_that_fails_is_a_case_of_its_own(inner: Inner) -> None:
    inner.write(one=suite("sticky", "case('LAB-PERM-01', 'pass')"))
    ran = inner.run()
    assert ran.verdicts == {"LAB-PERM-01": "pass", "X-CLEAN-UP[sticky]": "inconclusive"}, ran.output
    assert ran.code == 3


def test_a_test_that_proves_nothing_is_not_a_pass(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')").replace("prove(case)", "pass"))
    ran = inner.run()
    assert ran.verdicts == {"LAB-PERM-01": "inconclusive"}
    assert ran.code == 3


def test_a_test_that_fails_after_a_pass_is_not_a_pass(inner: Inner) -> None:
    text = suite("one", "case('LAB-PERM-01', 'pass')").replace("prove(case)", "prove(case); assert 1 == 2")
    inner.write(one=text)
    assert inner.run().verdicts == {"LAB-PERM-01": "fail"}


def test_mesh_wide_needs_an_option_on_a_live_target(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-MTLS-01', 'pass')", "case('LAB-PERM-01', 'pass')"))
    live = {"FAKE_KIND": "live", "MESHPROOF_TARGET": "live"}
    ran = inner.run(env=live)
    assert ran.verdicts == {"LAB-MTLS-01": "skip", "LAB-PERM-01": "pass"}
    assert "--allow-mesh-wide" in ran.cases["LAB-MTLS-01"].reason
    (inner.folder / "journal.ndjson").unlink()
    assert inner.run("--allow-mesh-wide", env=live).verdicts == {"LAB-MTLS-01": "pass", "LAB-PERM-01": "pass"}


def test_a_mesh_wide_module_runs_alone(inner: Inner) -> None:
    controls = ["LAB-PERM-01", "LAB-PERM-02", "LAB-XFCC-01", "LAB-AUTHZ-01"]
    shared = {f"m{n}": suite(f"m{n}", f"case('{name}', 'pass')") for n, name in enumerate(controls)}
    wide = {f"w{n}": suite(f"wide{n}", f"case('LAB-MTLS-0{n}', 'pass')", needs="mesh-wide") for n in (1, 2)}
    inner.write(**shared, **wide)
    ran = inner.run("-n", "2")
    assert set(ran.verdicts.values()) == {"pass"}, ran.output
    inside: set[str] = set()
    for line in ran.trace:
        _, _, event, *rest = line.split()
        if event == "enter":
            inside.add(rest[0])
            assert len(inside) == 1 or not any(name.startswith("wide") for name in inside), ran.trace
        elif event == "exit":
            inside.discard(rest[0])


@pytest.mark.parametrize(
    ("words", "number"),
    [((), signal.SIGTERM), (("-n", "2"), signal.SIGINT)],
    ids=["SIGTERM alone", "SIGINT two workers"],
)
def test_an_interrupted_run_cleans_up_and_keeps_its_journal(
    inner: Inner, words: tuple[str, ...], number: signal.Signals
) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'wait')"))
    process = inner.start(*words)
    inner.wait_until_a_case_waits()
    os.killpg(process.pid, number)
    ran = inner.end(process)
    assert ran.code == 130, ran.output
    assert ran.verdicts == {"LAB-PERM-01": "pass"}
    assert any("exit one" in line for line in ran.trace), ran.output
    assert ran.contents.run is not None
    assert ran.contents.run.interrupted
    assert ran.contents.run.planned == ("LAB-PERM-01", "LAB-PERM-02")


HOOKED = """
def pytest_meshproof_stage_entered(rig, stage):
    runner_fakes.trace(f"hook {stage.name}")
"""


def test_other_plugins_are_called_when_a_stage_is_entered(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    conftest = inner.root / "conftest.py"
    conftest.write_text(conftest.read_text() + HOOKED)
    events = [line.split()[2:4] for line in inner.run().trace if "environment" not in line]
    assert events == [["enter", "one"], ["hook", "one"], ["prove", "LAB-PERM-01"], ["exit", "one"]]


def test_bare_pytest_writes_the_reports_itself(inner: Inner, tmp_path: Path) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'fail')"))
    ran = inner.run("--out", str(tmp_path / "reports"), own_reports=True)
    assert ran.code == 1
    written = json.loads((tmp_path / "reports" / "latest" / "conformance.json").read_text())
    totals = {"pass": 1, "fail": 1, "inconclusive": 0, "skip": 0, "reduced": 0, "known": 0, "not_run": 0}
    assert written["totals"] == totals
    assert "index.html" in ran.output
