"""The table of targets, and the one place where a target is chosen."""

from __future__ import annotations

import difflib

from clients.model.errors import SettingsError
from runner.config.option import Option
from runner.config.settings import Settings
from runner.target.embedded import Embedded
from runner.target.kind import Kind
from runner.target.live import Live
from runner.target.target import Target

TARGETS: dict[str, type[Target]] = {target.kind: target for target in (Embedded, Kind, Live)}
"""In the order in which `implied_by` is tried for settings that name no target."""


def help_of(name: str, option: Option) -> str:
    """The help of a setting's option; that of the target lists the kinds."""
    known = "; ".join(f"{kind}: {target.summary}" for kind, target in TARGETS.items())
    return f"{option.text} {known}." if name == "target" else option.text


def of(settings: Settings) -> Target:
    """The target of these settings: the one named, else the one implied by a context or a kubeconfig.

    Raises:
        SettingsError: there is none of that name, or the settings do not fit it.
    """
    kind = settings.target or next(name for name, target in TARGETS.items() if target.implied_by(settings))
    return of_kind(kind)(settings)


def of_kind(kind: str) -> type[Target]:
    """The class of a kind.

    Raises:
        SettingsError: there is none of that name; the hint names the nearest.
    """
    if kind not in TARGETS:
        near = difflib.get_close_matches(kind, TARGETS, n=1)
        raise SettingsError(
            f"there is no target {kind}", f"did you mean {near[0]}?" if near else f"there are {', '.join(TARGETS)}"
        )
    return TARGETS[kind]
