"""Pytest plugin that breaks the mesh of a run: `-p tests.mutants.plugin --mutant NAME`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from clients.model.stage import Stage
from clients.proof.rig.rig import Rig
from tests.mutants import secrets
from tests.mutants.kept import Kept
from tests.mutants.mutant import Changed, Mutant, document_namespace
from tests.mutants.registry import MESH

OTHERS: dict[str, Callable[[], Mutant]] = {
    "page-shows-token": partial(Changed, secrets.page_shows_token),
    "redaction-blind": secrets.RedactionBlind,
}
"""Mutants that no control can notice: tests of a run's files do (`tests/e2e/test_secrets.py`)."""
MUTANTS: dict[str, Callable[[], Mutant]] = {name: entry.make for name, entry in MESH.items()} | OTHERS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the one option."""
    parser.addoption("--mutant", choices=sorted(MUTANTS), help="which defect to make")
    parser.addoption(
        "--kept", action="store_true", help="leave the environment in place, for the next run of the same id"
    )
    parser.addoption(
        "--environment", default="", metavar="NAMES", help="deploy only these namespaces of the environment; quicker"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Install the mutant."""
    if config.getoption("mutant") is None:
        raise pytest.UsageError("no mutant is named; use --mutant NAME")
    environment = frozenset(config.getoption("environment").split(",")) - {""}
    mutant = MUTANTS[config.getoption("mutant")]()
    mutant = Kept(mutant) if config.getoption("kept") else mutant
    config.pluginmanager.register(Sabotage(mutant, environment), "meshproof-sabotage")


class Sabotage:
    """Calls the mutant at the hooks of a run.

    Args:
        environment: namespaces of the document that the run's controls need; empty for all.
    """

    def __init__(self, mutant: Mutant, environment: frozenset[str]) -> None:
        self._mutant = mutant
        self._environment = environment

    def pytest_meshproof_objects(self, objects: list[dict[str, Any]], stage: Stage | None) -> None:
        """Leave out what no control needs, and pass the rest on."""
        if self._environment and any(body["kind"] == "Namespace" for body in objects):
            objects[:] = [body for body in objects if document_namespace(body) in self._environment]
        self._mutant.objects(objects)

    def pytest_meshproof_stage_entered(self, rig: Rig, stage: Stage) -> None:
        """Pass it on."""
        self._mutant.entered(rig)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Undo before the stage is left, so that it leaves a working mesh."""
        if nextitem is None or getattr(nextitem, "module", None) is not getattr(item, "module", None):
            self._mutant.undo()

    def pytest_unconfigure(self) -> None:
        """Undo what an interrupted run has not undone."""
        self._mutant.undo()
