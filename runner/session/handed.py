"""What the controlling process of a run passes to its workers at their start."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from runner.config.settings import Settings
from runner.target.descriptor import TargetDescriptor

HANDED = "meshproof"
"""Key of `workerinput` with what is passed on."""


@dataclass(frozen=True)
class Handed:
    """What a worker gets.

    Attributes:
        folder: the published folder of the run; None where nothing is proven.
        private: the private folder of the run.
        settings: those of the controlling process.
        began: when the run began.
        descriptor: the target; None where the worker is started without one.
    """

    folder: Path | None
    private: Path
    settings: Settings
    began: str
    descriptor: TargetDescriptor | None = None

    def to_json(self) -> str:
        """For `workerinput`, which takes plain values."""
        described = self.descriptor.to_json() if self.descriptor else ""
        folders = {"folder": str(self.folder or ""), "private": str(self.private), "began": self.began}
        return json.dumps({**folders, "descriptor": described, "settings": self.settings.for_tests()})

    @classmethod
    def of(cls, config: pytest.Config) -> Self | None:
        """What this process was given; None in any process but a worker."""
        handed: dict[str, Any] = json.loads(getattr(config, "workerinput", {}).get(HANDED, "null")) or {}
        if not handed:
            return None
        described = handed["descriptor"]
        descriptor = TargetDescriptor.from_json(described) if described else None
        settings = Settings.model_validate(handed["settings"])
        folder = Path(handed["folder"]) if handed["folder"] else None
        return cls(folder, Path(handed["private"]), settings, handed["began"], descriptor)


def handed_settings(config: pytest.Config) -> Settings | None:
    """Those of the controlling process, in a worker; None anywhere else."""
    handed = Handed.of(config)
    return handed.settings if handed else None
