"""Runs a child process of ours so that Ctrl-C and SIGTERM let it clean up: it is told, and waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from runner.config.settings import ROOT

PATIENCE = 3
"""How many signals it takes to give up on the child's clean-up: it is killed at this one."""

PATHS = frozenset({"KUBECONFIG", "MESHPROOF_CACHE_DIR", "PYTHONPATH"})
"""Variables whose relative paths count from the folder that the user is in."""


@dataclass
class Ended:
    """How it ended. `interrupted` names the first signal that we were sent meanwhile; empty without one."""

    code: int = 0
    interrupted: str = ""


def python(*arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run our own Python with these arguments, from the root of the checkout, on our terminal."""
    return run([sys.executable, *arguments], environment)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end.

    It gets a process group of its own, so that a signal reaches it and its workers once, and from us alone.
    """
    ended = Ended()
    said = {**os.environ, **{name: _from_here(os.environ[name]) for name in PATHS & os.environ.keys()}}
    path = os.pathsep.join([str(ROOT), *filter(None, [said.get("PYTHONPATH")])])
    inherited = {**said, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(environment or {})}
    child = subprocess.Popen(command, cwd=ROOT, env=inherited, process_group=0, stdin=subprocess.DEVNULL)
    with child, _forwarding(child, ended):
        ended.code = child.wait()
    return ended


def _from_here(paths: str) -> str:
    """A list of paths, from the folder that the user is in: the child works in another."""
    return os.pathsep.join(str(Path(path).absolute()) if path else path for path in paths.split(os.pathsep))


@contextmanager
def _forwarding(child: subprocess.Popen[bytes], ended: Ended) -> Iterator[None]:
    told = 0

    def forward(number: int, _: FrameType | None) -> None:
        nonlocal told
        told += 1
        ended.interrupted = ended.interrupted or signal.Signals(number).name
        # The workers of a distributed run share the group; SIGINT makes all of them unwind their fixtures.
        _signal_group(child.pid, signal.SIGINT if told < PATIENCE else signal.SIGKILL)
        if told < PATIENCE:
            again = PATIENCE - told
            print(f"\nmeshproof: stopping, cleaning up ({again} more to abandon it)", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
