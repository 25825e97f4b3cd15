"""The user's own commands at the beginning of a phase: installing the new control plane, moving a tag, rolling back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from clients.model.errors import ClusterError, SettingsError
from runner.upgrade.plan import PHASES

LAST_LINE = 200
"""Characters of a hook's last line that an error shows."""


def parse(words: Sequence[str]) -> dict[str, str]:
    """Phase → command, from `PHASE=COMMAND` each.

    Raises:
        SettingsError: there is no such phase, no command, or a phase has two.
    """
    names = [phase.name.value for phase in PHASES]
    made: dict[str, str] = {}
    for word in words:
        phase, equals, command = word.partition("=")
        if phase not in names or not equals or not command.strip():
            raise SettingsError(f"--hook {word} is not PHASE=COMMAND", f"phases are {', '.join(names)}")
        if phase in made:
            raise SettingsError(f"the phase {phase} has two hooks", "put both commands into one script")
        made[phase] = command
    return made


def run(phase: str, command: str, timeout_s: float, more: Mapping[str, str]) -> None:
    """Run a hook to its end, by the shell.

    Args:
        more: variables that it gets; `MESHPROOF_PHASE` is the phase.

    Raises:
        ClusterError: it failed, or did not end in time; everything that it started in its group is ended.
    """
    environment = {**os.environ, **more, "MESHPROOF_PHASE": phase}
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        process_group=0,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            hint = "give it longer by --hook-timeout, or let it end by itself"
            raise ClusterError(f"the hook of the phase {phase} did not end within {timeout_s:g} s", hint) from None
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        last = (output.strip().splitlines() or ["no output"])[-1][:LAST_LINE]
        raise ClusterError(f"the hook of the phase {phase} failed (exit {process.returncode}): {last}")


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
