"""What workers get: units of work, made of the plan, and the state of a worker between two of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from runner.session.planned import PlannedTest

MODULE_S, TEST_S = 0.6, 0.1
"""Seconds for a module without its tests, and for each test, where its suite's schedule has no measured duration."""


@dataclass(frozen=True)
class Work:
    """What one worker gets in one piece: a module, or all modules of a suite.

    Attributes:
        scope: path of the module or of the folder.
        duration_s: estimated seconds.
        own: the part of the environment (see `clients.model.stage.Stage`) that not all modules of the topic need.
        alone: it runs exclusively.
        yields_lock: it releases the mesh lock while it waits, so that exclusive work can run.
        environment_s: seconds that one more worker in the topic costs.
    """

    scope: str
    duration_s: float = 0.0
    own: frozenset[str] = frozenset()
    alone: bool = False
    yields_lock: bool = False
    environment_s: float = 0.0

    @property
    def topic(self) -> str:
        """The folder of suites."""
        folder = PurePosixPath(self.scope)
        return str(folder.parent if folder.suffix else folder)


@dataclass(frozen=True)
class Process:
    """State of a worker, as far as it matters for its next work.

    Attributes:
        topic: folder of its last work; empty at the beginning.
        environments: the parts of environments that it has deployed there, without those that all modules need.
        alone: its last work ran exclusively.
        yields_lock: its last work releases the mesh lock.
    """

    topic: str = ""
    environments: frozenset[str] = frozenset()
    alone: bool = False
    yields_lock: bool = False

    def after(self, work: Work) -> Process:
        """Its state once it has done this. A worker that changes its topic removes its environments."""
        kept = self.environments if work.topic == self.topic else frozenset()
        return Process(work.topic, kept | work.own, work.alone, work.yields_lock)


def scope_of(nodeid: str, plan: Mapping[str, PlannedTest]) -> str:
    """The scope whose tests go to one worker together: by the plan, or the module where the plan has no such test."""
    return (plan[nodeid].placement.scope if nodeid in plan else "") or nodeid.split("::", 1)[0]


def works(queue: Mapping[str, Collection[str]], plan: Mapping[str, PlannedTest]) -> list[Work]:
    """The remaining work.

    Args:
        queue: node ids of the remaining tests, by scope.
        plan: all planned tests of the run, by node id.
    """
    common = _common_environments(plan.values())
    wanted = frozenset[str]().union(*(entry.environment for entry in plan.values()))
    return [_work(scope, tests, plan, common, wanted) for scope, tests in queue.items()]


def _work(
    scope: str,
    tests: Collection[str],
    plan: Mapping[str, PlannedTest],
    common: Mapping[str, frozenset[str]],
    wanted: frozenset[str],
) -> Work:
    entries = [plan[test] for test in tests if test in plan]
    environment = frozenset[str]().union(*(entry.environment for entry in entries))
    environment |= frozenset[str]().union(*(entry.prefetch for entry in entries)) & wanted
    measured = next((entry.placement.duration_s for entry in entries), None)
    return Work(
        scope,
        duration_s=MODULE_S + TEST_S * len(tests) if measured is None else measured,
        own=environment - common.get(Work(scope).topic, frozenset()),
        alone=scope.endswith(".py") and any(entry.alone for entry in entries),
        yields_lock=any(entry.placement.yields_lock for entry in entries),
        environment_s=max((entry.placement.environment_s for entry in entries), default=0.0),
    )


def _common_environments(entries: Iterable[PlannedTest]) -> dict[str, frozenset[str]]:
    """By topic, the manifests that every module with an environment needs."""
    common: dict[str, frozenset[str]] = {}
    for entry in entries:
        if entry.environment:
            topic, needed = Work(entry.suite).topic, frozenset(entry.environment)
            common[topic] = common.get(topic, needed) & needed
    return common
