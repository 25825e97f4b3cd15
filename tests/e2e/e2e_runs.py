"""Runs of the product in separate processes, as a user starts them, and their results."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests import report_parts

ROOT = Path(__file__).parents[2]
CACHE = "MESHPROOF_CACHE_DIR"
PATIENCE_S = 600.0
PYTESTS_OWN = "pytest-of-"
"""Where pytest keeps the folders of its last runs; with workers it always makes one."""
SECRETS = {
    "a token": re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}"),
    "a token in base64": re.compile(
        rb"ZXlK(?:aGJHY2lP|MGVYQWlP|cmFXUWlP)"
    ),  # a header that begins with alg, typ or kid
    "a private key": re.compile(rb"PRIVATE KEY"),
}

PYTEST = ("-m", "pytest", "-p", "no:cacheprovider")
MESHPROOF = ("-m", "runner")


def plain(path: Path) -> bytes:
    """The content of a file, of a compressed one what is compressed in it."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@dataclass
class EndedRun:
    """A run that has ended.

    Attributes:
        folder: of its reports; None where it made none.
        left: what it left in its folder for temporary files.
    """

    code: int
    output: str
    folder: Path | None
    left: list[str]
    took_s: float

    @cached_property
    def report(self) -> dict[str, Any]:
        """The content of conformance.json."""
        assert self.folder is not None, self.output[-3000:]
        content: dict[str, Any] = json.loads((self.folder / "conformance.json").read_text(encoding="utf-8"))
        return content

    @property
    def cases(self) -> dict[str, dict[str, Any]]:
        """By id."""
        return {case["id"]: case for case in self.report["cases"]}

    @property
    def verdicts(self) -> dict[str, str]:
        """By id; `known` for a known failure."""
        return {name: "known" if case["known"] else str(case["verdict"]) for name, case in self.cases.items()}

    @property
    def files(self) -> list[Path]:
        """Everything that it wrote."""
        return [path for path in self.folder.rglob("*") if path.is_file()] if self.folder else []

    @property
    def opened_page(self) -> str:
        """The page, followed by what it has compressed in it until a reader opens it."""
        assert self.folder is not None, self.output[-3000:]
        page = (self.folder / "index.html").read_text(encoding="utf-8")
        return "\n".join([page, *report_parts.parts(page).values()])

    def secrets(self) -> list[str]:
        """Every secret in its files and its output, with the place."""
        contents = {str(path): plain(path) for path in self.files} | {"terminal": self.output.encode()}
        contents |= {str(path): self.opened_page.encode() for path in self.files if path.name == "index.html"}
        return [
            f"{what} in {name}"
            for name, content in contents.items()
            for what, pattern in SECRETS.items()
            if pattern.search(content)
        ]


class StartedRun:
    """A run in a process group of its own. Its output goes to a file, so that nothing blocks."""

    def __init__(self, scratch: Path, command: Iterable[str], environment: dict[str, str]) -> None:
        self.out = scratch / "out"
        self._scratch = scratch / "tmp"
        self._log = scratch / "terminal.txt"
        self._scratch.mkdir()
        self._began = time.monotonic()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=inherited() | {"TMPDIR": str(self._scratch)} | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def output(self) -> str:
        """Its output so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def children(self) -> list[int]:
        """Processes that it started itself."""
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def until(self, what: str, done: Callable[[], bool], patience_s: float = 180.0) -> None:
        """Wait until `done` is true, while the run goes on."""
        deadline = time.monotonic() + patience_s
        while not done():
            assert self.process.poll() is None, f"it ended before {what}:\n{self.output[-3000:]}"
            assert time.monotonic() < deadline, f"no {what} within {patience_s:g} s:\n{self.output[-3000:]}"
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        os.kill(self.process.pid, number)

    def end(self, patience_s: float = PATIENCE_S) -> EndedRun:
        """Wait for its end."""
        try:
            code = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.abandon()
            raise AssertionError(f"it did not end within {patience_s:g} s:\n{self.output[-3000:]}") from None
        except KeyboardInterrupt:
            self.send(signal.SIGINT)  # the signal did not reach its own group: let it clean up too
            self.process.wait(PATIENCE_S)
            raise
        latest = self.out / "latest"
        folder = latest.resolve() if latest.exists() else None
        left = sorted(path.name for path in self._scratch.iterdir() if not path.name.startswith(PYTESTS_OWN))
        return EndedRun(code, self.output, folder, left, time.monotonic() - self._began)

    def abandon(self) -> None:
        """Kill it with everything that it started."""
        for pid in [*self.children, self.process.pid]:  # children first: each leads a group of its own
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL) if os.getpgid(pid) == pid else os.kill(pid, signal.SIGKILL)
        self.process.wait()


def inherited() -> dict[str, str]:
    """The variables of this process, without settings of a run."""
    return {
        name: value
        for name, value in os.environ.items()
        if name == CACHE or not name.startswith(("MESHPROOF_", "PYTEST_", "KUBECONFIG"))
    }


def found(case: dict[str, Any]) -> dict[str, str]:
    """Texts of a case's findings, by name; several of one name are put together.

    Every one of them was checked, but for markers where no request by stated HTTP could show one.
    """
    texts: dict[str, str] = {}
    for finding in case["findings"]:
        assert finding["verdict"] != "not_checked" or finding["name"] == "marker", (case["id"], finding)
        texts[finding["name"]] = f"{texts.get(finding['name'], '')} {finding['text']}".strip()
    return texts


def start(scratch: Path, *words: str, environment: dict[str, str] | None = None) -> StartedRun:
    """Start our own Python with these words; `{out}` in them is replaced by the folder of its runs."""
    command = [word.replace("{out}", str(scratch / "out")) for word in words]
    return StartedRun(scratch, command, environment or {})


def conform(
    scratch: Path, *words: str, environment: dict[str, str] | None = None, suite: str = "suites/lab"
) -> EndedRun:
    """The lab, or another folder of suites, by bare pytest, to its end."""
    return start(scratch, *PYTEST, suite, "--out", "{out}", *words, environment=environment).end()


def controls(*names: str) -> list[str]:
    """Options that select them."""
    return [word for name in dict.fromkeys(names) for word in ("--control", name)]
