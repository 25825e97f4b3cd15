"""Proves the cases of one stage side by side: while one waits for a log or for time to pass, another sends its probes.

It is the only place that takes the stage's steps. Probes of one client with a sidecar still follow one another (see
`clients.proof.world`), so that its sidecar keeps no more connections than the number of confirmations is derived for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Self

from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Subject
from clients.proof import prove
from clients.proof.running_stage import RunningStage

THREADS = 8
"""Cases at work at once."""


@dataclass(frozen=True)
class CaseJob:
    """A case to prove.

    Attributes:
        subject: what its evidence is about.
        confirmations: replaces the derived number where no change could have left stale answers.
    """

    case: Case
    subject: Subject
    confirmations: int | None = None


class CaseRunner:
    """Begins to prove the jobs, in their order, when it is made. Leaving it as a context dismisses it.

    Where the stage has steps, the jobs of each step are begun as soon as one of them is asked for.

    Args:
        running: the stage in whose state they are proven.
    """

    def __init__(self, running: RunningStage, jobs: Sequence[CaseJob], threads: int = THREADS) -> None:
        self._running = running
        self._threads = ThreadPoolExecutor(threads)
        self._waiting: dict[str, list[CaseJob]] = {}
        for job in jobs:
            self._waiting.setdefault(job.case.step, []).append(job)
        self._work: dict[str, Future[Evidence]] = {}
        self._begin("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()

    def evidence(self, job: CaseJob) -> Evidence:
        """Of one of the jobs, as soon as it is there; of another one, which is begun only now."""
        begun = self._work.get(job.case.id)
        if begun is None:
            if problem := self._reach(job.case.step):
                return prove.not_tried(job.subject, problem, worker=self._running.worker)
            begun = self._work.get(job.case.id) or self._submit(self._threads, job)
        return begun.result()

    def table(self, jobs: Sequence[CaseJob], threads: int) -> list[Evidence]:
        """Evidence of many jobs of one step, in their order, `threads` of them at work at once.

        Raises:
            ValueError: they are of several steps.
        """
        [step] = {job.case.step for job in jobs}
        if problem := self._reach(step):
            return [prove.not_tried(job.subject, problem, worker=self._running.worker) for job in jobs]
        pool = ThreadPoolExecutor(threads)
        begun = [self._submit(pool, job) for job in jobs]
        try:
            return [work.result() for work in begun]
        finally:
            self._end(pool, begun)

    def wait(self) -> None:
        """Until all that has begun is proven: what comes next may change the state that it is proven in."""
        wait(self._work.values())

    def dismiss(self) -> None:
        """Shut down; cancel cases whose result is no longer needed."""
        self._end(self._threads, self._work.values())

    def _reach(self, step: str) -> str:
        """Take the stage's steps up to this one; why it could not be reached, empty where it was.

        All cases of the steps before are proven first: they are about the state that it ends.
        """
        self.wait()
        try:
            self._running.reach(step)
        except MeshproofError as error:
            self._waiting.pop(step, None)  # each of its cases gets its own evidence, one by one
            return error.message
        self._begin(step)
        return ""

    def _begin(self, step: str) -> None:
        for job in self._waiting.pop(step, ()):
            self._work[job.case.id] = self._submit(self._threads, job)

    def _submit(self, pool: ThreadPoolExecutor, job: CaseJob) -> Future[Evidence]:
        return pool.submit(prove.prove_case, self._running, job.case, job.subject, job.confirmations)

    def _end(self, pool: ThreadPoolExecutor, begun: Collection[Future[Evidence]]) -> None:
        """Without waiting for probes that are still to be sent; they are given up."""
        if not all(work.done() for work in begun):
            self._running.world.abandoned.set()
        pool.shutdown(wait=True, cancel_futures=True)
        self._running.world.abandoned.clear()
