"""What an upgrade may touch, and what a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from clients.mesh.upgrade.view import MeshView
from clients.model.errors import SettingsError

Detector = Callable[[MeshView], Iterable[str]]
"""The names of the objects that a change touches."""


class ChangeLevel(StrEnum):
    """How bad it is: something breaks or is not enforced any more; it may behave differently; good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class ReleaseChange:
    """A change of Istio between two minors, by its release notes.

    Attributes:
        code: permanent, begins with the minor that has the change (`1.27-native-sidecars`).
        text: what is different, in one sentence.
        hint: how to keep the old behaviour, or what to do before.
        touches: the objects of a mesh that it changes something for.
    """

    code: str
    level: ChangeLevel
    text: str
    hint: str
    touches: Detector

    @property
    def minor(self) -> int:
        """The minor that has it first: 27."""
        return minor_of(self.code.partition("-")[0])


@dataclass(frozen=True)
class Touched:
    """One result of the checks.

    Attributes:
        code: of Istio's analysis (`IST0133`), of a change (`1.27-native-sidecars`), or of our own (`PROXY-OLDER`).
        check: which check found it: `changes`, `precheck`, `analyze`, `proxies`, `revisions`.
        objects: the objects that it is about, by name; empty for the mesh as a whole.
    """

    code: str
    level: ChangeLevel
    check: str
    text: str
    objects: tuple[str, ...] = ()
    hint: str = ""


def minor_of(version: str) -> int:
    """27 of `1.27`, `1.27.3`, `1.27.3-asm.4`.

    Raises:
        SettingsError: it is no version of Istio.
    """
    parts = version.split(".")
    if len(parts) < 2 or parts[0] != "1" or not parts[1].isdecimal():
        raise SettingsError(f"{version!r} is no version of Istio", "for instance 1.29 or 1.29.1")
    return int(parts[1])
