"""An inner pytest over suites made for one test, on a stand-in for the mesh."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.model.evidence import Evidence
from reports.record.journal import Contents, read

ROOT = Path(__file__).parents[2]
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

    @property
    def _variables(self) -> dict[str, str]:
        """The trace of the stand-in, and where folders of runs are made: never in the checkout."""
        return {"FAKE_TRACE": str(self.trace), "MESHPROOF_OUT": str(self.folder.parent)}

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.root / "suites" / f"test_{name}.py").write_text(text)

    def start(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        own_reports: bool = False,
        paths: Sequence[str] = ("suites",),
    ) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MESHPROOF_", "PYTEST_"))}
        inherited |= {"PYTHONPATH": path, **self._variables, **(env or {})}
        run = [] if own_reports else ["--meshproof-run", str(self.folder)]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *paths, *run, *words]
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
        for name, value in {**self._variables, **(env or {})}.items():
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
