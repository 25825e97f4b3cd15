"""The lists of known failures: `known_failures` of the settings, and the project's own about the embedded mesh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clients.model.errors import SettingsError
from clients.model.known import EMBEDDED, KnownFailure
from runner.config import toml_file
from runner.config.setting_errors import explain
from runner.config.texts import OF_VERSION, VERSION, formed

NAME = r"[A-Z]+(-[A-Z0-9]+)+(-\*|\[[^\[\]*]+\*?\])?"
"""A control, a case, or several of either; at least two parts of the id are named, so that no entry excuses a suite."""


class KnownEntry(BaseModel):
    """One entry, as a user writes it; see `clients.model.known.KnownFailure` for what its fields mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: Annotated[str, formed(NAME, "such as LAB-JWT-04, LAB-JWT-04[expired], LAB-JWT-04[ex*] or LAB-JWT-*")]
    owner: str = Field(min_length=1)
    link: Annotated[str, formed(r"https?://\S+", "an address of http or https")]
    until: date
    reason: str = ""
    mesh: Annotated[str, formed(VERSION, OF_VERSION)] = ""
    observed: str = ""

    def record(self, origin: str) -> KnownFailure:
        """The same for those who judge by it; `origin` is the list it stands in."""
        return KnownFailure(**{**self.model_dump(), "until": self.until.isoformat(), "origin": origin})


class _OwnList(BaseModel):
    """The project's own list: the same form, and nothing else in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    known_failures: tuple[KnownEntry, ...] = ()


def of_embedded(path: Path) -> tuple[KnownFailure, ...]:
    """The project's own list about the embedded mesh.

    Raises:
        SettingsError: it cannot be read, or an entry is wrong.
    """
    try:
        found = _OwnList.model_validate(toml_file.values(path, "the list"))
    except ValidationError as error:
        raise explain(error, _OwnList) from None
    return tuple(entry.record(EMBEDDED) for entry in found.known_failures)


def checked(entries: Sequence[KnownFailure], controls: Iterable[str]) -> tuple[KnownFailure, ...]:
    """The entries, each about a control that exists, and no two alike.

    Raises:
        SettingsError: one names no control, or two are the same.
    """
    ids = tuple(controls)
    seen: set[tuple[str, str, str]] = set()
    for entry in entries:
        if not any(_about(entry, control) for control in ids):
            raise SettingsError(f"the known failure {entry.control} ({entry.origin}) names no control", PLAN)
        if (key := (entry.control, entry.mesh, entry.observed)) in seen:
            raise SettingsError(f"the known failure {entry.control} ({entry.origin}) is there twice", "remove one")
        seen.add(key)
    return tuple(entries)


def check_cases(entries: Iterable[KnownFailure], cases: Iterable[str]) -> None:
    """Check what can be known only of cases; `cases` are all those of some controls.

    Raises:
        SettingsError: an entry names a case that its control does not have.
    """
    ids = tuple(cases)
    controls = {case.partition("[")[0] for case in ids}
    for entry in entries:
        control, bracket, _ = entry.control.partition("[")
        if bracket and control in controls and not any(map(entry.names, ids)):
            raise SettingsError(f"the known failure {entry.control} ({entry.origin}) names no case", PLAN)


PLAN = "see `meshproof plan` for the ids"


def _about(entry: KnownFailure, control: str) -> bool:
    """Whether it may be about a case of this control."""
    named, bracket, _ = entry.control.partition("[")
    return named == control if bracket else entry.names(control)
