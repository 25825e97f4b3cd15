"""Hooks that other plugins may implement, to extend a run, or to break it on purpose (`-p my_plugin`)."""

from __future__ import annotations

from typing import Any

import pytest

from clients.model.stage import Stage
from clients.proof.rig.rig import Rig
from runner.target.descriptor import TargetDescriptor


@pytest.hookspec(firstresult=True)
def pytest_meshproof_target(config: pytest.Config) -> TargetDescriptor | None:
    """Return a descriptor instead of bringing up the target: called once a run, in the controlling process."""


def pytest_meshproof_objects(objects: list[dict[str, Any]], stage: Stage | None) -> None:
    """Inspect, or change in place, the objects of a manifest before they are applied.

    Called for every manifest of the environment and of the stage, each time it is read (a stage reads its manifests
    again to delete them), so an implementation must do the same each time. `stage` is the one being entered or left.
    """


def pytest_meshproof_stage_entered(rig: Rig, stage: Stage) -> None:
    """The stage's change has been applied; its cases are about to be proven."""
