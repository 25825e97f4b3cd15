"""How xdist hands out modules: whole ones, as `--dist loadfile` does, the longest first; a test that killed is done."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

A_TEST_S = 0.4
"""What one test takes, where nothing else is said of its module."""


def scope(nodeid: str) -> str:
    """What one process gets whole: the module, or its folder where that says so by `ONE_PROCESS`."""
    module = nodeid.split("::", 1)[0]
    folder = PurePosixPath(module).parent
    return str(folder) if _of_suite(folder, "ONE_PROCESS", False) else module


def lasts_s(work: str, tests: int) -> float:
    """Seconds that the work of a scope will take, roughly: as its folder says by `LASTS_S`, or by how many tests."""
    path = PurePosixPath(work)
    said: Mapping[str, float] = _of_suite(path.parent, "LASTS_S", {})
    return said.get(path.name, A_TEST_S * tests)


def _of_suite(folder: PurePosixPath, name: str, otherwise: Any) -> Any:
    """A constant of a folder of suites."""
    in_suites = folder.parts[:1] == ("suites",) and len(folder.parts) > 1
    return getattr(import_module(".".join(folder.parts)), name, otherwise) if in_suites else otherwise


class StageScheduling(LoadFileScheduling):  # type: ignore[misc]
    """xdist's own (3.8) gives the killing test to the replacement process again, until it has run out of processes."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """The longest first: whoever begins with one at the end keeps the others waiting."""
        longest = max(self.workqueue, key=lambda work: lasts_s(work, len(self.workqueue[work])))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """A process died: its unfinished tests go to others, except for the one that was running."""
        modules: list[dict[str, bool]] = list(self.assigned_work[node].values())
        running = next(((module, name) for module in modules for name, done in module.items() if not done), None)
        if running is None:
            super().remove_node(node)
            return None
        module, nodeid = running
        module[nodeid] = True
        super().remove_node(node)
        return nodeid
