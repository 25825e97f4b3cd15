"""The one registry of all mutants: those of the mesh, each with the controls that must notice it, and the harness's."""

from __future__ import annotations

from tests.harness_mutants.mutants import MUTANTS as HARNESS_MUTANTS
from tests.mutants import (  # noqa: F401  those that register mutants when they are imported
    advisories,
    ajar,
    ajar_elsewhere,
    ajar_lab,
    ajar_others,
    almost,
    believed,
    boutique,
    certificates,
    changed,
    copies,
    decisions,
    detected,
    egress,
    front,
    further,
    gateways,
    identity,
    imitated,
    injection,
    left_open,
    lies,
    look_alikes,
    manifests,
    narrow,
    nearly,
    outbound,
    peers,
    pretended,
    rules,
    tokens,
    traps,
    trust,
    unusual,
    wide,
    workloads,
)
from tests.mutants.entry import ENTRIES, Entry

MESH: dict[str, Entry] = {entry.id: entry for entry in ENTRIES}
"""Mutants of the mesh, and of what the harness sees of it, by id."""
HARNESS = {mutant.name: mutant for mutant in HARNESS_MUTANTS}
"""Wrong lines in the code of the harness: unit tests must notice them (`tests.harness_mutants`)."""


def of_suite(suite: str) -> list[Entry]:
    """Those that are tried with one folder of suites."""
    return [entry for entry in ENTRIES if entry.place.suite == suite]
