"""Proves the cases of one stage in parallel: while one waits for a log or for time to pass, another sends its probes.

It is the only place that takes the stage's steps. Probes of one client with a sidecar still follow one another (see
`clients.proof.rig.rig`), so that its sidecar keeps no more connections than the number of confirmations is derived for.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Self

from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Subject
from clients.proof import in_force, prove
from clients.proof.in_force import InForce
from clients.proof.stage.running_stage import RunningStage
from clients.proof.steps import like_users, sent_elsewhere
from clients.proof.why import Explainer

THREADS = 8
"""Cases that are proven in parallel."""
GATHER_S = 0.3
"""Longest wait for further cases before what is in force is read back, in seconds."""


@dataclass(frozen=True)
class CaseJob:
    """A case to prove.

    Attributes:
        subject: what its evidence is about.
        confirmations: replaces the derived number where no change could have left stale answers.
        budget_s: replaces the run's budget; None keeps it.
    """

    case: Case
    subject: Subject
    confirmations: int | None = None
    budget_s: float | None = None


class CaseRunner:
    """Starts to prove the jobs, in their order, when it is created. A context manager; its exit dismisses the runner.

    Where the stage has steps, the jobs of a step start as soon as the evidence of one of them is requested.

    Args:
        running: the stage in whose state they are proven.
    """

    def __init__(self, running: RunningStage, jobs: Sequence[CaseJob], threads: int = THREADS) -> None:
        self._running = running
        self._explainer = Explainer(running)
        self._threads = ThreadPoolExecutor(threads)
        self._waiting: dict[str, list[CaseJob]] = {}
        for job in jobs:
            self._waiting.setdefault(job.case.step, []).append(job)
        self._work: dict[str, Future[Evidence]] = {}
        self._step = ""
        self._unchecked: list[tuple[Case, Future[Evidence]]] = []
        self._looked: dict[str, tuple[float, InForce]] = {}
        self._begin("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()

    def evidence(self, job: CaseJob) -> Evidence:
        """Wait for the evidence of a job; one that the runner was not created with starts now."""
        begun = self._work.get(job.case.id)
        if begun is None:
            if problem := self._reach(job.case.step):
                return self._not_tried(job, problem)
            begun = self._work.get(job.case.id) or self._start(job)
        return self._concluded(job, begun.result())

    def table(self, jobs: Sequence[CaseJob], threads: int) -> list[Evidence]:
        """Evidence of many jobs of one step, in their order, `threads` of them in parallel.

        Raises:
            ValueError: the jobs are of several steps, or there are none.
        """
        [step] = {job.case.step for job in jobs}
        if problem := self._reach(step):
            return [self._not_tried(job, problem) for job in jobs]
        pool = ThreadPoolExecutor(threads)
        begun = [self._submit(pool, job) for job in jobs]
        try:
            evidence = [work.result() for work in begun]
        finally:
            self._end(pool, begun)
        return [self._concluded(job, one) for job, one in zip(jobs, evidence, strict=True)]

    def wait(self) -> None:
        """Wait until all started jobs are proven: the next step may change the state that they need."""
        wait(self._work.values())

    def dismiss(self) -> None:
        """Shut down; cancel cases whose result is no longer needed."""
        self._end(self._threads, self._work.values())

    def _not_tried(self, job: CaseJob, problem: MeshproofError) -> Evidence:
        return prove.not_tried(job.subject, problem.message, worker=self._running.worker, why=problem.why)

    def _reach(self, step: str) -> MeshproofError | None:
        """Take the stage's steps up to this one; returns why it could not be reached, None where it was.

        All cases of earlier steps are proven first, because a step ends the state that they need.
        """
        self.wait()
        if step != self._step:
            self._look()
        try:
            self._running.reach(step)
        except MeshproofError as error:
            self._waiting.pop(step, None)  # each of its cases gets its own evidence, one by one
            return error
        self._step = step
        self._begin(step)
        return None

    def _begin(self, step: str) -> None:
        for job in self._waiting.pop(step, ()):
            self._start(job)

    def _start(self, job: CaseJob) -> Future[Evidence]:
        begun = self._work[job.case.id] = self._submit(self._threads, job)
        return begun

    def _concluded(self, job: CaseJob, evidence: Evidence) -> Evidence:
        """The evidence with what was in force, and what proxies have logged, which is read after the case was proven.

        It is read once for all cases that are proven soon. A case that takes longer, or never ends, does not keep back
        the evidence of the others, which a crash would lose.
        """
        if job.case.id not in self._looked:
            wait(self._work.values(), timeout=GATHER_S)
            self._look()
        proven_at, found = self._looked[job.case.id]
        elsewhere = sent_elsewhere.findings(self._running, job.case, evidence, proven_at)
        of_users = like_users.findings(self._running, job.case, evidence)
        return prove.concluded(evidence, [*found.findings(job.case), *elsewhere, *of_users])

    def _look(self) -> None:
        """Read back what is in force, for the cases that were proven since the last time, before a step changes it."""
        proven = [case for case, work in self._unchecked if work.done()]
        if proven:
            names = {case.id for case in proven}
            self._unchecked = [(case, work) for case, work in self._unchecked if case.id not in names]
            proven_at, found = time.monotonic(), in_force.look(self._running, proven)
            self._looked |= dict.fromkeys(names, (proven_at, found))

    def _submit(self, pool: ThreadPoolExecutor, job: CaseJob) -> Future[Evidence]:
        work = pool.submit(self._prove, job)
        self._unchecked.append((job.case, work))
        return work

    def _prove(self, job: CaseJob) -> Evidence:
        evidence = prove.prove_case(self._running, job.case, job.subject, job.confirmations, job.budget_s)
        return self._explainer.explained(job.case, evidence)

    def _end(self, pool: ThreadPoolExecutor, begun: Collection[Future[Evidence]]) -> None:
        """Shut the pool down. Cases that are still under way send no further probe."""
        if not all(work.done() for work in begun):
            self._running.rig.prober.abandoned.set()
        pool.shutdown(wait=True, cancel_futures=True)
        self._running.rig.prober.abandoned.clear()
