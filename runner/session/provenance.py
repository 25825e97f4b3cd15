"""What a run says of itself for an auditor: all controls, what they are evidence for, who made it and how."""

from __future__ import annotations

import getpass
import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clients.model.redact import redact, redact_mapping
from clients.model.redact_settings import redact_value
from reports.record.about import About, ControlRecord, Document, Provenance
from runner.config import requirements, tiers
from runner.config.catalogue import Catalogue
from runner.config.gate_settings import Tier
from runner.config.settings import ROOT, Settings

OWN = Document("X", "Beyond the documents: the project's own controls and published advisories")
GIT_S = 10
"""Seconds for git to answer."""


def about(settings: Settings, catalogue: Catalogue) -> About:
    """All of it.

    Raises:
        SettingsError: the table of requirements or the one of tiers cannot be read.
    """
    smallest = {name: tier for tier in reversed(Tier) for name in tiers.of_tier(tier, catalogue)}
    controls = tuple(ControlRecord(one.id, one.title, smallest[one.id]) for one in catalogue.controls.values())
    documents = (*(Document(prefix, title) for prefix, title in catalogue.documents.items()), OWN)
    return About(documents, controls, requirements.load(), provenance(settings))


def provenance(settings: Settings, checkout: Path = ROOT) -> Provenance:
    """By which identity, from which commit, and with which settings."""
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return Provenance(
        commit=_git(checkout, "rev-parse", "HEAD"),
        changed=bool(changed),
        user=redact(f"{_user()} on {platform.node()}"),
        settings=dict(_flat("", redact_mapping(settings.model_dump(mode="json")))),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # any user id of a container, which has no name there
        return "a user without a name"


def _git(checkout: Path, *words: str) -> str:
    """What git says; empty where there is no git, or no checkout, or it belongs to another user."""
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *words], capture_output=True, text=True, timeout=GIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """`ingress.gateway.address` → its value; lists as JSON, what is empty is left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    elif value not in (None, "", [], ()):
        yield name, redact_value(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
