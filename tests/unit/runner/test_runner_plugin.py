"""The plugin, run by a separate pytest, with and without workers, on a stand-in for the mesh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import runner_fakes

from clients.model.evidence import Evidence
from reports.journal import Contents, read
from runner.session import whole_run

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[3]
HEAD = "from runner_fakes import case\nfrom clients.model.stage import Stage\n"
TEST = "\ndef test_case(case, prove):\n    prove(case)\n"


def suite(stage: str, *cases: str, needs: str = "") -> str:
    wanted = f", needs=frozenset({{{needs!r}}})" if needs else ""
    return f"{HEAD}STAGE = Stage({stage!r}, apply=('x.yaml',){wanted})\nCASES = ({', '.join(cases)},)\n{TEST}"


@dataclass
class Ran:
    code: int
    output: str
    folder: Path
    trace: list[str]

    @property
    def contents(self) -> Contents:
        return read(self.folder / "journal.ndjson")

    @property
    def cases(self) -> dict[str, Evidence]:
        return {evidence.id: evidence for _, evidence in self.contents.cases}

    @property
    def verdicts(self) -> dict[str, str]:
        return {name: evidence.verdict.value for name, evidence in self.cases.items()}


class Inner:
    """An inner pytest over suites made for one test."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester, self.monkeypatch = pytester, monkeypatch
        self.root = root = pytester.path
        self.trace = root / "trace"
        self.folder = root / "out" / "20261122-000000-abcd"
        (root / "suites").mkdir()
        self.folder.mkdir(parents=True)
        (root / "conftest.py").write_text(
            "import runner_fakes\nfrom runner_fakes import rig\npytest_plugins = ['runner.session.plugin']\n"
            "def pytest_configure(config):\n    runner_fakes.install(config)\n"
        )
        (root / "pytest.ini").write_text("[pytest]\nmarkers = control(id): x\n")

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.root / "suites" / f"test_{name}.py").write_text(text)

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, own_reports: bool = False
    ) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT), str(Path(__file__).parents[1])])
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MESHPROOF_", "PYTEST_"))}
        inherited |= {"PYTHONPATH": path, "FAKE_TRACE": str(self.trace), **(env or {})}
        run = [] if own_reports else ["--meshproof-run", str(self.folder)]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "suites", *run, *words]
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=inherited,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def end(self, process: subprocess.Popen[str]) -> Ran:
        output, _ = process.communicate(timeout=120)
        trace = self.trace.read_text().splitlines() if self.trace.exists() else []
        return Ran(process.returncode, output, self.folder, trace)

    def run(self, *words: str, env: Mapping[str, str] | None = None, own_reports: bool = False) -> Ran:
        """Without workers in this process: the imports alone take more than a second."""
        if "-n" in words:
            return self.end(self.start(*words, env=env, own_reports=own_reports))
        for name, value in {"FAKE_TRACE": str(self.trace), **(env or {})}.items():
            self.monkeypatch.setenv(name, value)
        run = [] if own_reports else ["--meshproof-run", str(self.folder)]
        result = self.pytester.runpytest_inprocess("-p", "no:cacheprovider", "suites", *run, *words)
        trace = self.trace.read_text().splitlines() if self.trace.exists() else []
        return Ran(int(result.ret), "\n".join([*result.outlines, *result.errlines]), self.folder, trace)

    def wait_until_a_case_waits(self) -> None:
        deadline = time.monotonic() + 60
        while not Path(f"{self.trace}.waiting").exists():
            assert time.monotonic() < deadline, "no case began to wait"
            time.sleep(0.05)


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    for module, name, value in runner_fakes.STAND_INS:
        monkeypatch.setattr(module, name, value)  # so that what the inner one sets is restored
    return Inner(pytester, monkeypatch)


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


def test_inconclusive_alone_fails_the_run(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'inconclusive')", "case('LAB-PERM-02', 'pass')"))
    assert inner.run().code == 1


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_an_unknown_control_is_exit_2_in_one_line(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(**MIXED)
    ran = inner.end(inner.start("--control", "LAB-PERM-99", *words))
    assert ran.code == 2
    assert "unknown control LAB-PERM-99; did you mean LAB-PERM-0" in ran.output
    assert "Traceback" not in ran.output
    assert not ran.trace


def test_a_suite_with_an_unknown_control_is_exit_2(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-NOPE-01', 'pass')"))
    ran = inner.run()
    assert ran.code == 2
    assert "unknown control LAB-NOPE-01" in ran.output


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
    assert ran.code == 1


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_whole_run_that_lost_a_control_is_not_green(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'pass')"))
    inner.monkeypatch.setattr(whole_run, "SUITES", inner.root / "suites")
    conftest = inner.root / "conftest.py"  # the same in a process of its own
    whole = "from pathlib import Path\nfrom runner.session import whole_run\n"
    conftest.write_text(f"{conftest.read_text()}{whole}whole_run.SUITES = Path(__file__).parent / 'suites'\n")
    ran = inner.run(*words)
    part = inner.run(*words, "-k", "PERM", "--out", str(inner.folder.parent), own_reports=True)
    assert ran.code == 1, ran.output
    assert ran.contents.run is not None
    assert "LAB-PERM-03" in ran.contents.run.planned, "it is in the catalogue, and no test proves it"
    assert "X-CLEAN-UP" not in ran.contents.run.planned
    assert part.code == 0, part.output


def test_one_case_id_twice_is_exit_2(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"), two=suite("two", "case('LAB-PERM-01', 'pass')"))
    ran = inner.run()
    assert ran.code == 2
    assert "both prove LAB-PERM-01" in ran.output


def test_a_dead_worker_leaves_evidence_and_the_rest_goes_on(inner: Inner) -> None:
    inner.write(
        one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'crash')", "case('LAB-PERM-03', 'pass')"),
        two=suite("two", "case('LAB-XFCC-01', 'pass')"),
    )
    ran = inner.run("-n", "2")
    assert ran.code == 1
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
    assert ran.code == 1


def test_a_test_that_proves_nothing_is_not_a_pass(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')").replace("prove(case)", "pass"))
    ran = inner.run()
    assert ran.verdicts == {"LAB-PERM-01": "inconclusive"}
    assert ran.code == 1


def test_a_test_that_fails_after_a_pass_is_not_a_pass(inner: Inner) -> None:
    text = suite("one", "case('LAB-PERM-01', 'pass')").replace("prove(case)", "prove(case); assert 1 == 2")
    inner.write(one=text)
    assert inner.run().verdicts == {"LAB-PERM-01": "fail"}


OBSERVING = """
import pytest
@pytest.mark.control("LAB-SETUP-01")
def test_good(observe):
    observe("LAB-SETUP-01", "istiod runs", lambda: None)

@pytest.mark.control("LAB-SETUP-02")
def test_bad(observe):
    observe("LAB-SETUP-02", "no sidecar", lambda: "there is one", budget_s=0.1)

@pytest.mark.control("LAB-SETUP-03")
def test_other(observe):
    observe("LAB-SETUP-01", "istiod runs", lambda: None)
"""


def test_observations_are_evidence_and_only_of_the_marked_control(inner: Inner) -> None:
    inner.write(state=OBSERVING)
    ran = inner.run()
    assert ran.verdicts == {"LAB-SETUP-01": "pass", "LAB-SETUP-02": "fail", "LAB-SETUP-03": "inconclusive"}, ran.output
    assert ran.cases["LAB-SETUP-02"].reason == "state: there is one"
    assert ran.cases["LAB-SETUP-02"].expected == "no sidecar"


def test_a_state_that_never_came_about_is_not_observed(inner: Inner) -> None:
    text = suite("unsettled", "case('LAB-PERM-01', 'pass')") + OBSERVING.replace("(observe)", "(observe, stage)")
    inner.write(state=text)
    ran = inner.run()
    assert ran.verdicts["LAB-SETUP-01"] == "fail", ran.output
    assert ran.cases["LAB-SETUP-01"].reason == "settled 1: expected 403, saw 200"


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


PICTURED = """
import pytest
from clients.probe.browser import Shot
PNG = b"picture"

@pytest.mark.control("X-JWKS-01")
@pytest.mark.parametrize("ends", ["well", "badly", "by a fault"])
def test_what_is_seen(observe, picture, ends):
    picture(Shot(PNG, f"it ends {ends}", 1, 1), "at the end")
    if ends == "by a fault":
        raise RuntimeError("a fault of ours")
    observe("X-JWKS-01", "well", lambda: None if ends == "well" else "wrong", budget_s=0.01)
"""


def test_pictures_are_evidence_however_a_test_ends(inner: Inner) -> None:
    inner.write(pictured=PICTURED)
    ran = inner.run()
    assert ran.verdicts == {
        "X-JWKS-01[well]": "pass",
        "X-JWKS-01[badly]": "fail",
        "X-JWKS-01[by a fault]": "inconclusive",
    }
    for evidence in ran.cases.values():
        [seen] = evidence.pictures
        assert f"[{seen.text.removeprefix('it ends ')}]" in evidence.id
        assert (ran.folder / seen.file).read_bytes() == b"picture"


REAL = """
from dataclasses import replace
from clients.model.stage import Settle, Stage
from clients.model.expect import status
from runner_fakes import case
STAGE = Stage("real", apply=("x.yaml",))
def sent(variant, token, token_as="Authorization: Bearer {}", twin=""):
    plain = case("LAB-PERM-01", "pass", variant)
    probe = replace(plain.probe, token=token, token_as=token_as)
    return replace(plain, probe=probe, twin=replace(plain.probe, token=twin) if twin else None)
CASES = (
    sent("none", ""), sent("good", "valid@front"), sent("old", "expired@front"), sent("ours", "expired@iap"),
    sent("logged", "valid@front", "?token={}"), sent("by its twin", "", twin="not-yet-valid@front"),
)
"""
SIGNED = """
import pytest
@pytest.mark.control("X-JWKS-01", needs={"front-key"})
def test_signed(observe):
    observe("X-JWKS-01", "well", lambda: None)
"""


def test_a_case_is_skipped_whose_token_only_a_real_issuer_could_make(inner: Inner, tmp_path: Path) -> None:
    """No source is read for that: nothing is fetched here."""
    inner.write(real=REAL + TEST, signed=SIGNED)
    real = {"ISSUER": "https://a.example", "AUDIENCE": "door", "TOKEN": f"file:{tmp_path}/absent"}
    ran = inner.run(env={f"MESHPROOF_IDENTITY__{name}": value for name, value in real.items()})
    skipped = {name: case.reason for name, case in ran.cases.items() if case.verdict == "skip"}
    assert ran.verdicts == {
        "LAB-PERM-01[none]": "pass",
        "LAB-PERM-01[good]": "pass",
        "LAB-PERM-01[old]": "skip",
        "LAB-PERM-01[ours]": "pass",
        "LAB-PERM-01[logged]": "skip",
        "LAB-PERM-01[by its twin]": "skip",
        "X-JWKS-01": "skip",
    }
    assert "identity.expired_token can name a source" in skipped["LAB-PERM-01[old]"]
    assert "access logs" in skipped["LAB-PERM-01[logged]"]
    assert "not-yet-valid takes the private key of https://a.example" in skipped["LAB-PERM-01[by its twin]"]
    assert "lacks front-key" in skipped["X-JWKS-01"]


def test_without_a_real_issuer_every_token_is_our_own(inner: Inner) -> None:
    inner.write(real=REAL + TEST)
    assert set(inner.run().verdicts.values()) == {"pass"}


def control_of(entry: dict[str, Any]) -> str:
    """Of a test in the plan."""
    [subject] = entry["subjects"]
    return str(subject["control"])


def test_the_plan_shows_what_runs_alone(inner: Inner, tmp_path: Path) -> None:
    wide = suite("wide", "case('LAB-MTLS-01', 'pass')", needs="mesh-wide")
    safe_in_parallel = wide.replace("LAB-MTLS-01", "LAB-MTLS-02").replace(
        "Stage('wide'", "Stage('dry', safe_in_parallel=True"
    )
    inner.write(wide=wide, dry=safe_in_parallel)
    plan_file = tmp_path / "plan.json"
    inner.run("--collect-only", "--meshproof-plan", str(plan_file))
    assert {control_of(entry): entry["alone"] for entry in json.loads(plan_file.read_text()).values()} == {
        "LAB-MTLS-01": True,
        "LAB-MTLS-02": False,
    }


STEPPED = """
from dataclasses import replace
from clients.model.expect import status
from clients.model.stage import Settle, Step
STAGE = Stage("s", apply=("x.yaml",), steps=(Step("one", apply=("one.yaml",)), Step("two", apply=("two.yaml",))))
CASES = [case("LAB-PERM-01", "pass"), replace(case("LAB-PERM-02", "pass"), step="one")]
SETTLE = (Settle(CASES[1].probe, status(200), before=status(503)),)
STAGE = replace(STAGE, steps=(replace(STAGE.steps[0], settle=SETTLE), STAGE.steps[1]))
"""


def test_the_plan_names_what_has_been_applied_by_the_step_of_a_case(inner: Inner, tmp_path: Path) -> None:
    inner.write(stepped=HEAD + STEPPED + TEST)
    plan_file = tmp_path / "plan.json"
    inner.run("--collect-only", "--meshproof-plan", str(plan_file))
    assert {control_of(entry): entry["apply"] for entry in json.loads(plan_file.read_text()).values()} == {
        "LAB-PERM-01": ["x.yaml"],
        "LAB-PERM-02": ["x.yaml", "one.yaml"],
    }


BETWEEN = """
import pytest
STAGE = Stage("s", apply=("x.yaml",))
CASES = [case("LAB-PERM-01", "pass"), case("LAB-PERM-02", "slow")]

@pytest.mark.parametrize("case", CASES[:1], ids=lambda case: case.id)
def test_first(case, prove):
    prove(case)

@pytest.mark.control("LAB-SETUP-01"{independent})
def test_state(observe, stage, pytestconfig):
    from runner.session.fixtures import RUN_CONTEXT
    cases = pytestconfig.stash[RUN_CONTEXT].case_runner._work.values()
    under_way = not all(one.done() for one in cases)
    observe("LAB-SETUP-01", "cases are done", lambda: "they are under way" if under_way else None, budget_s=0.1)

@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.id)
def test_last(case, prove):
    prove(case)
"""


@pytest.mark.parametrize(("independent", "verdict"), [("", "pass"), (", independent=True", "fail")])
def test_a_test_of_state_waits_for_the_cases_unless_it_is_independent(
    inner: Inner, independent: str, verdict: str
) -> None:
    inner.write(state=HEAD + BETWEEN.replace("{independent}", independent))
    ran = inner.run()
    assert ran.verdicts == {"LAB-PERM-01": "pass", "LAB-PERM-02": "pass", "LAB-SETUP-01": verdict}, ran.output


STILL = "replace(case('LAB-PERM-01', 'pass'), before=status(200))"
SILENT = """
from dataclasses import replace
from clients.model.expect import status
from clients.model.stage import Settle
CASES = [{case}]
STAGE = Stage("s", apply=("x.yaml",){settle})
"""


@pytest.mark.parametrize(
    ("settle", "why"),
    [
        ("", "has nothing to settle on"),
        (", settle=(Settle(CASES[0].probe, status(200)),)", "which the state before answers too"),
        (", settle=(Settle(replace(CASES[0].probe, method='HEAD'), status(403)),)", "without saying what the state"),
    ],
)
def test_a_stage_whose_change_nothing_would_show_is_refused(
    inner: Inner, settle: str, why: str, tmp_path: Path
) -> None:
    inner.write(silent=HEAD + SILENT.format(case=STILL, settle=settle) + TEST)
    for words in ([], ["--collect-only", "--meshproof-plan", str(tmp_path / "plan.json")]):
        ran = inner.run(*words)
        assert ran.code == 2
        assert why in ran.output
        assert "before=" in ran.output


def test_whether_a_change_is_shown_is_judged_by_the_whole_module(inner: Inner) -> None:
    """The case that states what the state before answers need not be selected itself."""
    settle = ", settle=(Settle(CASES[1].probe, status(200)),)"
    cases = f"{STILL}, replace(case('LAB-PERM-02', 'slow'), before=status(503))"
    inner.write(one=HEAD + SILENT.format(case=cases, settle=settle) + TEST)
    assert inner.run("--control", "LAB-PERM-01").verdicts == {"LAB-PERM-01": "pass"}
