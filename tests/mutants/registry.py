"""The one registry of all mutants: those of the mesh, each with the controls that must notice it, and the harness's."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

from tests.harness_mutants.mutants import MUTANTS as HARNESS_MUTANTS
from tests.mutants.entry import ENTRIES, Entry

for _folder in sorted(path.parent for path in Path(__file__).parent.glob("*/__init__.py")):
    # Mutants register themselves when their module is imported; all folders, so that no module is forgotten.
    for _module in pkgutil.iter_modules([str(_folder)], f"tests.mutants.{_folder.name}."):
        import_module(_module.name)

MESH: dict[str, Entry] = {entry.id: entry for entry in ENTRIES}
"""Mutants of the mesh, and of what the harness sees of it, by id."""
HARNESS = {mutant.name: mutant for mutant in HARNESS_MUTANTS}
"""Wrong lines in the code of the harness: unit tests must notice them (`tests.harness_mutants`)."""


def of_suite(suite: str) -> list[Entry]:
    """Those that are tried with one folder of suites."""
    return [entry for entry in ENTRIES if entry.place.suite == suite]
