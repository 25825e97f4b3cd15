"""Runs a child process so that Ctrl-C and SIGTERM let it clean up: the signal is forwarded, and the end awaited."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.commands import signals
from runner.config.settings import ROOT

PATIENCE = 3
"""Number of signals that abandons the child's clean-up: the last of them kills it."""

PATHS = frozenset({"KUBECONFIG", "MESHPROOF_CACHE_DIR", "PYTHONPATH"})
"""Variables whose relative paths count from the user's working folder."""


@dataclass
class Ended:
    """How the child ended. `interrupted` names the first signal that this process got meanwhile; empty without one."""

    code: int = 0
    interrupted: str = ""


def python(*arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run this Python with these arguments, from the root of the checkout, on the same terminal."""
    return run([sys.executable, *arguments], environment)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end.

    It gets a process group of its own, so that a signal reaches it and its workers once, and from this process alone.
    """
    ended = Ended()
    paths = {name: _from_here(os.environ[name]) for name in PATHS & os.environ.keys()}
    inherited = {**with_checkout({**os.environ, **paths}), **(environment or {})}
    forwarder = _Forwarder(ended)
    # The handlers come first: a background job ignores SIGINT, and the child would inherit that. A signal that has a
    # handler gets its default action in the new program.
    with signals.handled(forwarder.receive):
        child = subprocess.Popen(command, cwd=ROOT, env=inherited, process_group=0, stdin=subprocess.DEVNULL)
        with child:
            forwarder.begin(child.pid)
            ended.code = child.wait()
    return ended


def with_checkout(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables for a child that runs this checkout, from whatever folder, and whose output comes at once."""
    path = os.pathsep.join([str(ROOT), *filter(None, [variables.get("PYTHONPATH")])])
    return {**variables, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _from_here(paths: str) -> str:
    """A list of paths, relative to the user's working folder: that of the child is another."""
    return os.pathsep.join(str(Path(path).absolute()) if path else path for path in paths.split(os.pathsep))


class _Forwarder:
    """Passes the signals of this process on to the group of its child."""

    def __init__(self, ended: Ended) -> None:
        self._ended = ended
        self._group = 0
        self._count = 0

    def begin(self, group: int) -> None:
        """Send signals to this group from now on, beginning with any that came before it existed."""
        self._group = group
        if self._count:
            self._send()

    def receive(self, number: signal.Signals) -> None:
        """Pass a signal on. The child is interrupted, whatever the signal is; at the third one it is killed."""
        self._count += 1
        self._ended.interrupted = self._ended.interrupted or number.name
        if self._group:
            self._send()
        if self._count < PATIENCE:
            more = PATIENCE - self._count
            print(f"\nmeshproof: stopping, cleaning up ({more} more to abandon it)", file=sys.stderr, flush=True)

    def _send(self) -> None:
        # The workers of a distributed run share the group; SIGINT makes all of them unwind their fixtures.
        _signal_group(self._group, signal.SIGINT if self._count < PATIENCE else signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
