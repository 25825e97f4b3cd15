"""`suites/requirements.yaml`: which published security controls the catalogue's controls are evidence for, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from clients.model.errors import SettingsError
from reports.record.about import StatedRequirement
from runner.config.settings import ROOT

FILE = ROOT / "suites" / "requirements.yaml"
_TEXTS, _LISTS = {"section", "reason"}, {"controls"}


def load(file: Path = FILE) -> tuple[StatedRequirement, ...]:
    """The rows of the table, in order.

    Raises:
        SettingsError: it cannot be read, or a row lacks its section or its reason or has an unknown field.
    """
    try:
        whole = yaml.safe_load(file.read_text(encoding="utf-8"))
        frameworks = {str(key): str(name) for key, name in whole["frameworks"].items()}
        return tuple(_row(row, frameworks, file) for row in whole["rows"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"the table of requirements {file} cannot be read: {error}") from None


def _row(row: dict[str, Any], frameworks: dict[str, str], file: Path) -> StatedRequirement:
    about = f"{file.name}: the row of {', '.join(map(str, row.get('controls') or ['?']))}"
    if unknown := sorted(set(row) - _TEXTS - _LISTS - set(frameworks)):
        raise SettingsError(f"{about} has {unknown[0]}, which is no catalogue among {', '.join(frameworks)}")
    if missing := sorted(name for name in _TEXTS | _LISTS if not row.get(name)):
        raise SettingsError(f"{about} has no {missing[0]}")
    ids = {name: tuple(map(str, row[key])) for key, name in frameworks.items() if row.get(key)}
    return StatedRequirement(tuple(map(str, row["controls"])), str(row["section"]), str(row["reason"]), ids)
