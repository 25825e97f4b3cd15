"""Prompts of an upgrade: on a cluster of others the run waits until the user has done what a phase needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from clients.model.errors import SettingsError
from runner.upgrade.plan import PhaseName
from runner.upgrade.record import UpgradeSide

STEPS: Mapping[str, str] = {
    PhaseName.CANARY: "install the control plane of {new} next to {old}, if it is not there; move nothing",
    PhaseName.MOVED: "move what else is to move from {old} to {new}",
    PhaseName.ROLLED_BACK: "move it back from {new} to {old}",
}
"""What there may be to do for the user when a phase begins."""


def ask(
    phase: str, old: UpgradeSide, new: UpgradeSide, say: Callable[[str], None], stream: TextIO | None = None
) -> None:
    """Wait for the Return key where the phase has something to do for the user; requests go on meanwhile.

    Args:
        stream: where the answer comes from; none for standard input.

    Raises:
        SettingsError: the input ended without an answer.
    """
    if phase not in STEPS:
        return
    say(f"  now {STEPS[phase].format(old=old.label or old.revision, new=new.label or new.revision)}; then press Return")
    source = stream or sys.stdin  # none where the process was started without one
    if not (source and source.readline()):
        hint = f"answer it, give a --hook {phase}=COMMAND, or use --no-prompt"
        raise SettingsError(f"the prompt of the phase {phase} has no answer: the input has ended", hint)
