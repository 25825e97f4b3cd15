"""The scheduling of a suite, as the suite states it: how long its modules take, and what may share a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

WHOLE_SUITE = "."
"""Key of `SuiteSchedule.durations_s` for all modules together."""


@dataclass(frozen=True)
class Placement:
    """How a distributed run treats one test. Plain values: it travels as JSON.

    Attributes:
        scope: the module, or its folder, all of whose tests go to one worker; empty for the module.
        duration_s: measured seconds for the whole scope; None where it follows from the number of tests.
        environment_s: measured seconds that one more worker in this suite costs.
        yields_lock: the module releases the mesh lock while it waits.
    """

    scope: str = ""
    duration_s: float | None = None
    environment_s: float = 0.0
    yields_lock: bool = False


@dataclass(frozen=True)
class SuiteSchedule:
    """Scheduling of one folder of suites. A folder without one is scheduled by its numbers of tests.

    Attributes:
        durations_s: measured seconds of modules that take longer than their number of tests suggests, by file name;
            under `WHOLE_SUITE` those of the folder, where `one_process`.
        environment_s: measured seconds to deploy the suite's environment once more and to remove it. A worker that is
            free joins the suite only if at least twice as much work is left.
        one_process: one worker runs all modules, because the environment costs more than the tests save.
        yields_lock: file names of modules that hold the mesh lock but spend most of their time waiting for Kubernetes.
            They release it meanwhile, and they are handed out late, when a worker with exclusive modules can use it.
    """

    durations_s: Mapping[str, float] = field(default_factory=dict)
    environment_s: float = 0.0
    one_process: bool = False
    yields_lock: frozenset[str] = frozenset()

    def placement(self, module: str) -> Placement:
        """Placement of the tests of a module, given by its path from the root (`suites/egress/test_route.py`)."""
        path = PurePosixPath(module)
        if self.one_process:
            return Placement(str(path.parent), self.durations_s.get(WHOLE_SUITE), self.environment_s)
        named = path.name in self.yields_lock
        return Placement(module, self.durations_s.get(path.name), self.environment_s, named)
