"""`selfcheck`: its words for the program of the parts, what a part keeps, and the page."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients.model.errors import ClusterError, ConflictError, SettingsError
from clients.model.exit_code import ExitCode
from runner.commands import child, selfcheck
from tests.mutants.registry import MESH
from tests.selfcheck import __main__ as program
from tests.selfcheck import alarms, disturbances, faults, flips, mutants, page, product, same, slow_network, store

pytestmark = pytest.mark.unit


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Words of the program that was started."""
    words: list[tuple[str, ...]] = []

    def python(*given: str) -> SimpleNamespace:
        words.append(given)
        return SimpleNamespace(code=1, interrupted="")

    monkeypatch.setattr(child, "python", python)
    return words


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store.Store:
    """The store of the part `mutants`, in a cache of its own, and a page that is not there yet."""
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(page, "PAGE", tmp_path / "trust.md")
    monkeypatch.setattr(page, "MEASURED", tmp_path / "measured")
    return store.Store.of("mutants", "abc")


def record(name: str, *, killed: bool = True, **cases: str) -> store.Record:
    verdicts = {control.replace("_", "-"): verdict for control, verdict in cases.items()}
    missed = {} if killed else {"LAB-AUTHZ-02": "pass instead of fail"}
    made: store.Record = {"id": name, "kind": "mesh", "area": "JWT", "says": "It lies.", "killed": killed}
    made["of"] = same.of(name)
    return made | {"missed": missed, "harmed": {}, "cases": verdicts, "took_s": 1.0, "left": []}


def test_all_parts_without_a_choice_and_the_exit_code_is_handed_on(asked: list[tuple[str, ...]]) -> None:
    assert selfcheck.selfcheck() == 1
    assert asked == [("-m", "tests.selfcheck", "--parts", "mutants", "alarms", "faults", "flips")]


def test_parts_and_their_options(asked: list[tuple[str, ...]], tmp_path: Path) -> None:
    selfcheck.selfcheck(alarms=True, runs=3, resume=True, only=["calm"], json=tmp_path / "x.json")
    expected = ("--parts", "alarms", "--only", "calm", "--runs", "3", "--resume", "--json", str(tmp_path / "x.json"))
    assert asked == [("-m", "tests.selfcheck", *expected)]


def test_the_program_of_the_parts_starts_outside_pytest() -> None:
    """Its modules are shared with tests, which find more modules than it does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "tests.selfcheck", "--help"]
    ended = subprocess.run(command, cwd=store.ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "--parts" in ended.stdout


def test_the_page_alone_runs_nothing(asked: list[tuple[str, ...]]) -> None:
    selfcheck.selfcheck(write_page=True)
    assert asked == [("-m", "tests.selfcheck", "--page")]


def test_a_selection_needs_one_part(asked: list[tuple[str, ...]]) -> None:
    with pytest.raises(SettingsError, match="within one part"):
        selfcheck.selfcheck(only=["x"])
    assert asked == []


def test_untried_is_about_mutants_alone(asked: list[tuple[str, ...]]) -> None:
    selfcheck.selfcheck(mutants=True, untried=True)
    assert asked == [("-m", "tests.selfcheck", "--parts", "mutants", "--untried")]
    with pytest.raises(SettingsError, match="selects among mutants"):
        selfcheck.selfcheck(untried=True)


def test_untried_leaves_out_what_the_page_has_as_it_is_today(
    kept: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new machine knows only what the checkout keeps, and `--resume` only what this cache has."""
    first, second, *_ = names = list(MESH)
    kept.start(resume=False)
    kept.add(record(first))
    kept.add(record(second) | {"of": "what it was"})
    page.write()
    kept.path.unlink()
    tried: list[str] = []
    monkeypatch.setattr(mutants, "_records", lambda mesh, *_: tried.extend(mesh) or iter(()))
    assert program.main(["--parts", "mutants", "--untried"]) == ExitCode.OK
    assert tried == names[1:]


def test_what_is_not_selected_stays_known(kept: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hours of mutants were lost to one that was tried again, at the same commit."""
    first, second, *_ = list(MESH)
    monkeypatch.setattr(store.Store, "of", lambda _: kept)
    monkeypatch.setattr(mutants, "_records", lambda mesh, *_: iter([record(name) for name in mesh]))
    kept.start(resume=False)
    kept.add(record(first))
    kept.add(record(second, killed=False))
    assert program.main(["--parts", "mutants", "--only", second]) == ExitCode.OK
    assert [(one["id"], one["killed"]) for one in kept.records()] == [(first, True), (second, True)]
    assert kept.about()["commit"] == "abc", "what the records are of stays too"


def test_a_misspelt_mutant_is_bad_input(kept: store.Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--parts", "mutants", "--only", "no-such"]) == ExitCode.BAD_INPUT
    assert "no mutant is named no-such" in capsys.readouterr().err
    assert not kept.path.exists()


def test_mutants_are_selected_by_name_pattern_area_and_suite() -> None:
    assert mutants.selected(["matches-nothing"]) == (["matches-nothing"], [])
    assert set(mutants.selected(["JWT"])[0]) == {name for name, entry in MESH.items() if entry.area == "JWT"}
    assert set(mutants.selected(["suites/lab"])[0]) >= {"matches-nothing", "backend-down"}
    assert mutants.selected(["harness"])[0] == []
    assert len(mutants.selected([])[0]) == len(MESH)


def test_a_part_goes_on_with_what_it_has_and_the_newest_record_counts(kept: store.Store) -> None:
    kept.start(resume=False)
    kept.add(record("a", killed=False))
    kept.add(record("b"))
    kept.add(record("a"))
    with kept.path.open("a") as file:
        file.write('{"id": "c", "kil')  # of a process that was killed
    kept.start(resume=True)
    assert [(one["id"], one["killed"]) for one in kept.records()] == [("a", True), ("b", True)]
    assert kept.about()["commit"] == "abc"
    kept.start(resume=False)
    assert kept.records() == []


def test_figures_name_the_survivors_and_the_controls_that_notice_nothing(kept: store.Store) -> None:
    kept.start(resume=False)
    kept.add(record("a", LAB_AUTHZ_02="fail", LAB_AUTHZ_01="pass"))
    kept.add(record("b", killed=False, LAB_AUTHZ_02="pass"))
    known = mutants.figures(kept)
    assert (known["mutants"], known["killed"]) == (2, 1)
    assert known["survivors"] == {"b": {"LAB-AUTHZ-02": "pass instead of fail"}}
    assert "LAB-AUTHZ-01" in known["unproven_without_reason"]
    assert "LAB-AUTHZ-02" not in known["unproven_without_reason"]
    assert "IAP-PRE-01" not in known["unproven_without_reason"]
    assert mutants.problems(kept) == ["the mutant b survived"]


def test_the_page_has_short_lines_and_says_what_survived(kept: store.Store) -> None:
    kept.start(resume=False)
    kept.add(record("a", LAB_AUTHZ_02="fail"))
    kept.add(record("b", killed=False))
    text = page.write().read_text()
    assert "**1 of 2 mutants are killed.**" in text
    assert "- `b`: It lies. LAB-AUTHZ-02: pass instead of fail" in text
    assert "- LAB-AUTHZ-02: `a`" in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_page_keeps_what_was_measured_at_other_commits_and_on_other_machines(kept: store.Store) -> None:
    """A page that was written after one part of a new commit had dropped all that had taken hours before."""
    first, second = list(MESH)[:2]
    kept.start(resume=False)
    for name, killed in ((first, False), (second, True)):
        kept.add(record(name, killed=killed))
    kept.add(record("removed-since") | {"of": "what it was"})
    later = store.Store.of("mutants", "def")
    later.start(resume=False)
    later.add(record(first))
    os.utime(kept.path, (1, 1))
    alarmed = "## False alarms\n\nMeasured at commit 123; begun long ago.\n\n**0 false alarms in 20 runs.**\n"
    page.PAGE.write_text(f"# Head\n\n## Mutants\n\nNot measured yet.\n\n{alarmed}\n## Changes called stable\n\nNone.\n")
    text = page.write().read_text()
    assert "**2 of 2 mutants are killed.**" in text
    assert f"- def, begun {later.about()['started']}: `{first}`" in text
    assert f"- abc, begun {kept.about()['started']}: `{second}`" in text
    assert alarmed in text
    assert page.write().read_text() == text
    later.path.unlink()
    kept.path.unlink()
    assert "**2 of 2 mutants are killed.**" in page.write().read_text(), "this cache knows less than the page"


def test_a_result_of_what_a_mutant_or_its_cases_were_before_does_not_count(kept: store.Store) -> None:
    """Hours of figures of earlier commits are kept only for what is still the same."""
    first, second, third = list(MESH)[:3]
    kept.start(resume=False)
    kept.add(record(first))
    kept.add(record(second) | {"of": "what it was"})
    kept.add({name: value for name, value in record(third).items() if name != "of"})
    text = " ".join(page.write().read_text().split())
    assert "**1 of 1 mutants are killed.**" in text
    assert "Tried before they, or the cases that must notice them, changed: 2 of these." in text
    assert second in (page.MEASURED / "mutants.ndjson").read_text(), "and is kept, should the mutant be as before again"


def test_what_a_result_is_of_changes_with_the_mutant_and_with_its_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "narrowed-for-any-subject"
    before = same.of.__wrapped__(name)
    assert before == same.of.__wrapped__(name)
    assert same.of("no-such-mutant") == ""
    assert same.of("cors-over-tls") != same.of("cors-at-any-port"), "what a closure holds counts"
    entry = MESH[name]
    monkeypatch.setitem(MESH, name, replace(entry, verdicts={**entry.verdicts, "LAB-PATH-04": "pass"}))
    assert same.of.__wrapped__(name) != before
    monkeypatch.setitem(MESH, name, entry)
    cases = [(module, [replace(case, repeat=9) for case in found]) for module, found in same._cases("suites/lab")]
    monkeypatch.setattr(same, "_cases", lambda _: cases)
    assert same.of.__wrapped__(name) != before


def test_a_constant_that_a_mutant_imports_is_a_part_of_what_its_result_is_of() -> None:
    changed = same._constants("tests.mutants.pretence.changed")
    assert changed["REFUSES"] == same._constants("tests.mutants.filters")["REFUSES"] != ""


def test_a_fault_that_no_test_tries_any_more_is_not_kept() -> None:
    assert faults.exists("tests/e2e/test_faults.py::test_a_worker_is_killed")
    assert not faults.exists("tests/e2e/test_faults.py::test_a_mouse_runs_through_the_rack[+]")
    assert not faults.exists("tests/e2e/test_no_more.py::test_x")


def of_run(kind: str, **verdicts: str) -> store.Record:
    named = {name.replace("_", "-"): verdict for name, verdict in verdicts.items()}
    reasons = dict.fromkeys(named, "the API server does not answer")
    made: store.Record = {"id": kind, "kind": kind, "suites": [], "verdicts": named, "reasons": reasons}
    made |= {"cases": len(named), "wrong": {}, "unsure": {}}
    return made | {"flaps": {"A-01": 2}, "left": [], "took_s": 1.0, "output": "", "exit": 0}


def test_a_disturbed_case_may_be_inconclusive_with_its_cause_and_nothing_else() -> None:
    calm = of_run("calm", A_01="pass", A_02="pass", A_03="pass", A_04="skip")
    disturbed = of_run("stress", A_01="inconclusive", A_02="fail", A_04="skip")
    wrong, unsure = alarms.differences(calm, disturbed)
    assert wrong.keys() == {"A-02", "A-03"}
    assert wrong["A-03"].startswith("not run instead of pass")
    assert unsure.keys() == {"A-01"}
    disturbed["reasons"] = {}
    assert "A-01" in alarms.differences(calm, disturbed)[0], "without a cause it is a false alarm"


class Conducted:
    """Runs of the part `alarms` whose verdicts are given, one after the other, and the words that started them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *runs: dict[str, str]) -> None:
        self.words: list[tuple[str, ...]] = []
        self._runs = iter(runs)
        monkeypatch.setattr(alarms, "start", self.start)
        monkeypatch.setattr(alarms, "testbed", lambda: contextlib.nullcontext(None))
        monkeypatch.setattr(alarms, "sweep", lambda _: [])

    def start(self, _: Path, *words: str) -> Any:
        self.words.append(words)
        verdicts = next(self._runs, {})
        same = {"known": None, "flaps": 0, "attempts": 1, "reason": "the API server does not answer"}
        cases = {name: {"id": name, "verdict": verdict, **same} for name, verdict in verdicts.items()}
        ran = SimpleNamespace(folder=Path(), code=0, took_s=1.0, output="no network", cases=cases)
        return SimpleNamespace(end=lambda _: ran)


def test_a_failure_of_the_calm_run_is_a_false_alarm_itself(kept: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.start(resume=False)
    Conducted(monkeypatch, {"A-01": "fail", "A-02": "pass"})
    alarms.run(kept, [disturbances.CALM], 1)
    assert alarms.figures(kept)["false_alarms"] == 1
    assert alarms.problems(kept) == ["run calm: A-01: fail instead of fail: the API server does not answer"]


def test_runs_are_compared_with_the_calm_one_of_the_same_suites(
    kept: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.start(resume=False)
    kept.add(of_run("calm", A_01="pass", A_02="pass") | {"id": "calm before"})
    Conducted(monkeypatch, {"A-01": "pass"}, {"A-01": "pass"}, {"A-01": "pass"})
    alarms.run(kept, ["order"], 2, ["suites/lab"])
    assert (alarms.figures(kept)["false_alarms"], alarms.figures(kept)["runs"]) == (0, 3)
    alarms.run(kept, ["order"], 1)
    assert alarms.problems(kept) == ["run calm: A-02: not run instead of pass: "]


def test_a_run_has_one_name_whichever_others_were_chosen() -> None:
    """A newer run did not replace an older one in the page, as it had another number."""
    assert alarms.planned(["calm", "order"], 3) == {"calm": (1, "calm"), "order": (2, "order"), "calm 2": (3, "calm")}
    assert "order" in alarms.planned([*disturbances.DISTURBANCES], alarms.RUNS)
    assert len(alarms.planned([*disturbances.DISTURBANCES], alarms.RUNS)) == alarms.RUNS
    assert list(alarms.planned(["calm"], 1, ["suites/lab"])) == ["calm suites/lab"]


def test_a_run_without_verdicts_is_a_problem(kept: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.start(resume=False)
    Conducted(monkeypatch, {})
    alarms.run(kept, [disturbances.CALM], 1)
    assert alarms.problems(kept) == ["run calm has no verdicts: no network"]


def test_the_page_keeps_runs_of_other_commits_as_they_were_judged(
    kept: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty runs take hours; what a cache that is gone knew of them counts, each compared at its own commit."""
    Conducted(monkeypatch, {"A-01": "pass"}, {"A-01": "fail"}, {"A-02": "pass"})
    for at, runs in (("abc", 2), ("def", 1)):
        here = store.Store.of("alarms", at)
        here.start(resume=False)
        alarms.run(here, ["order"], runs)
        page.write()
        here.path.unlink()
    text = page.write().read_text()
    assert "**1 false alarms in 2 runs.**" in text
    assert "| order | all | abc | 1 | 1 | 0 | 0 | 1 s |" in text
    assert "| calm | all | def | 1 | 0 | 0 | 0 | 1 s |" in text


def test_a_run_that_an_older_cache_has_without_its_judgement_is_no_run_of_the_page(kept: store.Store) -> None:
    before = store.Store.of("alarms", "abc")
    before.start(resume=False)
    before.add({name: value for name, value in of_run("calm", A_01="pass").items() if name not in ("wrong", "cases")})
    assert "**0 false alarms in 0 runs.**" in page.write().read_text()


def test_each_run_in_another_order_has_an_order_of_its_own(kept: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    conducted = Conducted(monkeypatch)
    kept.start(resume=False)
    alarms.run(kept, ["order"], 4)
    shuffled = [words[words.index("--shuffle") + 1] for words in conducted.words if "--shuffle" in words]
    assert len(conducted.words) == 4
    assert shuffled == ["2", "4"]


@pytest.mark.parametrize(("part", "words"), [("alarms", "no-such"), ("flips", "no-such"), ("faults", "no-such")])
def test_misspelt_names_of_other_parts_are_bad_input(
    part: str, words: str, kept: store.Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "known", lambda: ["tests/e2e/test_faults.py::test_the_disk_is_full[16k]"])
    assert program.main(["--parts", part, "--only", words]) == ExitCode.BAD_INPUT
    assert "is named no-such" in capsys.readouterr().err
    assert not kept.path.parent.exists()


def test_a_fault_that_the_machine_cannot_have_is_no_survivor(kept: store.Store) -> None:
    kept.start(resume=False)
    for number, (survived, skipped) in enumerate(((True, False), (True, True), (False, False))):
        name = f"tests/e2e/test_faults.py::test_fault_{number}"
        kept.add({"id": name, "survived": survived, "skipped": skipped, "why": "it hangs", "left": []})
    known = faults.figures(kept)
    assert (known["faults"], known["faults_survived"], known["faults_not_possible"]) == (2, 1, ["fault 1"])
    assert faults.problems(kept) == ["fault 2: it hangs"]


def test_the_page_says_how_many_faults_were_not_tried(kept: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.start(resume=False)
    names = [f"tests/e2e/test_faults.py::test_fault_{number}" for number in range(4)]
    monkeypatch.setattr(faults, "known", lambda: names)
    for name in names[:2]:
        kept.add({"id": name, "survived": True, "skipped": False, "why": "", "left": []})
    assert "**2 of 2 faults are survived.** 2 faults not tried." in page.faults_section(kept)


def of_flip(number: int, *, contrary: int = 0, declared_s: float | None = 0.5) -> store.Record:
    made: store.Record = {"id": str(number), "kind": "Sidecar", "way": "applied", "slow": False, "pooled": True}
    made |= {"needed": 37, "first_s": 0.1, "declared_s": declared_s, "stale": 1, "probes": 50, "contrary": contrary}
    return made | {"too_early": [1], "saw": ["200"] if contrary else []}


@pytest.mark.parametrize(("contrary", "found"), [(0, 0), (3, 1)])
def test_a_change_called_stable_too_early_exceeds_the_error_rate(contrary: int, found: int, kept: store.Store) -> None:
    kept.start(resume=False)
    for number in range(10):
        kept.add(of_flip(number, contrary=contrary if number == 5 else 0))
    assert flips.figures(kept)["contrary"] == contrary
    problems = flips.problems(kept)
    assert len(problems) == 2 * found  # how many, and each
    assert all("change 5, Sidecar applied: 3 of 50 contrary (200)" in text for text in problems[1:])
    assert page.flips_section(kept).count("- change 5, Sidecar applied: 3 of 50 contrary (200)") == found


def test_a_change_without_an_end_is_a_problem_and_no_contrary_answer(kept: store.Store) -> None:
    kept.start(resume=False)
    kept.add(of_flip(0, declared_s=None))
    known = flips.figures(kept)
    assert (known["not_converged"], known["probes_after_stable"], known["contrary"]) == (1, 0, 0)
    assert flips.problems(kept) == ["1 changes did not converge"]


def test_ids_of_queued_packets_are_read() -> None:
    header = slow_network._attribute(1, (7).to_bytes(4, "big") + b"\x08\x00\x02")
    other = slow_network._attribute(9, b"abc")
    body = bytes(4) + other + header
    message = (16 + len(body)).to_bytes(4, "little") + (3 << 8).to_bytes(2, "little") + bytes(10) + body
    assert list(slow_network.packet_ids(message + message)) == [7, 7]


@pytest.mark.parametrize(("patience_s", "calls"), [(60.0, 3), (0.0, 1)])
def test_the_sweep_waits_for_an_api_server_that_is_starting_again(
    patience_s: float, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    up: Any = None
    answers = iter([ClusterError("it does not answer", "see"), ClusterError("it does not answer", "see"), ["Lease x"]])
    now = itertools.count()
    monkeypatch.setattr(product, "time", SimpleNamespace(sleep=lambda _: None, monotonic=lambda: float(next(now))))
    asked: list[object] = []

    def swept(up: object) -> list[str]:
        asked.append(up)
        if isinstance(answer := next(answers), ClusterError):
            raise answer
        return answer

    monkeypatch.setattr(product, "_swept", swept)
    if patience_s:
        assert product.sweep(up, patience_s) == ["Lease x"]
    else:
        with pytest.raises(ClusterError, match="does not answer"):
            product.sweep(up, patience_s)
    assert len(asked) == calls


def test_sigterm_ends_it_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a part has open is closed: its environment is removed, its cluster stopped."""
    closed, before = [], signal.getsignal(signal.SIGTERM)

    def part(_: Any) -> int:
        with contextlib.ExitStack() as opened:
            opened.callback(closed.append, "closed")
            os.kill(os.getpid(), signal.SIGTERM)
            return 0

    monkeypatch.setattr(program, "_conduct", part)
    assert program.main(["--parts", "mutants"]) == 130
    assert closed == ["closed"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_a_run_of_others_has_and_its_lease_are_not_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease went with all that carries the product's label, and it ended in the middle."""
    removed: list[Any] = []
    cluster = SimpleNamespace(close=lambda: None)
    monkeypatch.setattr(product.Cluster, "connect", lambda _: cluster)
    monkeypatch.setattr(product, "find", lambda _: ["Namespace mp-1"])
    monkeypatch.setattr(product, "cleanup", removed.append)

    def in_use(_: Any) -> None:
        raise ConflictError("the cluster is in use by root@elsewhere pid 1")

    monkeypatch.setattr(product, "refuse_while_in_use", in_use)
    with pytest.raises(ConflictError, match="in use by root@elsewhere"):
        product.sweep(SimpleNamespace(kubeconfig="k"), patience_s=0.0)  # type: ignore[arg-type]
    assert not removed
    monkeypatch.setattr(product, "refuse_while_in_use", lambda _: None)
    assert product.sweep(SimpleNamespace(kubeconfig="k"), patience_s=0.0) == ["Namespace mp-1"]  # type: ignore[arg-type]
    assert removed == [cluster]
