"""A clock that only probing and waiting move, and streams of answers, for tests of convergence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from clients.model.expect import Expectation, rbac_denied
from clients.model.outcome import Outcome, OutcomeKind, infrastructure
from clients.probe.converge import converge
from clients.probe.convergence import Convergence, ConvergencePolicy

YES = Outcome(OutcomeKind.STATUS, "yes", status=403, exit_code=0, body="RBAC: access denied")
NO = Outcome(OutcomeKind.STATUS, "no", status=200, exit_code=0, body="hello")
LOST = infrastructure("lost", "exec lost")
POLICY = ConvergencePolicy(budget_s=10.0, poll_s=0.1, window_s=0.0)


class FakeTime:
    """A clock that only `sleep` and probing move."""

    def __init__(self, probe_s: float = 0.01) -> None:
        self.now, self.probe_s = 1000.0, probe_s

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def run(
    answer: Callable[[], Outcome],
    *,
    expect: Expectation | None = None,
    time: FakeTime | None = None,
    policy: ConvergencePolicy = POLICY,
    needed: int = 5,
    batches: list[int] | None = None,
    since: float = 1000.0,
    unchanged: bool = False,
) -> Convergence:
    time = time or FakeTime()

    def probe(count: int) -> Sequence[Outcome]:
        if batches is not None:
            batches.append(count)
        outcomes = []
        for _ in range(count):
            time.now += time.probe_s
            outcomes.append(answer())
        return outcomes

    return converge(
        probe,
        expect or rbac_denied(),
        policy,
        needed=needed,
        since=since,
        unchanged=unchanged,
        clock=time.clock,
        sleep=time.sleep,
    )


def then(*parts: Iterable[Outcome], rest: Outcome) -> Callable[[], Outcome]:
    def stream() -> Iterator[Outcome]:
        for part in parts:
            yield from part
        while True:
            yield rest

    answers = stream()
    return lambda: next(answers)


def passing(time: FakeTime, outcomes: list[Outcome]) -> list[Outcome]:
    time.now += 0.01
    return outcomes
