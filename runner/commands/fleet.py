"""`meshproof run --context A --context B`: several clusters side by side, a process and a folder each, one matrix."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from reports.record.model import ReportError
from runner.commands import child, signals
from runner.config import settings

OPTION = "--context"
METRICS, NAME = "--metrics", "--cluster-name"
LOG = "terminal.txt"
_JUDGED = (ExitCode.OK, ExitCode.FAILED, ExitCode.UNKNOWN)
CODES = (ExitCode.INTERRUPTED, ExitCode.FAILED, ExitCode.BAD_INPUT, ExitCode.UNKNOWN, ExitCode.OK)
"""Exit codes, the one that decides for all first."""


@dataclass(frozen=True)
class Member:
    """One cluster: its context, the folder of its runs, its file of metrics, and what its process printed."""

    context: str
    folder: Path
    metrics: Path | None = None

    @property
    def log(self) -> Path:
        """File with its terminal's lines."""
        return self.folder / LOG

    @property
    def words(self) -> list[str]:
        """The options of its process alone."""
        own = [OPTION, self.context, f"--out={self.folder}"]
        return [*own, f"{METRICS}={self.metrics}"] if self.metrics else own


def contexts(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The contexts that a command line names, in order, and the other words."""
    return _taken(words, OPTION)


def _taken(words: Sequence[str], option: str) -> tuple[list[str], list[str]]:
    """The values of an option, in order, and the other words. Words after `--` are pytest's, and stay."""
    values: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left and left[0] != "--":
        word = left.pop(0)
        if word == option and left:
            values.append(left.pop(0))
        elif word.startswith(f"{option}="):
            values.append(word.partition("=")[2])
        else:
            rest.append(word)
    return values, [*rest, *left]


def run(named: Sequence[str], words: Sequence[str]) -> int:
    """Run all clusters at once; returns the worst of their exit codes.

    Args:
        words: of the command line, without the contexts; the first is the verb.

    Raises:
        SettingsError: a context is named twice, or a folder cannot be made.
        ClusterError: the kubeconfig has not one of the contexts.
    """
    given, rest = _taken(words, "--out")
    metrics, rest = _taken(rest, METRICS)
    name, _ = _taken(rest, NAME)
    file, _ = _taken(words, "--kubeconfig")
    wanted = settings.load(
        {"out": _last(given), "kubeconfig": _last(file), "metrics": _last(metrics), "cluster_name": _last(name)}
    )
    if wanted.cluster_name:
        raise SettingsError(f"{NAME} {wanted.cluster_name} names one cluster of {len(named)}", "leave it out")
    _check_contexts(named, wanted.kubeconfig)
    out = wanted.out
    members = _members(named, out, wanted.metrics)
    codes = _ended(members, rest)
    for member, code in zip(members, codes, strict=True):
        why = f" ({last})" if code not in _JUDGED and (last := _last_line(member.log)) else ""
        print(f"{member.context}: exit code {code}{why}; its lines are in {member.log}")
    from reports.record import conformance  # loaded only where several clusters are proven

    if not any(any(member.folder.glob(f"*/{conformance.FILE}")) for member in members):  # the lines above say why
        return next(code for code in CODES if code in codes)
    try:
        from rich.console import Console  # loaded only where several clusters are proven

        from reports.fleet import page, write

        fleet, index = write.update([member.folder for member in members], out)
        page.show(Console(), fleet)
        print(f"report: {index}")
    except ReportError as error:
        print(f"meshproof: {error}", file=sys.stderr)
    return next(code for code in CODES if code in codes)


def _check_contexts(named: Sequence[str], kubeconfig: Path | None) -> None:
    from clients.kube.kubeconfig import check_context  # loaded only where several clusters are proven

    for context in named:
        check_context(kubeconfig, context)


def _last(given: Sequence[str]) -> str | None:
    return given[-1] if given else None


def _last_line(log: Path) -> str:
    """The last line that a process printed."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip().removeprefix("meshproof: ") for line in reversed(lines) if line.strip()), "")


def _members(named: Sequence[str], out: Path, metrics: Path | None = None) -> list[Member]:
    """Each with a folder of its own, and metrics of its own next to the named file: `mesh-prod-eu.prom`."""
    names = {context: re.sub(r"[^A-Za-z0-9._-]+", "-", context).strip("-.") for context in named}
    made = [
        Member(context, out / names[context], metrics and metrics.with_stem(f"{metrics.stem}-{names[context]}"))
        for context in named
    ]
    if len({member.folder for member in made}) < len(made):
        raise SettingsError(f"{OPTION} names a cluster twice, or two whose folders would be one", "name each once")
    for member in made:
        try:
            member.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"the folder {member.folder} cannot be made: {error.strerror}") from None
    return made


def _ended(members: Sequence[Member], words: Sequence[str]) -> list[int]:
    """Start a process for each cluster, and wait for all. Signals go to each; it cleans up, and gives up at the third.

    A process gets those that came before it was started, too.
    """
    started: list[subprocess.Popen[bytes]] = []
    received: list[signal.Signals] = []

    def receive(number: signal.Signals) -> None:
        received.append(number)
        for process in started:
            process.send_signal(number)  # does nothing where it has ended

    with ExitStack() as stack:
        stack.enter_context(signals.handled(receive))
        for member in members:
            log = stack.enter_context(member.log.open("wb"))
            command = [sys.executable, "-m", "runner", *words[:1], *member.words, *words[1:]]
            print(f"{member.context}: begun", flush=True)
            environment = child.with_checkout(os.environ)
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
            started.append(process)
            for number in received:
                process.send_signal(number)
        return [_code(process.wait()) for process in started]


def _code(ended: int) -> int:
    """The exit code of a process; one that died did not prove all."""
    return ended if ended in CODES else ExitCode.UNKNOWN
