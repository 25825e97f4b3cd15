"""The controls: `suites/catalogue.yaml`, and the project's own (`X-…`) in `suites/own.yaml` and `advisories.yaml`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.errors import SettingsError
from clients.model.known import Advisory
from runner.config.settings import ROOT

ID = re.compile(r"^[A-Z]+(-[A-Z0-9]+)+$")


@dataclass(frozen=True)
class Control:
    """One requirement, as the catalogue states it.

    Attributes:
        polarity: `allow`, `deny` or `state`.
        twin: id of the control of opposite polarity, or empty.
        needs: names of capabilities of the target.
        hermetic: the substitute that proves a `live_only` control without Google Cloud; empty where there is none.
        advisory: the published weakness that it looks for; None for any other control.
        tags: further words to select it by (`runner.config.tiers`).
    """

    id: str
    title: str
    polarity: str
    twin: str = ""
    needs: frozenset[str] = frozenset()
    live_only: bool = False
    hermetic: str = ""
    advisory: Advisory | None = None
    tags: frozenset[str] = frozenset()

    @property
    def mesh_wide(self) -> bool:
        """Whether it changes the whole mesh, so that nothing else may run at the same time."""
        return CapabilityName.MESH_WIDE in self.needs


@dataclass(frozen=True)
class Catalogue:
    """All controls by id, in the order of the documents. What capabilities mean is in `runner.target.capabilities`.

    Attributes:
        documents: what the ids of a document's controls begin with → its title.
    """

    controls: Mapping[str, Control]
    documents: Mapping[str, str] = field(default_factory=dict)

    def control(self, name: str) -> Control:
        """The control of this id.

        Raises:
            SettingsError: there is none; the hint names the nearest.
        """
        if name not in self.controls:
            near = difflib.get_close_matches(name.upper(), self.controls, n=1, cutoff=0.6)
            raise SettingsError(
                f"unknown control {name}", f"did you mean {near[0]}?" if near else "see `meshproof plan`"
            )
        return self.controls[name]

    def select(self, names: Iterable[str]) -> frozenset[str]:
        """Ids of the named controls; a name may hold several, separated by commas.

        Raises:
            SettingsError: one is unknown, or is empty.
        """
        parts = [[part.strip() for part in name.split(",") if part.strip()] for name in names]
        if not all(parts):
            raise SettingsError("--control has an empty value", "see `meshproof plan` for the ids")
        return frozenset(self.control(part).id for several in parts for part in several)


def load(folder: Path = ROOT / "suites") -> Catalogue:
    """The catalogue in `folder`; read once per process.

    Raises:
        SettingsError: it cannot be read, an id is malformed or used twice, or a twin does not exist.
    """
    return _load(folder)


@cache
def _load(folder: Path) -> Catalogue:
    controls: dict[str, Control] = {}
    documents: dict[str, str] = {}
    for path in (folder / "catalogue.yaml", folder / "own.yaml", folder / "advisories.yaml"):
        if path.name != "catalogue.yaml" and not path.exists():
            continue
        document = _read(path)
        documents |= {str(one["prefix"]): str(one["title"]) for one in document.get("documents") or ()}
        for entry in document.get("cases") or ():
            control = _control(entry, path)
            if control.id in controls:
                raise SettingsError(f"{path.name}: {control.id} is defined twice", "ids are never reused")
            controls[control.id] = control
    lost = [control.id for control in controls.values() if control.twin and control.twin not in controls]
    if lost:
        raise SettingsError(f"the twin of {lost[0]} ({controls[lost[0]].twin}) is not in the catalogue")
    return Catalogue(controls, documents)


def _read(path: Path) -> dict[str, Any]:
    try:
        # The C loader takes a tenth of the time, and every worker reads the file.
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"the catalogue {path} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise SettingsError(f"the catalogue {path} is not a mapping")
    return document


def _control(entry: dict[str, Any], path: Path) -> Control:
    try:
        name, title, polarity = entry["id"], entry["title"], entry["polarity"]
    except KeyError as error:
        raise SettingsError(f"{path.name}: the entry {entry.get('id', '?')} lacks {error}") from None
    if not ID.fullmatch(name) or polarity not in {"allow", "deny", "state"}:
        raise SettingsError(f"{path.name}: {name} has a malformed id or polarity ({polarity})")
    substitute = str(entry.get("hermetic") or "")
    return Control(
        id=name,
        title=title,
        polarity=polarity,
        twin=str(entry.get("twin") or ""),
        needs=frozenset(entry.get("needs") or ()),
        live_only=bool(entry.get("live_only")),
        # "none; prerequisite only": there is no substitute, and why.
        hermetic="" if substitute.startswith("none") else substitute,
        advisory=_advisory(entry, f"{path.name}: {name}"),
        tags=frozenset(map(str, entry.get("tags") or ())),
    )


def _advisory(entry: dict[str, Any], where: str) -> Advisory | None:
    """`advisory: {id: CVE-…, link: https://…, patched: [1.29.2]}`."""
    found = entry.get("advisory")
    if found is None:
        return None
    if not isinstance(found, dict) or set(found) - {"id", "link", "patched"} or not {"id", "link"} <= set(found):
        raise SettingsError(f"{where} has a malformed advisory", "it has an id, a link, and a list of patched versions")
    return Advisory(str(found["id"]), str(found["link"]), tuple(map(str, found.get("patched") or ())))
