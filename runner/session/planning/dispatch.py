"""Which work a worker process gets next. Depends on the plan, not on xdist."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

from runner.session.planned import PlannedTest
from runner.session.planning.work import Process, Work, scope_of, works


@dataclass(frozen=True)
class Choice:
    """A worker's view of the remaining work. A `Preference` decides whether some work meets it."""

    mine: Process
    topics_of_others: frozenset[str]
    free: Sequence[Work]

    def left_s(self, topic: str) -> float:
        """Seconds of free work in a topic."""
        return sum(work.duration_s for work in self.free if work.topic == topic)


Preference = Callable[[Choice, Work], bool]


def finish_own_environment(choice: Choice, work: Work) -> bool:
    """It needs an environment that only this worker has deployed."""
    return bool(work.own) and work.own <= choice.mine.environments and not work.alone


def same_environment(choice: Choice, work: Work) -> bool:
    """It needs nothing that this worker has not deployed."""
    return same_topic(choice, work) and work.own <= choice.mine.environments


def same_topic(choice: Choice, work: Work) -> bool:
    """It is of this worker's topic."""
    return work.topic == choice.mine.topic and not work.alone


def same_topic_exclusive(choice: Choice, work: Work) -> bool:
    """It is of this worker's topic, and may run exclusively."""
    return work.topic == choice.mine.topic


def unattended_topic(choice: Choice, work: Work) -> bool:
    """No other worker works on its topic."""
    return work.topic not in choice.topics_of_others and not work.alone


def unattended_topic_exclusive(choice: Choice, work: Work) -> bool:
    """No other worker works on its topic, and it may run exclusively."""
    return work.topic not in choice.topics_of_others


def worth_joining(choice: Choice, work: Work) -> bool:
    """Its topic has at least twice as much work left as one more environment costs."""
    return not work.alone and choice.left_s(work.topic) >= 2 * work.environment_s


PREFERENCES: tuple[Preference, ...] = (
    finish_own_environment,
    same_environment,
    same_topic,
    same_topic_exclusive,
    unattended_topic,
    unattended_topic_exclusive,
    worth_joining,
)
"""The first that any free work meets decides."""


def choose(queue: Sequence[Work], mine: Process, others: Sequence[Process]) -> Work | None:
    """The next work of a worker; None where the other workers do the rest.

    A worker first finishes the modules that use the environment it has deployed, beginning with those that no other
    worker can run there; then it takes another environment of its topic. After that it takes a topic no other worker is
    on, then helps with the topic that has the most work left, unless less is left than twice `environment_s`.
    An environment used by only a few modules is deployed by a single worker, because it may contain a mesh-wide
    singleton. Exclusive modules run last in their topic, all on one worker, and not on the one that yielded the lock.

    Args:
        queue: work that no worker has begun.
    """
    deployed_by_others = frozenset[str]().union(*(other.environments for other in others))
    exclusive_of_others = {
        other.topic for other in others if other.alone or (mine.yields_lock and other.topic == mine.topic)
    }
    free = [
        work
        for work in queue
        if not (work.own - mine.environments) & deployed_by_others
        and not (work.alone and work.topic in exclusive_of_others)
    ]
    choice = Choice(mine, frozenset(other.topic for other in others), free)
    for preferred in PREFERENCES:
        if found := [work for work in free if preferred(choice, work)]:
            return max(found, key=partial(_weight, found))
    return None


def _weight(found: Sequence[Work], work: Work) -> tuple[float, bool, float, float]:
    """Order among equals: the topic with the most work left, then the environment; work that yields the lock late."""
    in_topic = [other for other in found if other.topic == work.topic]
    with_environment_s = sum(other.duration_s for other in in_topic if other.own <= work.own)
    return sum(other.duration_s for other in in_topic), not work.yields_lock, with_environment_s, work.duration_s


class Answer(Enum):
    """What a worker gets instead of work."""

    LATER = "ask again when it has no other test left"
    END = "end, and remove its environments meanwhile"


class Dispatcher:
    """Assigns work, and remembers what each worker has done. A worker is any hashable value.

    Args:
        plan: gives the plan by node id, once the workers have collected.
    """

    def __init__(self, plan: Callable[[], Mapping[str, PlannedTest]]) -> None:
        self._plan = plan
        self._processes: dict[Hashable, Process] = {}

    def scope(self, nodeid: str) -> str:
        """See `scope_of`."""
        return scope_of(nodeid, self._plan())

    def next_for(
        self,
        worker: Hashable,
        queue: Mapping[str, Collection[str]],
        *,
        pending: int,
        others: Mapping[Hashable, bool],
    ) -> Work | Answer:
        """The worker's next work, which counts as assigned from then on.

        Args:
            queue: node ids of tests that no worker has, by scope.
            pending: how many tests the worker has left.
            others: all other workers, each with whether it is shutting down.
        """
        working = [other for other in others if other in self._processes]
        mine = self._processes.get(worker, Process())
        seen = mine
        if all(others[other] for other in working):
            seen = replace(mine, yields_lock=False)  # no other worker will take the exclusive work
        chosen = choose(works(queue, self._plan()), seen, [self._processes[other] for other in working])
        if chosen is None:
            return Answer.END
        if (chosen.yields_lock or chosen.alone) and pending > 1:
            return Answer.LATER  # xdist asks early, with two tests to go: another worker may be free before this one
        self._processes[worker] = mine.after(chosen)
        return chosen
