"""Exit codes of every command, which are part of the interface (README)."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended; what none of these says is what its subprocess, or pytest itself, ended with."""

    OK = 0
    """The mesh conforms, or the command did what was asked."""
    FAILED = 1
    """It does not conform, or something is not as it should be."""
    BAD_INPUT = 2
    """Settings, files, the cluster or the machine cannot be used."""
    UNKNOWN = 3
    """Nothing failed, but not all is known."""
    INTERRUPTED = 130
    """A person or the system ended it: 128 and the number of SIGINT, as a shell has it."""
