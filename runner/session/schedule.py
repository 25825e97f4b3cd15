"""How xdist hands out modules: whole ones, a process staying on its ground; a test that killed is done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from runner.session.plan import PlannedTest

MODULE_S, TEST_S = 0.6, 0.1
"""What a module takes beside its tests, and each of them, where nothing else is said of it."""


@dataclass(frozen=True)
class Work:
    """What one process gets at once.

    Attributes:
        scope: the module, or its folder where that says so by `ONE_PROCESS`.
        lasts_s: seconds that it will take, roughly.
        own: the part of the ground (see `clients.model.stage.Stage`) that not all modules of its topic stand on.
        alone: nothing else runs beside it.
        lends: it waits most of the time, and lends its turn to what runs alone meanwhile.
    """

    scope: str
    duration_s: float = 0.0
    own: frozenset[str] = frozenset()
    alone: bool = False
    yields_lock: bool = False

    @property
    def topic(self) -> str:
        """The folder of suites."""
        folder = PurePosixPath(self.scope)
        return str(folder.parent if folder.suffix else folder)


@dataclass(frozen=True)
class Process:
    """Where a test process is.

    Attributes:
        topic: folder of what it has done last; empty at the beginning.
        standing: the parts of grounds that it has put up there, beside what all modules stand on.
        alone: what it has done last ran alone.
        lends: what it has done last lent its turn.
    """

    topic: str = ""
    environments: frozenset[str] = frozenset()
    alone: bool = False
    yields_lock: bool = False

    def after(self, work: Work) -> Process:
        """Where it is once it has done this. A ground goes when its process goes to another topic."""
        stays = self.environments if work.topic == self.topic else frozenset()
        return Process(work.topic, stays | work.own, work.alone, work.yields_lock)


def scope(nodeid: str) -> str:
    """What one process gets whole."""
    module = nodeid.split("::", 1)[0]
    folder = PurePosixPath(module).parent
    return str(folder) if _of_suite(str(folder), "ONE_PROCESS", False) else module


def duration_s(scope: str, tests: int) -> float:
    """As its folder says by `DURATIONS_S` (of all of it by `.`), or by how many tests it has."""
    path = PurePosixPath(scope)
    folder, name = (path.parent, path.name) if path.suffix else (path, ".")
    said: Mapping[str, float] = _of_suite(str(folder), "DURATIONS_S", {})
    return said.get(name, MODULE_S + TEST_S * tests)


def works(queue: Mapping[str, Collection[str]], plan: Mapping[str, PlannedTest]) -> list[Work]:
    """What is left, by scope, with its tests; the plan knows where they stand."""
    common: dict[str, frozenset[str]] = {}
    wanted = frozenset[str]().union(*(entry.environment for entry in plan.values()))
    for entry in (entry for entry in plan.values() if entry.environment):
        topic = Work(entry.suite).topic
        common[topic] = common.get(topic, frozenset(entry.environment)) & frozenset(entry.environment)
    made = []
    for name, tests in queue.items():
        entries = [plan[test] for test in tests if test in plan]
        environment = frozenset[str]().union(*(entry.environment for entry in entries))
        environment |= frozenset[str]().union(*(entry.prefetch for entry in entries)) & wanted
        alone = name.endswith(".py") and any(entry.alone for entry in entries)
        topic, path = Work(name).topic, PurePosixPath(name)
        yields_lock = path.name in _of_suite(topic, "YIELDS_LOCK", ())
        made.append(
            Work(name, duration_s(name, len(tests)), environment - common.get(topic, frozenset()), alone, yields_lock)
        )
    return made


def choose(queue: Sequence[Work], mine: Process, others: Sequence[Process]) -> Work | None:
    """What a process does next; None where others do the rest.

    A worker first finishes the modules that use the environment it has deployed, beginning with those that no other
    worker can run there; then it takes another environment of its topic. After that it takes a topic no other worker is
    on, then helps with the topic that has the most work left, unless less is left than twice `ENVIRONMENT_S`.
    An environment used by only a few modules is deployed by a single worker, because it may contain a mesh-wide
    singleton. Exclusive modules run last in their topic, all on one worker, and not on the one that yielded the lock.

    Args:
        queue: what nobody has begun.
    """
    elsewhere = frozenset[str]().union(*(other.environments for other in others))
    topics = {other.topic for other in others}
    in_turn = {other.topic for other in others if other.alone or (mine.yields_lock and other.topic == mine.topic)}
    free = [
        work
        for work in queue
        if not (work.own - mine.environments) & elsewhere and not (work.alone and work.topic in in_turn)
    ]
    preferences: tuple[Callable[[Work], bool], ...] = (
        lambda work: bool(work.own) and work.own <= mine.environments and not work.alone,
        lambda work: work.topic == mine.topic and not work.alone and work.own <= mine.environments,
        lambda work: work.topic == mine.topic and not work.alone,
        lambda work: work.topic == mine.topic,
        lambda work: work.topic not in topics and not work.alone,
        lambda work: work.topic not in topics,
        lambda work: not work.alone and _left_s(free, work.topic) >= 2 * _environment_s(work.topic),
    )
    for preferred in preferences:
        if found := [work for work in free if preferred(work)]:
            return max(found, key=partial(_weight, found))
    return None


def _weight(found: Sequence[Work], work: Work) -> tuple[float, bool, float, float]:
    """Of several that may come next, the heaviest does: where the most is left, the longest; lending comes late."""
    left_s = partial(_left_s, found, work.topic)
    return left_s(), not work.yields_lock, left_s(work.own), work.duration_s


def _left_s(queue: Sequence[Work], topic: str, own: frozenset[str] | None = None) -> float:
    """Seconds of work of a topic, or of what can be done in it once one more ground is there."""
    return sum(work.duration_s for work in queue if work.topic == topic and (own is None or work.own <= own))


def _environment_s(topic: str) -> float:
    """Seconds that one more process takes to put up the ground of a topic and to remove it, as its folder says."""
    seconds: float = _of_suite(topic, "ENVIRONMENT_S", 0.0)
    return seconds


def _of_suite(folder: str, name: str, otherwise: Any) -> Any:
    """A constant of a folder of suites."""
    parts = PurePosixPath(folder).parts
    in_suites = parts[:1] == ("suites",) and len(parts) > 1
    return getattr(import_module(".".join(parts)), name, otherwise) if in_suites else otherwise


class StageScheduling(LoadFileScheduling):  # type: ignore[misc]
    """xdist's own (3.8) gives modules out in their order, and the killing test to the replacement process again.

    Args:
        plan: gives the plan by node id, once the processes have collected.
    """

    def __init__(self, config: Any, log: Any, plan: Callable[[], Mapping[str, PlannedTest]]) -> None:
        super().__init__(config, log)
        self._plan = plan
        self._where: dict[WorkerController, Process] = {}

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)

    def _next(self, node: WorkerController) -> Work | None:
        working = [other for other in self.assigned_work if other is not node and other in self._where]
        mine = self._where.get(node, Process())
        if all(other.shutting_down for other in working):
            mine = replace(mine, yields_lock=False)  # nobody else will come for what runs alone
        return choose(works(self.workqueue, self._plan()), mine, [self._where[other] for other in working])

    def _assign_work_unit(self, node: WorkerController) -> None:
        """The chosen one; a process for which nothing is chosen ends, and removes what it stands on meanwhile."""
        chosen = self._next(node)
        if chosen is None:
            node.shutdown()
            return
        if (chosen.yields_lock or chosen.alone) and self._pending_of(self.assigned_work[node]) > 1:
            return  # xdist asks early, with two tests to go: by then another process may be the first to have time
        self.workqueue.move_to_end(chosen.scope, last=False)
        self._where[node] = self._where.get(node, Process()).after(chosen)
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
