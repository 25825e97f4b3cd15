"""The user's own commands at the beginning of a phase: installing the new control plane, moving a tag, rolling back."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import BinaryIO

from clients.model.errors import ClusterError, SettingsError
from clients.model.redact import redact
from reports.attempts import one_line
from runner.upgrade.plan import PHASES

LAST_LINE, TAIL_BYTES = 200, 4000
"""Characters of a hook's last line that an error shows; bytes at the end of its output in which it is looked for."""


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
    with tempfile.TemporaryFile() as output:  # no pipe: what goes on in the background would hold it open
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=0,
            )
        except OSError as error:
            raise ClusterError(f"the hook of the phase {phase} cannot be run: {error.strerror}") from None
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            hint = "give it longer by --hook-timeout, or let it end by itself"
            raise ClusterError(f"the hook of the phase {phase} did not end within {timeout_s:g} s", hint) from None
        except BaseException:
            _end(process)
            raise
        if code:
            _end(process)
            raise ClusterError(f"the hook of the phase {phase} failed (exit {code}): {_last_line(output)}")


def _last_line(output: BinaryIO) -> str:
    """Of what was printed, however much that is; bytes that are no text are shown as such."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL_BYTES))
    lines = output.read().decode(errors="backslashreplace").strip().splitlines()
    return redact(one_line(lines[-1]))[:LAST_LINE] if lines else "no output"


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
