"""Runs build commands: output to a log file, progress meanwhile, and the last lines of an error."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clients.model.errors import MeshproofError
from clients.model.printable import printable

LAST_LINES = 15
_running: set[subprocess.Popen[str]] = set()
"""Running commands of all threads."""


class BuildError(MeshproofError):
    """A build command failed; the message holds the last lines of its output."""

    def __str__(self) -> str:
        """Several lines, unlike other errors: the cause is among the last ones of an output, seldom the very last."""
        lines = [" " * (len(line) - len(line.lstrip())) + printable(line) for line in self.message.splitlines()]
        return "\n".join(lines) + (f"; {self.hint}" if self.hint else "")


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run `command` to its end.

    Args:
        what: for the error message.
        log: receives everything the command prints.
        env: added to the environment.
        on_line: called with every line, for progress.

    Raises:
        BuildError: it could not be started or did not exit with 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    tail: list[str] = []
    process = _started(words, what, cwd, env or {})
    with process, log.open("w") as file:
        _running.add(process)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                file.flush()
                tail = [*tail[-LAST_LINES + 1 :], line.rstrip()]
                if on_line:
                    on_line(line.rstrip())
        except BaseException:
            process.kill()
            raise
        finally:
            _running.discard(process)
    if process.returncode:
        shown = "\n    ".join(tail) or "(it printed nothing)"
        raise BuildError(
            f"{what} failed with exit code {process.returncode}; its last lines:\n    {shown}\n  whole log: {log}"
        )


def _started(words: list[str], what: str, cwd: Path | None, env: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise BuildError(
            f"{what}: {words[0]} cannot be started: {error.strerror}", "install it and try again"
        ) from error


def end_all() -> None:
    """End the commands of all threads; no caller needs their results any more."""
    for process in list(_running):
        process.kill()
