"""Cases of one stage at work side by side: while one waits for a log or for time to pass, another sends its probes.

Probes of one client with a sidecar still follow one another (see `clients.proof.world`), so that its sidecar keeps no
more connections than the number of confirmations is derived for.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Self

from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence
from clients.proof import verify
from clients.proof.running_stage import RunningStage

THREADS = 8
"""Cases at work at once."""


@dataclass(frozen=True)
class CaseJob:
    """A case to prove, and what goes with it to `clients.proof.verify.prove`."""

    case: Case
    facts: verify.Facts
    confirmations: int | None = None


class CaseRunner:
    """Begins to prove the jobs, in their order, when it is made. Leaving it as a context dismisses it.

    Where the stage goes on by steps, those of each step are begun as soon as one of them is asked for.

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
        if job.case.step in self._waiting:
            self._take_step(job.case.step)
        begun = self._work.get(job.case.id)
        return begun.result() if begun else verify.prove(self._running, job.case, job.facts, job.confirmations)

    def _take_step(self, step: str) -> None:
        """All of the step before it are proven first: they are about the state that it ends."""
        self.wait()
        try:
            self._running.reach(step)
        except MeshproofError:
            del self._waiting[step]  # each of its cases tells, one by one
        else:
            self._begin(step)

    def _begin(self, step: str) -> None:
        for job in self._waiting.pop(step, ()):
            done = self._threads.submit(verify.prove, self._running, job.case, job.facts, job.confirmations)
            self._work[job.case.id] = done

    def wait(self) -> None:
        """Until all are proven: what comes next may change the state that they are proven in."""
        wait(self._work.values())

    def dismiss(self) -> None:
        """End, without waiting for what nobody will ask for any more."""
        if not all(work.done() for work in self._work.values()):
            self._running.world.abandoned.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._running.world.abandoned.clear()
