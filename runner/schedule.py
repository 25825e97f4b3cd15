"""How xdist hands out modules: whole ones, as `--dist loadfile` does, but a test that killed its process is done."""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


def scope(nodeid: str) -> str:
    """What one process gets whole: the module, or its folder where that says so by `ONE_PROCESS`."""
    module = nodeid.split("::", 1)[0]
    folder = PurePosixPath(module).parent
    in_suites = folder.parts[:1] == ("suites",) and len(folder.parts) > 1
    if in_suites and getattr(import_module(".".join(folder.parts)), "ONE_PROCESS", False):
        return str(folder)
    return module


class StageScheduling(LoadFileScheduling):  # type: ignore[misc]
    """xdist's own (3.8) gives the killing test to the replacement process again, until it has run out of processes."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)

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
