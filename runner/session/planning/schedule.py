"""How xdist assigns modules: whole ones, as `dispatch` chooses; a test that killed its worker is not repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from runner.session.planned import PlannedTest
from runner.session.planning.dispatch import Answer, Dispatcher


class StageScheduling(LoadFileScheduling):  # type: ignore[misc]
    """xdist's own scheduling (3.8) keeps the order of modules, and repeats a test that killed its worker.

    Args:
        plan: gives the plan by node id, once the workers have collected.
    """

    def __init__(self, config: Any, log: Any, plan: Callable[[], Mapping[str, PlannedTest]]) -> None:
        super().__init__(config, log)
        self._dispatcher = Dispatcher(plan)

    def _split_scope(self, nodeid: str) -> str:
        return self._dispatcher.scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = {other: other.shutting_down for other in self.assigned_work if other is not node}
        pending = self._pending_of(self.assigned_work[node])
        chosen = self._dispatcher.next_for(node, self.workqueue, pending=pending, others=others)
        if chosen is Answer.END:
            node.shutdown()
        elif not isinstance(chosen, Answer):
            self.workqueue.move_to_end(chosen.scope, last=False)
            super()._assign_work_unit(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker died: its unfinished tests go to others, except for the one that was running."""
        modules: list[dict[str, bool]] = list(self.assigned_work[node].values())
        running = next(((module, name) for module in modules for name, done in module.items() if not done), None)
        if running is None:
            super().remove_node(node)
            return None
        module, nodeid = running
        module[nodeid] = True
        super().remove_node(node)
        return nodeid
